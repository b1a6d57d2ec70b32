// A schedule and the run that follows from it. Views, then render; the arithmetic is in _schedule_run.js.

const TRAITS = ["shape", "peak", "warmup", "seed", "kept", "outcomes", "strings"];
const SETTINGS = ["shape", "peak", "warmup", "seed"];
const PEAKS = Array.from({ length: 27 }, (_, i) => Number((10 ** (i / 10 - 2)).toPrecision(2))); // 0.01 to 4, even in ratio
const SEEDS = 10, MOST_KEPT = 5, WINDOW = 20, HARDLY_BETTER = 2.25; // as in schedule_composer.py
const SLICE = 10, REDRAW = 30; // milliseconds of training at a time, so that the page stays responsive; from drawing to drawing
const LOSSES = [0.2, 5], LOSS_TICKS = [0.25, 0.5, 1, 2, 4]; // of a logarithmic axis
const SIDE = 7, EXAMPLES = 16;

const keyOf = (run) => JSON.stringify(SETTINGS.map((name) => run[name]));
const settings = (model) => Object.fromEntries(SETTINGS.map((name) => [name, model.get(name)]));

/** Trains the runs that are wanted and not yet finished, one after the other, a slice at a time. */
function trainer(model, changed) {
  const bytes = readBytes(model.get("pictures")), labels = readBytes(model.get("labels"));
  const problem = { inputs: standardised(bytes, model.get("scale")), labels, trainCount: model.get("train_count") };
  const finished = new Map();
  let timer = null, parts = null, key = null, losses = [], drawn = 0;
  const stop = () => {
    clearTimeout(timer);
    timer = null;
  };
  const slice = () => {
    const end = performance.now() + SLICE;
    let part;
    do part = parts.next(); while (!part.done && performance.now() < end);
    losses = part.value.losses ?? part.value;
    if (part.done) finished.set(key, part.value);
    timer = setTimeout(part.done || performance.now() > drawn + REDRAW ? draw : slice, 0);
  };
  const draw = () => { // a task of its own, so that both stay short
    timer = null;
    drawn = performance.now();
    changed();
  };
  const follow = (runs) => {
    for (const outcome of model.get("outcomes")) if (!finished.has(keyOf(outcome.run))) finished.set(keyOf(outcome.run), outcome);
    const next = runs.find((run) => !finished.has(keyOf(run)));
    if (!next) return stop();
    if (keyOf(next) !== key) {
      stop();
      [key, parts, losses] = [keyOf(next), training(problem, next), []];
    }
    timer ??= setTimeout(slice, 0);
  };
  const progress = (run) => finished.get(keyOf(run)) ?? { run, losses: keyOf(run) === key ? losses : [], training: null };
  return { follow, progress, stop };
}

const isDone = (outcome) => outcome.stopped !== undefined;

/** Everything that the views show: the run of the chosen settings, then those kept, finished or not. */
function readState(model, work) {
  const runs = [settings(model), ...model.get("kept")];
  work.follow(runs);
  const outcomes = runs.map((run) => ({ ...work.progress(run), rates: learningRates(run, STEPS) }));
  return { now: outcomes[0], kept: outcomes.slice(1), outcomes };
}

const runInWords = (t, run) => t("run", { shape: t(`shape_${run.shape}`), peak: shortNumber(run.peak), percent: Math.round(100 * run.warmup), seed: run.seed });
const numbers = ({ training: train, validation, accuracy }) => ({ training: formatNumber(train, 3), validation: formatNumber(validation, 3), accuracy: formatNumber(100 * accuracy, 1) });

function inWords(t, outcome) {
  const run = runInWords(t, outcome.run);
  if (!isDone(outcome)) return "";
  if (outcome.stopped) return t("diverged", { run, step: outcome.stopped });
  const result = t("result", { run, ...numbers(outcome) });
  return outcome.training > HARDLY_BETTER ? `${result} ${t("hardly")}` : result;
}

