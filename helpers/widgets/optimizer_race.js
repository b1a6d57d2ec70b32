// Six update rules race down a surface f(w1, w2), seen from above. Views, then render; the arithmetic is in _surfaces.js.

/** Three digits; where that would be long, two and a power of ten. */
export function written(value) {
  if (value === 0 || (value >= 1e-3 && value < 1e5)) return String(Number(value.toPrecision(3)));
  const [digits, power] = value.toExponential(1).split("e");
  return `${digits}·10${Array.from(String(Number(power)), (letter) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(letter)]).join("")}`;
}

const TRAITS = ["surface", "lr", "momentum", "rules", "step", "start", "strings"];
const STEPS = 200, WIDTH = 2, HEIGHT = 1.5; // the map shows −WIDTH…WIDTH and −HEIGHT…HEIGHT
const LEVELS = [100, 30, 10, 3, 1, 0.3, 0.1, 0.03]; // the lowest on top
const MANTISSAS = [1, 1.1, 1.25, 1.4, 1.6, 1.8, 2, 2.2, 2.5, 2.8, 3.2, 3.6, 4, 4.5, 5, 5.6, 6.3, 7.1, 8, 9]; // nearly even in ratio
const RATES = [...[-3, -2, -1].flatMap((power) => MANTISSAS.map((digits) => Number(`${digits}e${power}`))), 1];
const DECADES = [3, -7]; // of f, top and bottom of the chart
const GLYPHS = { // in 16 × 16
  sgd: "M3 8a5 5 0 1 0 10 0a5 5 0 1 0-10 0z", momentum: "M3.5 3.5h9v9h-9z", nesterov: "M8 2.5l6 10.5h-12z",
  rmsprop: "M8 1.5l6.5 6.5l-6.5 6.5l-6.5-6.5z", adam: "M2 3.5h12l-6 10.5z", adamw: "M6 2h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
};
const RULES = Object.keys(GLYPHS);

/** Everything that the views show. f of a rule that has diverged is null from that step on. */
function readState(model) {
  const surface = model.get("surface"), lr = model.get("lr"), beta = model.get("momentum"), step = model.get("step");
  const start = model.get("start") ?? SURFACES[surface].start;
  const racers = RULES.filter((rule) => model.get("rules").includes(rule)).map((rule) => {
    const path = runRule(rule, surface, start, lr, beta, STEPS), values = path.map((w) => surfaceValue(surface, w));
    const diverged = divergedAt(values), end = diverged ?? STEPS + 1, settled = diverged === null ? settledAt(values) : null;
    return { rule, path: path.slice(0, end), values: values.slice(0, end), here: step < end ? values[step] : null, diverged, settled };
  });
  return { surface, lr, beta, step, start, racers };
}

/** The state in words: who is lowest, who has arrived, who never does, who has diverged. */
function inWords(t, { step, racers }) {
  const name = ({ rule }) => t(`rule_${rule}`), lowest = Math.min(...racers.flatMap(({ here }) => here ?? []));
  const ranked = (key) => racers.filter((racer) => racer[key] !== null).sort((a, b) => a[key] - b[key]).map((racer) => `${name(racer)} ${racer[key]}`);
  const said = {
    lowest: racers.filter(({ here }) => here === lowest).map(name), settled: ranked("settled"),
    never: racers.filter(({ settled, diverged }) => settled === null && diverged === null).map(name), diverged: ranked("diverged"),
  };
  const lists = Object.entries(said).filter(([, names]) => names.length);
  return lists.map(([key, names]) => t(`all_${key}`, { step, steps: STEPS, value: written(lowest), list: names.join(", ") })).join(" ") || t("nobody");
}

