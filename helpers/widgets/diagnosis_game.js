// Training runs without a name: the reader finds from its curves what was wrong with each. Views, then render; the arithmetic is in _diagnosis.js.

const TRAITS = ["seed", "order", "place", "choice", "compare", "answers", "measured", "chance", "healthy", "strings"]; // the runs stay what they are
const ACCURACY = linearAxis(0, 1);
const CURVES = { losses: { training: "train_loss", validation: "validation_loss" }, accuracy: { validation: "validation_accuracy" } };

/** Everything that the views show; run is undefined beside the result, which stands at place runs.length. */
function readState(model) {
  const given = Object.fromEntries(["runs", ...TRAITS].map((name) => [name, model.get(name)])), { runs, answers } = given;
  const order = given.order ?? shuffledOrder(given.seed, runs.length), number = order[given.place];
  const outcomes = runs.map((_, i) => outcome(i, answers[i])), next = nextOpen(order, answers, given.place);
  const healthy = runs.find(({ cause }) => cause === given.healthy);
  return { ...given, order, number, run: runs[number], healthy, outcomes, next, solved: number !== undefined && outcomes[number] !== "open" };
}

/** A part of an SVG picture. */
function shape(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const outline = (lists) => lists.map((points) => `M${points.map(([x, y]) => `${+x.toFixed(4)} ${+y.toFixed(4)}`).join("L")}${points.length > 1 ? "" : "h0"}`).join("");
const unseen = (text) => element("span", { class: "lm-unseen" }, text);
const submit = (text) => element("button", { type: "submit", class: "lm-button lm-strong" }, text);

/** The axes of a run's losses: the healthy run has its place on them, whether it is shown or not. */
function lossAxes(run, healthy = run) {
  const both = [run, healthy], ends = both.map(({ steps }) => [steps[0], steps.at(-1)]);
  const x = stepAxis(Math.min(...ends.map(([first]) => first)), Math.max(...ends.map(([, last]) => last)));
  return [x, lossAxis(both.flatMap((one) => [...one.train_loss, ...one.validation_loss]))];
}

/** A curve in numbers, for those who do not see it. */
function inNumbers(t, { steps }, values) {
  const at = (i) => t("at_step", { step: steps[i], value: values[i] === null ? t("no_number") : written(values[i]) });
  return spread(steps.length).map(at).join(", ");
}

/** What the picture of the losses leaves out: values beyond the axis, and steps without a number. */
function lossNotes(t, run, { low, high }) {
  const beyond = [...run.train_loss, ...run.validation_loss].filter((loss) => loss !== null && (loss < low || loss > high));
  const notes = beyond.length ? [t("beyond", { least: written(Math.min(...beyond)), most: written(Math.max(...beyond)) })] : [];
  for (const [name, series] of [[t("training"), run.train_loss], [t("validation"), run.validation_loss]]) {
    const [from, to] = gap(run.steps, series) ?? [];
    if (from !== undefined) notes.push(`${name}: ${to === null ? t("gap_open", { from }) : t("gap_closed", { from, to })}`);
  }
  return notes.join(" ");
}

/** A line as it is drawn in the charts, with its name. */
function legendEntry(line, text, faint = false) {
  const sample = shape("svg", { class: "lm-sample", viewBox: "0 0 28 10", "aria-hidden": "true" }, shape("path", { class: `lm-line${faint ? " lm-faint" : ""}`, "data-line": line, d: "M0 5H28" }));
  return element("span", { class: "lm-entry lm-note" }, sample, text);
}

/** A chart with a line for each curve, and a fainter one for the healthy run; numbers stand beside it. */
function chartView(t, curves, title, legend) {
  const make = (faint) => Object.keys(curves).map((line) => [line, shape("path", { class: `lm-line${faint ? " lm-faint" : ""}`, "data-line": line })]);
  const own = make(false), faint = make(true), grid = shape("path", { class: "lm-lattice" }), rule = shape("path", { class: "lm-line", "data-line": "chance" });
  const svg = shape("svg", { class: "lm-curves", viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, grid, rule, ...[...faint, ...own].map(([, path]) => path));
  const ticks = element("div", { "aria-hidden": "true" }), plot = element("div", { class: "lm-plot", role: "img" }, svg, ticks), kind = element("span", { class: "lm-note" });
  const note = element("p", { class: "lm-note lm-warning" });
  const heading = element("p", { class: "lm-title lm-heading" }, title, kind);
  const draw = (paths, run, axes) => paths.forEach(([line, path]) => path.setAttribute("d", run ? outline(pieces(run.steps, run[curves[line]], ...axes)) : ""));
  const tick = (axis, text, style) => element("span", { class: "lm-tick", "data-axis": axis, style }, text);
  const paint = ({ run, healthy, compare, axes: [x, y], about, label, notes = "", level = null }) => {
    draw(own, run, [x, y]);
    draw(faint, compare ? healthy : null, [x, y]);
    grid.setAttribute("d", y.ticks.map((value) => `M0 ${1 - toUnit(value, y)}H1`).join(""));
    rule.setAttribute("d", level === null ? "" : `M0 ${1 - toUnit(level, y)}H1`);
    const numbered = y.ticks.filter((_, i) => y.ticks.length < 9 || i % 2 === 0); // as many as there is room for
    ticks.replaceChildren(
      ...numbered.map((value) => tick("y", written(value), `top: ${100 * (1 - toUnit(value, y))}%`)),
      tick("name", t("step"), ""), ...x.ticks.map((value) => tick("x", String(value), `left: ${100 * toUnit(value, x)}%`)));
    plot.setAttribute("aria-label", label);
    kind.textContent = about;
    note.textContent = notes;
  };
  return { node: element("div", { class: "lm-chart" }, heading, plot, element("div", { class: "lm-legend" }, ...legend), note), paint };
}

/** Losses and accuracy of the run, and the box that lays a healthy run behind them. */
function curvesView(model, t) {
  const level = element("span"), chance = legendEntry("chance", level);
  const losses = chartView(t, CURVES.losses, t("losses"), [legendEntry("training", t("training")), legendEntry("validation", t("validation"))]);
  const accuracy = chartView(t, CURVES.accuracy, t("accuracy"), [legendEntry("validation", t("validation")), chance]);
  const box = element("input", { type: "checkbox", class: "lm-box" });
  box.addEventListener("change", () => choose(model, { compare: box.checked }));
  const compare = element("label", { class: "lm-compare" }, box, legendEntry("training", t("compare"), true));
  const node = element("div", { class: "lm-charts" }, losses.node, accuracy.node, compare);
  const paint = ({ run, ...state }) => {
    compare.hidden = !state.healthy;
    box.checked = state.compare;
    level.textContent = t("chance", { level: written(state.chance) });
    if (!run) return;
    const [x, y] = lossAxes(run, state.healthy), all = { run, ...state };
    const [training, validation, right] = Object.values({ ...CURVES.losses, right: CURVES.accuracy.validation }).map((key) => inNumbers(t, run, run[key]));
    losses.paint({ ...all, axes: [x, y], about: y.kind === "log" ? t("axis_log") : t("axis_linear"), label: t("losses_read", { training, validation }), notes: lossNotes(t, run, y) });
    accuracy.paint({ ...all, axes: [x, ACCURACY], about: t("accuracy_axis"), label: t("accuracy_read", { validation: right }), level: state.chance });
  };
  return { node, paint };
}

/** One button for each run, with what became of it. */
function runsView(model, t, say) {
  const count = model.get("runs").length, rows = Math.ceil(count / 7); // on a phone, rows of one length
  const places = model.get("runs").map((_, place) => {
    const state = unseen(""), node = button("", () => {
      choose(model, { place, choice: null });
      say(t("title", { number: place + 1, count }));
    });
    node.append(element("span", { "aria-hidden": "true" }, String(place + 1)), state);
    return { node, state };
  });
  const node = element("div", { class: "lm-runs", role: "group", "aria-label": t("runs"), style: `--lm-columns: ${Math.ceil(count / rows)}` }, ...places.map((place) => place.node));
  const paint = (state) => places.forEach((chip, place) => {
    const run = state.order[place];
    chip.node.dataset.outcome = state.outcomes[run];
    if (place === state.place) chip.node.setAttribute("aria-current", "true");
    else chip.node.removeAttribute("aria-current");
    chip.state.textContent = t("chip", { number: place + 1, outcome: outcomeText(t, state, run) });
  });
  return { node, paint };
}

const outcomeText = (t, { outcomes, answers }, run) => t(`outcome_${outcomes[run]}`, { tries: answers[run].length });

/** The instruments: a button each, and the value once it has been measured. */
function instrumentsView(model, t, say) {
  const names = Object.keys(model.get("runs")[0].instruments), used = element("span", { class: "lm-note" });
  const rows = names.map((name, i) => {
    const text = element("span"), value = element("strong", { class: "lm-value" }), measure = button("", () => {
      const { number, measured, run } = readState(model);
      if (!measured[number].includes(i)) choose(model, { measured: measured.map((list, j) => (j === number ? [...list, i] : list)) });
      say(t("measured", { name, value: run.instruments[name] }));
    });
    measure.append(text, value);
    return { name, text, value, measure };
  });
  const heading = element("p", { class: "lm-title lm-heading" }, t("instruments"), used);
  const node = element("div", { class: "lm-instruments" }, heading, ...rows.map(({ measure }) => measure));
  const paint = ({ run, number, measured }) => {
    node.hidden = !names.length;
    if (!run) return;
    used.textContent = t("used", { count: measured[number].length, all: names.length });
    rows.forEach(({ name, text, value, measure }, i) => {
      const known = measured[number].includes(i);
      measure.dataset.known = known;
      text.textContent = known ? name : t("measure", { name });
      value.textContent = known ? run.instruments[name] : "";
    });
  };
  return { node, paint };
}

/** What the last answer earned: a hint, or the explanation; before it, the question. */
function feedbackView(t) {
  const lead = element("strong"), rest = element("span"), node = element("p", { class: "lm-feedback", tabindex: -1 }, lead, " ", rest);
  const words = ({ runs, run, number, outcomes, answers, solved }) => {
    const last = answers[number].at(-1);
    if (solved) return [t(`right_${outcomes[number]}`, { cause: run.cause }), run.explanation];
    if (last === undefined) return ["", t("question")];
    return [t("wrong", { cause: runs[last].cause }), run.tell_apart[runs[last].cause] ?? t("hint")];
  };
  const paint = (state) => {
    if (!state.run) return;
    const { answers, number, solved, outcomes } = state;
    [lead.textContent, rest.textContent] = words(state);
    node.dataset.state = solved ? outcomes[number] : answers[number].length ? "wrong" : "asked";
  };
  return { node, paint };
}

/** The causes, one of them to be picked; they stand in the same order for every run. */
function causesView(model, t) {
  const names = model.get("runs").map(({ cause }) => cause);
  const rows = alphabetical(names).map((cause) => {
    const radio = element("input", { type: "radio", class: "lm-box", name: "cause" }), ruled = unseen("");
    radio.addEventListener("change", () => choose(model, { choice: cause }));
    return { cause, radio, ruled, node: element("label", { class: "lm-cause" }, radio, element("span", {}, names[cause], ruled)) };
  });
  const node = element("div", { class: "lm-causes", role: "radiogroup", "aria-label": t("causes") }, ...rows.map((row) => row.node));
  const paint = ({ run, number, answers, choice, solved }) => rows.forEach(({ cause, radio, ruled, node: row }) => {
    if (!run) return;
    const wrong = cause !== number && answers[number].includes(cause), right = solved && cause === number;
    row.dataset.verdict = right ? "right" : wrong ? "wrong" : "none";
    ruled.textContent = right ? ` ${t("is_right")}` : wrong ? ` ${t("is_wrong")}` : "";
    radio.disabled = solved || wrong;
    radio.checked = right || (!solved && cause === choice);
  });
  return { node, paint };
}

/** Below the causes, two buttons: to answer and to give up; once the run is solved, to go on. */
function answerView(model, t, go, look, causes) {
  const message = element("p", { class: "lm-note lm-message", role: "status" }), first = submit(t("check")), second = button("", () => act(1));
  const form = element("form", { class: "lm-answer" }, causes, element("div", { class: "lm-bar" }, first, second), message);
  const record = (pick) => {
    const { number, answers } = readState(model);
    choose(model, { choice: null, answers: answers.map((list, i) => (i === number ? [...list, pick] : list)) });
    look();
  };
  const act = (which) => {
    const { solved, next, order, choice } = readState(model);
    if (solved && which === 1 && next === order.length) return again(model, go);
    if (solved) return go({ place: which === 0 ? next : order.length, choice: null });
    if (which === 1) return record(null);
    return choice === null ? message.replaceChildren(t("choose")) : record(choice);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault(); // the page would be left
    act(0);
  });
  const paint = ({ solved, next, order }) => {
    const over = next === order.length;
    first.textContent = solved ? (over ? t("see_result") : t("next")) : t("check");
    second.textContent = solved ? (over ? t("again") : t("result_so_far")) : t("show");
    message.textContent = "";
  };
  return { node: form, paint };
}

/** All runs as new, in another order. */
function again(model, go) {
  const { seed, order } = readState(model), empty = order.map(() => []);
  go({ seed: nextSeed(seed, order), order: null, answers: empty, measured: empty, place: 0, choice: null });
}

/** The end, and the state on the way there: the counts, and every run with its losses and, where it is known, its cause. */
function resultView(model, t, go) {
  const best = element("strong"), rest = element("span"), counts = element("p", { class: "lm-counts" }, best, " ", rest), on = button("", () => {
    const { next, order } = readState(model);
    if (next === order.length) again(model, go);
    else go({ place: next });
  });
  on.classList.add("lm-strong");
  const rows = model.get("runs").map(() => {
    const paths = Object.keys(CURVES.losses).map((line) => shape("path", { class: "lm-line", "data-line": line }));
    const svg = shape("svg", { class: "lm-curves", viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, ...paths);
    const name = element("strong"), how = element("span", { class: "lm-note" });
    return { paths, name, how, node: element("li", {}, element("span", { class: "lm-thumb" }, svg), element("span", {}, name, how)) };
  });
  const list = element("ol", { class: "lm-gallery" }, ...rows.map(({ node }) => node));
  const node = element("div", { class: "lm-result" }, counts, list, element("div", { class: "lm-bar" }, on));
  const paint = (state) => {
    if (state.run) return; // out of sight
    const { order, runs, answers, measured, healthy, outcomes, next } = state;
    const found = { ...score(answers, measured), all: runs.length };
    [best.textContent, rest.textContent] = [t("counts_first", found), t("counts_rest", found)];
    on.textContent = next === order.length ? t("again") : t("next");
    rows.forEach(({ paths, name, how }, place) => {
      const run = runs[order[place]], axes = lossAxes(run, healthy), open = outcomes[order[place]] === "open";
      Object.values(CURVES.losses).forEach((key, i) => paths[i].setAttribute("d", outline(pieces(run.steps, run[key], ...axes))));
      name.textContent = t("row", { number: place + 1, cause: open ? t("unknown") : run.cause });
      how.textContent = t("row_note", { outcome: outcomeText(t, state, order[place]), count: measured[order[place]].length });
    });
  };
  return { node, paint };
}

function render({ model, el }) {
  const t = texts(model), said = element("p", { class: "lm-unseen", role: "status", "aria-live": "polite" });
  const title = element("p", { class: "lm-title lm-name", tabindex: -1 });
  const say = (text) => { said.textContent = text; };
  const reach = (node) => queueMicrotask(() => node.focus()); // when it has been painted
  const go = (traits) => { choose(model, traits); reach(title); };
  const feedback = feedbackView(t), runs = runsView(model, t, say), curves = curvesView(model, t), instruments = instrumentsView(model, t, say);
  const causes = causesView(model, t), answer = answerView(model, t, go, () => reach(feedback.node), causes.node), result = resultView(model, t, go);
  const desk = element("div", { class: "lm-desk" }, instruments.node, element("div", { class: "lm-diagnosis" }, feedback.node, answer.node));
  const views = [runs, curves, instruments, feedback, causes, answer, result];
  el.append(element("div", { class: "lm lm-diagnosis-game" },
    element("div", { class: "lm-head" }, runs.node, title), curves.node, desk, result.node, said));
  return paintOnChange(model, TRAITS, () => {
    const state = readState(model), { place, run, solved, runs: { length: count } } = state;
    title.textContent = run ? t("title", { number: place + 1, count }) : t("result");
    for (const node of [curves.node, desk]) node.hidden = !run;
    result.node.hidden = Boolean(run);
    desk.dataset.solved = solved;
    views.forEach((view) => view.paint(state));
  });
}

export default { render };