function settingsView(model, t) {
  const save = () => model.save_changes();
  const peak = valuedRange(t("peak"), { min: 0, max: PEAKS.length - 1 }, (i) => model.set("peak", PEAKS[i]), save);
  const warmup = valuedRange(t("warmup"), { min: 0, max: 50, step: 5 }, (percent) => model.set("warmup", percent / 100), save);
  const shapes = [...Object.keys(SHAPES), "one_cycle"].map((name) => [name, t(`shape_${name}`)]);
  const form = selectField(t("shape"), shapes, (shape) => choose(model, { shape }));
  const seeds = Array.from({ length: SEEDS }, (_, seed) => [String(seed), String(seed)]);
  const seed = selectField(t("seed"), seeds, (text) => choose(model, { seed: Number(text) }));
  const rises = element("p", { class: "lm-note" }, t("rises"));
  const node = element("div", { class: "lm-settings" }, peak.node, warmup.node, element("div", { class: "lm-bar" }, form.node, seed.node), rises);
  const nearest = (rate) => PEAKS.reduce((best, next, i) => (Math.abs(Math.log(next / rate)) < Math.abs(Math.log(PEAKS[best] / rate)) ? i : best), 0);
  const paint = ({ now: { run } }) => {
    const percent = Math.round(100 * run.warmup);
    peak.show(nearest(run.peak), shortNumber(run.peak));
    warmup.show(percent, t("percent", { percent }));
    form.select.value = run.shape;
    seed.select.value = run.seed;
    rises.hidden = run.shape !== "one_cycle" || percent > 0;
  };
  return { node, paint };
}

const lossHeight = (loss) => Math.log(loss / LOSSES[0]) / Math.log(LOSSES[1] / LOSSES[0]);

/** A line against the step. height: from a value to 0 (bottom) … 1 (top); far outside it is cut off. */
function curve(values, height, attributes) {
  const points = Array.from(values, (value, step) => `${step} ${(1 - Math.min(Math.max(height(value), -1), 9)).toFixed(4)}`);
  return part2d("path", { ...attributes, d: points.length ? `M${points.join("L")}` : "" });
}

const lineOf = (i) => (i ? { class: "lm-line", "data-kept": i } : { class: "lm-line lm-now" });

/** A plot over the steps: a title, curves, numbers at the left; steps below where they are wanted. */
function plot(name, title, steps = []) {
  const svg = part2d("svg", { class: "lm-curves", viewBox: `0 0 ${STEPS - 1} 1`, preserveAspectRatio: "none" });
  const left = element("div", { class: "lm-left" });
  const below = element("div", { class: "lm-below" }, ...steps.map(([step, text]) => {
    const mark = element("span", {}, text);
    mark.style.left = `${(100 * step) / (STEPS - 1)}%`;
    return mark;
  }));
  const node = element("div", { class: "lm-chart", "aria-hidden": "true" }, element("p", { class: "lm-title" }, title),
    element("div", { class: `lm-plot lm-${name}` }, svg, left), ...(steps.length ? [below] : []));
  const grid = part2d("path", { class: "lm-raster", d: "M100 0v1M200 0v1" });
  const paint = (curves, marks) => {
    svg.replaceChildren(grid, ...curves);
    left.replaceChildren(...marks.map(([height, text, side = ""]) => {
      const mark = element("span", { class: side }, text);
      mark.style.bottom = `${100 * height}%`;
      return mark;
    }));
  };
  return { node, paint };
}

/** Schedule above, losses below, on one axis. The kept runs lie behind the present one. */
function chartsView(t) {
  const rate = plot("rates", t("rate")), loss = plot("losses", t("loss", { window: WINDOW }), [[0, "0"], [100, "100"], [200, "200"], [STEPS - 1, `${t("step")} ${STEPS}`]]);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches; // then only finished runs are drawn
  const paint = ({ now, outcomes }) => {
    const highest = Math.max(...outcomes.map(({ run }) => run.peak)), own = now.run.peak;
    const rateHeight = (value) => value / (1.05 * highest), guess = lossHeight(Math.log(10));
    const marks = [0, highest, ...(own > 0.15 * highest && own < 0.85 * highest ? [own] : [])];
    const behind = outcomes.map((outcome, i) => ({ ...outcome, losses: still && !isDone(outcome) ? [] : Array.from(outcome.losses), i })).reverse();
    rate.paint(behind.map(({ rates, i }) => curve(rates, rateHeight, lineOf(i))), marks.map((value) => [rateHeight(value), shortNumber(value)]));
    loss.paint([
      part2d("path", { class: "lm-guess", d: `M0 ${1 - guess}h${STEPS}` }),
      curve(behind.at(-1).losses, lossHeight, { class: "lm-raw" }),
      ...behind.map(({ losses, i }) => curve(smoothed(losses, WINDOW), lossHeight, lineOf(i))),
    ], [...LOSS_TICKS.map((value) => [lossHeight(value), String(value)]), [guess, t("guessing"), "lm-aside"]]);
  };
  return { node: element("div", { class: "lm-charts" }, rate.node, loss.node), paint };
}