/** A part of an SVG picture. */
function shape(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const outline = (points) => `M${points.map(([x, y]) => `${+x.toFixed(4)} ${+y.toFixed(4)}`).join("L")}`;
const onMap = ([w1, w2]) => [w1, -w2]; // a picture counts downwards
const glyph = (rule) => shape("svg", { class: "lm-glyph", viewBox: "0 0 16 16" }, shape("path", { d: GLYPHS[rule] }));

/** For each rule a line in the picture, and a mark at its end that keeps its size. */
function lines(svg, node) {
  const parts = RULES.map((rule) => {
    const line = shape("path", { class: "lm-path", "data-rule": rule }), head = element("span", { class: "lm-head", "data-rule": rule }, glyph(rule));
    svg.append(line);
    node.append(head);
    return { rule, line, head };
  });
  /** points(racer) → [x, y] each; place(point) → parts of the width and height. */
  return (racers, points, last, place) => parts.forEach(({ rule, line, head }) => {
    const racer = racers.find((one) => one.rule === rule), drawn = racer ? points(racer) : [];
    line.setAttribute("d", drawn.length ? outline(drawn) : "");
    head.hidden = !racer || racer.here === null;
    if (!head.hidden) placeAt(head, ...place(drawn[last] ?? drawn.at(-1)));
  });
}

function placeAt(node, across, down) {
  node.style.left = `${100 * across}%`;
  node.style.top = `${100 * down}%`;
}

const KEYS = {
  ArrowUp: [0, 0.05], ArrowDown: [0, -0.05], ArrowLeft: [-0.05, 0], ArrowRight: [0.05, 0],
  PageUp: [0, 0.5], PageDown: [0, -0.5], Home: [-2 * WIDTH, 0], End: [2 * WIDTH, 0],
};
const onGrid = (value, end) => Number(Math.min(Math.max(value, -end), end).toFixed(2));

/** Drag, tap and arrow keys move the start. A swipe that scrolls the page leaves it where it was. */
function listen(node, model) {
  let kept; // the start before a drag; undefined while there is none
  const set = (w1, w2) => model.set("start", [onGrid(w1, WIDTH), onGrid(w2, HEIGHT)]);
  const follow = (event) => {
    const { left, top, width, height } = node.getBoundingClientRect();
    set(WIDTH * ((2 * (event.clientX - left)) / width - 1), HEIGHT * (1 - (2 * (event.clientY - top)) / height));
  };
  const release = (event) => {
    if (kept === undefined) return;
    if (event.type === "pointerup") follow(event);
    else model.set("start", kept);
    kept = undefined;
    model.save_changes();
  };
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    kept = model.get("start");
    node.setPointerCapture(event.pointerId);
  });
  node.addEventListener("pointermove", (event) => { if (kept !== undefined) follow(event); });
  for (const type of ["pointerup", "pointercancel"]) node.addEventListener(type, release);
  node.addEventListener("keydown", (event) => {
    if (!KEYS[event.key]) return;
    event.preventDefault(); // the page would scroll
    const [w1, w2] = readState(model).start, [across, up] = KEYS[event.key];
    set(w1 + across, w2 + up);
    model.save_changes();
  });
}

/** The surface from above: contour lines, the ring around each minimum, the paths up to the chosen step. */
function mapView(model, t) {
  const contours = shape("g", { class: "lm-contours" });
  const svg = shape("svg", { class: "lm-map", viewBox: `${-WIDTH} ${-HEIGHT} ${2 * WIDTH} ${2 * HEIGHT}`, "aria-hidden": "true" }, contours);
  const handle = element("span", { class: "lm-start" }), ticks = element("div", { class: "lm-ticks", "aria-hidden": "true" });
  const slider = { role: "slider", tabindex: 0, "aria-label": t("map"), "aria-valuemin": -WIDTH, "aria-valuemax": WIDTH };
  const map = element("div", { class: "lm-picture", ...slider }, svg, ticks, handle);
  const note = element("p", { class: "lm-note" }), reset = button(t("reset"), () => choose(model, { start: null }));
  const node = element("div", { class: "lm-figure" }, map, element("div", { class: "lm-bar" }, note, reset));
  const place = ([x, y]) => [(x + WIDTH) / (2 * WIDTH), (y + HEIGHT) / (2 * HEIGHT)], draw = lines(svg, map);
  for (const number of [-1, 0, 1]) {
    for (const [axis, point] of [["w1", [number, HEIGHT]], ["w2", [WIDTH, -number]]]) {
      const tick = element("span", { "data-axis": axis }, `${number ? "" : `${axis} = `}${shortNumber(number)}`);
      placeAt(tick, ...place(point));
      ticks.append(tick);
    }
  }
  listen(map, model);
  const paint = ({ surface, start, step, racers }) => {
    if (contours.dataset.surface !== surface) {
      const line = (level) => shape("path", { "data-level": level, d: contourLines(surface, level).map((loop) => outline(loop.map(onMap))).join("") });
      contours.replaceChildren(...[...LEVELS, FINISH].map(line));
      contours.dataset.surface = surface;
    }
    draw(racers, ({ path }) => path.slice(0, step + 1).map(onMap), step, place);
    placeAt(handle, ...place(onMap(start)));
    const [w1, w2] = start.map((weight) => formatNumber(weight, 2));
    const here = { w1, w2, value: written(surfaceValue(surface, start)) };
    map.setAttribute("aria-valuenow", start[0]);
    map.setAttribute("aria-valuetext", t("position", here));
    note.textContent = t("start", here);
  };
  return { node, paint };
}