/** How far the training is, or what came of it: only the latter is spoken. */
function resultView(t) {
  const bar = element("progress", { max: STEPS, "aria-label": t("step") }), text = element("span", { class: "lm-note" });
  const busy = element("div", { class: "lm-busy" }, bar, text), sentence = element("p", { "aria-live": "polite" });
  const paint = ({ now }) => {
    const words = inWords(t, now), step = now.losses.length;
    busy.hidden = isDone(now);
    bar.value = step;
    text.textContent = t("progress", { step, steps: STEPS });
    if (sentence.textContent !== words) sentence.textContent = words; // the same words are not spoken again
  };
  return { node: element("div", { class: "lm-summary" }, busy, sentence), paint };
}

function tableView(t) {
  const body = element("tbody", {});
  const heads = ["run", "training", "validation", "accuracy"].map((name) => element("th", { scope: "col" }, t(`head_${name}`)));
  const table = element("table", { class: "lm-runs" }, element("thead", {}, element("tr", {}, ...heads)), body);
  const cells = (outcome) => {
    if (outcome.stopped) return [element("td", { colspan: 3 }, t("cell_diverged", { step: outcome.stopped }))];
    const found = isDone(outcome) ? numbers(outcome) : { training: "…", validation: "…", accuracy: "…" };
    return [found.training, found.validation, isDone(outcome) ? t("percent", { percent: found.accuracy }) : "…"].map((text) => element("td", {}, text));
  };
  const row = (outcome, i) => {
    const sample = part2d("svg", { class: "lm-sample", viewBox: "0 0 32 4", "aria-hidden": "true" }, part2d("path", { ...lineOf(i), d: "M0 2h32" }));
    const name = element("strong", {}, i ? t("kept", { number: i }) : t("now"));
    return element("tr", {}, element("th", { scope: "row" }, element("div", {}, sample, name), runInWords(t, outcome.run)), ...cells(outcome));
  };
  const paint = ({ outcomes }) => {
    table.hidden = outcomes.length === 1; // the sentence above says it all
    body.replaceChildren(...outcomes.map(row));
  };
  return { node: table, paint };
}

/** Keeping a run twice, or a sixth one, changes nothing. */
function keepView(model, t) {
  const count = element("p", { class: "lm-note", role: "status" });
  const known = () => model.get("kept").some((run) => keyOf(run) === keyOf(settings(model)));
  const keep = button(t("keep"), () => {
    const kept = model.get("kept");
    if (kept.length < MOST_KEPT && !known()) choose(model, { kept: [...kept, settings(model)] });
  });
  const forget = button(t("forget"), () => choose(model, { kept: [] }));
  const paint = ({ kept }) => {
    const values = { count: kept.length, most: MOST_KEPT }, words = known() ? t("count_with_this", values) : t("count", values);
    if (count.textContent !== words) count.textContent = words;
  };
  return { node: element("div", { class: "lm-bar" }, keep, forget, count), paint };
}

/** A few of the pictures to learn from, as the network sees them, and what is done with them. */
function aboutView(model, t) {
  const bytes = readBytes(model.get("pictures")), train = model.get("train_count"), shown = Math.min(EXAMPLES, train);
  const canvas = element("canvas", { width: shown * (SIDE + 1) - 1, height: SIDE, class: "lm-examples", "aria-hidden": "true" });
  const image = new ImageData(canvas.width, SIDE);
  for (let i = 0; i < shown * SIDE * SIDE; i += 1) {
    const picture = Math.floor(i / (SIDE * SIDE)), row = Math.floor((i / SIDE) % SIDE), column = picture * (SIDE + 1) + (i % SIDE);
    image.data.set([bytes[i], bytes[i], bytes[i], 255], 4 * (row * canvas.width + column));
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  const validation = readBytes(model.get("labels")).length - train;
  return element("div", { class: "lm-about" }, canvas, element("p", { class: "lm-note" }, t("about", { train: train.toLocaleString("en"), validation })));
}

function render({ model, el }) {
  const t = texts(model), work = trainer(model, () => paint());
  const paint = () => {
    const state = readState(model, work);
    views.forEach((view) => view.paint(state));
  };
  const controls = settingsView(model, t), charts = chartsView(t), result = resultView(t), keep = keepView(model, t), table = tableView(t);
  const views = [controls, charts, result, keep, table];
  el.append(element("div", { class: "lm lm-schedule-composer" }, controls.node, charts.node, result.node, keep.node, table.node,
    element("p", { class: "lm-note" }, t("hint")), aboutView(model, t)));
  const release = paintOnChange(model, TRAITS, paint);
  return () => { release(); work.stop(); };
}

export default { render };