/** f of every rule at every step; a line where the race stands, and one at f = 0.001. */
function chartView(t) {
  const [most, least] = DECADES, height = (f) => most - Math.log10(Math.min(Math.max(f, 1e-9), 1e9)); // finite, beyond the frame
  const svg = shape("svg", { class: "lm-curves", viewBox: `0 0 ${STEPS} ${most - least}`, preserveAspectRatio: "none" });
  const cursor = shape("path", { class: "lm-cursor" }), plot = element("div", { class: "lm-plot" }, svg);
  svg.append(shape("path", { class: "lm-finish", d: `M0 ${height(FINISH)}H${STEPS}` }), cursor);
  const place = ([x, y]) => [x / STEPS, y / (most - least)], draw = lines(svg, plot);
  const marks = Object.entries({ 100: 100, 1: 1, 0.001: FINISH, "10⁻⁶": 1e-6 }).map(([text, f]) => ["f", text, [0, height(f)]]);
  for (const [axis, text, point] of [...marks, ...[0, 50, 100, 150, 200].map((step) => ["step", String(step), [step, most - least]])]) {
    const tick = element("span", { class: "lm-tick", "data-axis": axis }, text);
    placeAt(tick, ...place(point));
    plot.append(tick);
  }
  const node = element("div", { class: "lm-chart", "aria-hidden": "true" }, element("p", { class: "lm-title" }, t("chart")), plot);
  const paint = ({ step, racers }) => {
    cursor.setAttribute("d", `M${step} 0V${most - least}`);
    draw(racers, ({ values }) => values.map((f, i) => [i, height(f)]), step, ([x, y]) => place([x, Math.min(Math.max(y, 0), most - least)]));
  };
  return { node, paint };
}

/** One row of the table for each rule: its line and mark, f at the step, its arrival. The box beside its name lets it take part. */
function tableView(model, t) {
  const rows = RULES.map((rule) => {
    const box = element("input", { type: "checkbox", class: "lm-box" }), value = element("td"), settled = element("td");
    box.addEventListener("change", () => choose(model, { rules: RULES.filter((name) => (name === rule ? box.checked : model.get("rules").includes(name))) }));
    const drawn = [shape("path", { class: "lm-path", d: "M0 8H40" }), shape("path", { d: GLYPHS[rule], transform: "translate(12 0)" })];
    const sample = shape("svg", { class: "lm-sample", viewBox: "0 0 40 16", "aria-hidden": "true" }, ...drawn);
    const name = element("label", { class: "lm-rule" }, box, sample, t(`rule_${rule}`));
    return { rule, box, value, settled, node: element("tr", { "data-rule": rule }, element("th", { scope: "row" }, name), value, settled) };
  });
  const arrival = ({ settled, diverged }) => {
    if (diverged !== null) return t("diverged", { step: diverged });
    return settled === null ? t("never", { steps: STEPS }) : t("from", { step: settled });
  };
  const head = (text) => element("th", { scope: "col" }, text), value = head("");
  const heads = element("thead", {}, element("tr", {}, head(t("head_rule")), value, head(t("head_settled"))));
  const node = element("table", { class: "lm-rules" }, heads, element("tbody", {}, ...rows.map((row) => row.node)));
  const paint = ({ step, racers }) => {
    value.textContent = t("head_value", { step });
    rows.forEach((row) => {
      const racer = racers.find(({ rule }) => rule === row.rule);
      row.box.checked = Boolean(racer);
      row.node.classList.toggle("lm-absent", !racer);
      row.value.textContent = (racer?.here ?? null) === null ? t("absent") : written(racer.here);
      row.settled.textContent = racer ? arrival(racer) : t("absent");
    });
  };
  return { node, paint };
}

/** A range whose value stands beside its name. */
function setting(model, t, trait, values, note = "") {
  const value = element("strong", { class: "lm-value", "aria-hidden": "true" });
  const label = element("span", {}, t(`label_${trait}`), " ", value), ends = { min: 0, max: values.length - 1 };
  const field = rangeField(label, ends, (i) => model.set(trait, values[i]), () => model.save_changes());
  const paint = (now, text = shortNumber(now)) => {
    const distance = values.map((other) => Math.abs(other - now)); // a value from Python may lie between two
    field.input.value = distance.indexOf(Math.min(...distance));
    field.input.setAttribute("aria-valuetext", value.textContent = text);
  };
  return { node: element("div", {}, field.node, element("p", { class: "lm-note" }, note)), paint };
}

function settingsView(model, t) {
  const surfaces = Object.keys(SURFACES).map((name) => [name, t(`surface_${name}`)]);
  const surface = selectField(t("surface"), surfaces, (name) => choose(model, { surface: name, start: null })), formula = element("p", { class: "lm-formula" });
  const lr = setting(model, t, "lr", RATES), momentum = setting(model, t, "momentum", Array.from({ length: 100 }, (_, i) => i / 100), t("momentum_note"));
  const paint = (state) => {
    surface.select.value = state.surface;
    formula.textContent = t(`formula_${state.surface}`);
    lr.paint(state.lr, written(state.lr));
    momentum.paint(state.beta);
  };
  return { node: element("div", { class: "lm-settings" }, element("div", { class: "lm-bar" }, surface.node, formula), lr.node, momentum.node), paint };
}

/** The step, and a button that runs through them; without motion, in a few larger strides. */
function stepView(model, t, onStop) {
  let timer = null;
  const stop = () => {
    if (timer === null) return;
    clearInterval(timer);
    timer = null;
    play.textContent = t("play");
    onStop();
  };
  const settle = () => { stop(); model.save_changes(); };
  const advance = (stride) => {
    model.set("step", Math.min(model.get("step") + stride, STEPS));
    if (model.get("step") === STEPS) settle();
  };
  const play = button(t("play"), () => {
    if (timer !== null) return settle();
    if (model.get("step") === STEPS) model.set("step", 0);
    const [stride, pause] = matchMedia("(prefers-reduced-motion: reduce)").matches ? [20, 1000] : [1, 50];
    timer = setInterval(advance, pause, stride);
    play.textContent = t("pause");
  });
  const value = element("strong", { class: "lm-value", "aria-hidden": "true" });
  const label = element("span", {}, t("step"), " ", value), move = (step) => { stop(); model.set("step", step); };
  const range = rangeField(label, { min: 0, max: STEPS }, move, () => model.save_changes());
  const paint = ({ step }) => {
    range.input.value = value.textContent = step;
    range.input.setAttribute("aria-valuetext", t("step_value", { step, steps: STEPS }));
  };
  return { play, range: range.node, paint, stop, playing: () => timer !== null };
}

function render({ model, el }) {
  const t = texts(model), words = element("p", { class: "lm-summary", role: "status" });
  let state = null;
  const speak = () => {
    words.setAttribute("aria-live", steps.playing() ? "off" : "polite");
    const text = inWords(t, state);
    if (words.textContent !== text) words.textContent = text; // the same words are not spoken again
  };
  const steps = stepView(model, t, () => { words.textContent = ""; speak(); }); // what passed in silence is spoken at the end
  const settings = settingsView(model, t), map = mapView(model, t), chart = chartView(t), table = tableView(model, t);
  el.append(element("div", { class: "lm lm-optimizer-race" }, settings.node,
    element("div", { class: "lm-pair" }, map.node, table.node),
    element("div", { class: "lm-time" }, steps.play, steps.range, chart.node), words, element("p", { class: "lm-note" }, t("hint"))));
  const release = paintOnChange(model, TRAITS, () => {
    state = readState(model);
    [settings, steps, map, table, chart].forEach((view) => view.paint(state));
    speak();
  });
  return () => { release(); steps.stop(); };
}

export default { render };
