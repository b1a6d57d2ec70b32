// Which input positions one unit depends on, and along how many paths. Arithmetic, then views, then render.
// A layer is [kernel, stride, dilation]; layers[0] stands next to the input. Nothing is padded.

export const PRESETS = {
  three: [[3, 1, 1], [3, 1, 1], [3, 1, 1]],
  dilated: [[3, 1, 1], [3, 1, 2], [3, 1, 4]],
  strided: [[3, 2, 1], [3, 2, 1], [3, 2, 1]],
  article: [[3, 1, 1], [2, 2, 1]],
  seven: [[7, 1, 1]],
};
const MOST_CELLS = 64; // input positions that are drawn one by one
const TOP_ROWS = [[5, 24], [3, 48]]; // units in the top row, while the input then has at most so many positions

/** For each layer: how far its units lie apart in the input, and how many positions one unit spans. */
export function receptiveFields(layers) {
  let jump = 1, size = 1;
  return layers.map(([kernel, stride, dilation]) => {
    size += (kernel - 1) * dilation * jump;
    jump *= stride;
    return { jump, size };
  });
}

/** Length of the input from which exactly so many units come out. */
export function inputSize(layers, units) {
  return layers.reduceRight((out, [kernel, stride, dilation]) => (out - 1) * stride + dilation * (kernel - 1) + 1, units);
}

/** First and last input position that a unit of the top row depends on. */
export function inputRange(layers, unit) {
  const { jump, size } = receptiveFields(layers).at(-1) ?? { jump: 1, size: 1 };
  return [unit * jump, unit * jump + size - 1];
}

/** Number of paths from one unit to each position that it spans: as many numbers as its receptive field is wide. */
export function pathCounts(layers) {
  return layers.reduceRight((above, [kernel, stride, dilation]) => {
    const counts = new Array(inputSize([[kernel, stride, dilation]], above.length)).fill(0);
    above.forEach((paths, unit) => {
      for (let tap = 0; tap < kernel; tap += 1) counts[unit * stride + tap * dilation] += paths;
    });
    return counts;
  }, [1]);
}

/** Units in the top row: fewer where the input would become too long to be drawn. */
export function topUnits(layers) {
  return TOP_ROWS.find(([units, most]) => inputSize(layers, units) <= most)?.[0] ?? 1;
}

const TRAITS = ["layers", "unit", "layer", "strings"];
const LIMITS = { kernel: 7, stride: 3, dilation: 4 }; // each from 1 on, as in receptive_field.py
const MOST_LAYERS = 5;
const ROW = 3.25, CELL = 1.25, BRACKET = 0.375; // rem: from row to row, height of a cell, below the input row
const LISTED = 12; // positions named in a sentence
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const presetOf = (layers) => Object.keys(PRESETS).find((name) => same(PRESETS[name], layers)) ?? "own";
const indices = (values, wanted) => values.flatMap((value, i) => (wanted(value) ? [i] : []));
const percent = (part) => `${100 * part}%`;

/** Everything that the views show. Row 0 is the input; unit null is the middle one, layer null the top one. */
function readState(model) {
  const layers = model.get("layers"), top = layers.length, units = topUnits(layers);
  const fields = [{ jump: 1, size: 1 }, ...receptiveFields(layers)];
  const sizes = fields.map((_, row) => inputSize(layers.slice(row), units)), inputs = sizes[0];
  const layer = Math.min(model.get("layer") ?? top, top);
  const unit = clamp(model.get("unit") ?? Math.floor((sizes[layer] - 1) / 2), sizes[layer] - 1);
  const rows = fields.slice(0, layer + 1).map((_, row) => { // what the chosen unit uses of each row
    const between = layers.slice(row, layer), counts = pathCounts(between);
    return { first: inputRange(between, unit)[0], counts, most: Math.max(...counts) };
  });
  const centre = (row, place) => place * fields[row].jump + fields[row].size / 2; // in input cells
  const nearest = (row, x) => clamp(Math.round((x - centre(row, 0)) / fields[row].jump), sizes[row] - 1);
  return { layers, top, fields, sizes, inputs, layer, unit, rows, centre, nearest, wide: inputs > MOST_CELLS };
}

/** What the sentence says, as numbers. */
function summary({ rows, inputs, layer, unit }) {
  const { first, counts, most } = rows[0], span = counts.length, at = (i) => first + i;
  const missed = indices(counts, (paths) => paths === 0).map(at), peaks = indices(counts, (paths) => paths === most).map(at);
  const paths = counts.reduce((sum, next) => sum + next);
  return { layer, unit, inputs, first, last: at(span - 1), span, used: span - missed.length, missed, peaks, most, paths };
}

function inWords(t, state) {
  const facts = summary(state), { span, missed, peaks, most } = facts;
  if (span === 1) return t("sees_one", facts);
  const listed = missed.slice(0, LISTED).join(", "), more = missed.length - LISTED;
  const named = more > 0 ? t("and_more", { listed, more }) : listed;
  const seen = missed.length ? t("sees_with_gaps", { ...facts, missed: named }) : t("sees_all", facts);
  if (most === 1) return `${seen} ${t("paths_equal")}`;
  const where = t(`peak_${peaks.length > 2 ? "many" : peaks.length}`, { first: peaks[0], second: peaks[1], count: peaks.length });
  return `${seen} ${t("paths_peak", { ...facts, where })}`;
}

/** A part of an SVG picture. */
function shape(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

const rowTop = (state, row) => (state.top - row) * ROW;
const cell = (state, row, place) => ({ x: state.centre(row, place) - 0.44, y: rowTop(state, row), width: 0.88, height: CELL });
const strip = (state, row, from, to) => ({ ...cell(state, row, from), width: state.centre(row, to) - state.centre(row, from) + 0.88 });

/** Lines from every used unit to the units below that it adds up. */
function links(state) {
  const lines = state.rows.slice(1).flatMap(({ first, counts }, i) => {
    const row = i + 1, [kernel, stride, dilation] = state.layers[i];
    return indices(counts, Boolean).flatMap((place) => Array.from({ length: kernel }, (_, tap) => {
      const from = state.centre(row, first + place), to = state.centre(i, (first + place) * stride + tap * dilation);
      return `M${from} ${rowTop(state, row) + CELL}L${to} ${rowTop(state, i)}`;
    }));
  });
  return [shape("path", { class: "lm-links", d: lines.join("") })];
}

/** Every row cell by cell; a used one is the darker, the more paths lead to it. */
function cells(state) {
  const all = state.sizes.flatMap((size, row) => Array.from({ length: size }, (_, place) => shape("rect", { ...cell(state, row, place), class: "lm-unit" })));
  const used = state.rows.flatMap(({ first, counts, most }, row) => indices(counts, Boolean).map((i) =>
    shape("rect", { ...cell(state, row, first + i), class: "lm-used", "data-row": row, "fill-opacity": 0.15 + 0.85 * counts[i] / most })));
  return [...all, ...used];
}

/** Where cells would be hair-thin: rows as strips, and the fan as an area. */
function strips(state) {
  const ends = state.rows.map(({ first, counts }, row) => strip(state, row, first, first + counts.length - 1));
  const side = (x) => ends.flatMap((end) => [`${x(end)} ${end.y + CELL}`, `${x(end)} ${end.y}`]);
  const outline = [...side((end) => end.x), ...side((end) => end.x + end.width).reverse()];
  return [
    shape("path", { class: "lm-funnel", d: `M${outline.join("L")}z` }),
    ...state.sizes.map((size, row) => shape("rect", { ...strip(state, row, 0, size - 1), class: "lm-unit" })),
    ...ends.map((end, row) => shape("rect", { ...end, class: "lm-used", "data-row": row, "fill-opacity": 0.5 })),
  ];
}

/** The rows of units as one picture: pointer and arrow keys choose a unit in it. */
function fanView(model, t, current) {
  const svg = shape("svg", { class: "lm-fan", preserveAspectRatio: "none", "aria-hidden": "true" });
  const node = element("div", { class: "lm-picture", role: "slider", tabindex: 0, "aria-label": t("unit"), "aria-valuemin": 0 }, svg);
  listen(node, model, current);
  const paint = (state) => {
    const { inputs, layer, unit, sizes, wide, rows } = state, height = state.top * ROW + CELL + BRACKET;
    svg.setAttribute("viewBox", `0 0 ${inputs} ${height}`);
    svg.style.height = `${height}rem`;
    const [first, span] = [rows[0].first, rows[0].counts.length];
    svg.replaceChildren(
      ...(wide ? strips(state) : [...links(state), ...cells(state)]),
      shape("rect", { ...cell(state, layer, unit), class: "lm-chosen" }),
      shape("path", { class: "lm-bracket", d: `M${first} ${height - 0.125}h${span}` }));
    const { last } = summary(state), valuetext = t("position", { layer, unit, first, last });
    for (const [key, value] of Object.entries({ valuemax: sizes[layer] - 1, valuenow: unit, valuetext })) node.setAttribute(`aria-${key}`, value);
  };
  return { node, paint };
}

/** Layer and unit after a key; a unit above or below is the one nearest to the same place of the input. */
function afterKey(key, { layer, unit, top: highest, sizes, centre, nearest }) {
  const across = { ArrowLeft: unit - 1, ArrowRight: unit + 1, Home: 0, End: sizes[layer] - 1 };
  if (key in across) return [layer, clamp(across[key], sizes[layer] - 1)];
  const to = { ArrowUp: Math.min(layer + 1, highest), ArrowDown: Math.max(layer - 1, 1) }[key];
  return to === undefined ? null : to === layer ? [layer, unit] : [to, nearest(to, centre(layer, unit))];
}

/** Hovering looks at a unit, a click, tap or key keeps it. */
function listen(node, model, current) {
  let kept = null;
  const place = () => [model.get("layer"), model.get("unit")];
  const set = (layer, unit) => { model.set("layer", layer); model.set("unit", unit); };
  const move = (layer, unit) => set(layer === current().top ? null : layer, unit); // null stays the top row when layers are added
  const keep = () => { kept = place(); model.save_changes(); };
  const follow = (event) => {
    const box = node.getBoundingClientRect(), { top: highest, inputs, nearest } = current();
    const height = highest * ROW + CELL + BRACKET, down = ((event.clientY - box.top) / box.height) * height;
    const layer = Math.max(1, highest - clamp(Math.round((down - CELL / 2) / ROW), highest));
    move(layer, nearest(layer, ((event.clientX - box.left) / box.width) * inputs));
  };
  node.addEventListener("pointerenter", () => { kept = place(); });
  node.addEventListener("pointermove", follow);
  node.addEventListener("pointerdown", (event) => node.setPointerCapture(event.pointerId));
  node.addEventListener("pointerup", (event) => { follow(event); keep(); });
  node.addEventListener("pointerleave", () => set(...kept));
  node.addEventListener("keydown", (event) => {
    const next = afterKey(event.key, current());
    if (!next) return;
    event.preventDefault(); // the page would scroll
    move(...next);
    keep();
  });
}

/** Numbers of positions below the bars, as many as fit on a phone. */
function ticks(inputs) {
  const width = 7 * String(inputs - 1).length + 8; // pixels
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((next) => (inputs / next) * width <= 270);
  return Array.from({ length: Math.ceil(inputs / step) }, (_, i) => i * step);
}

/** One bar per input position, as high as paths lead to it. */
function profileView() {
  const svg = shape("svg", { class: "lm-bars", preserveAspectRatio: "none" });
  const numbers = element("div", { class: "lm-numbers" }), axis = element("div", { class: "lm-axis" });
  const node = element("div", { class: "lm-profile", "aria-hidden": "true" }, element("div", { class: "lm-plot" }, svg, numbers), axis);
  const label = (text, place, inputs) => {
    const span = element("span", {}, String(text));
    span.style.left = percent((place + 0.5) / inputs);
    return span;
  };
  const paint = ({ inputs, wide, rows: [{ first, counts, most }] }) => {
    svg.setAttribute("viewBox", `0 0 ${inputs} 1`);
    const inset = wide ? 0 : 0.06;
    svg.replaceChildren(...indices(counts, Boolean).map((i) => shape("rect", {
      class: "lm-path-bar", x: first + i + inset, y: 1 - counts[i] / most, width: 1 - 2 * inset, height: counts[i] / most,
    })));
    const written = wide ? [[most, counts.indexOf(most)]] : counts.map((paths, i) => [paths, i]);
    numbers.replaceChildren(...written.map(([paths, i]) => {
      const span = label(paths, first + i, inputs);
      span.style.bottom = percent(paths / most);
      return span;
    }));
    axis.replaceChildren(...ticks(inputs).map((position) => label(position, position, inputs)));
  };
  return { node, paint };
}

/** Where the numbers on the bars have room, at 7 pixels a digit: on a phone, on a wider screen, or nowhere. */
function room({ inputs, wide, rows: [{ most }] }) {
  const width = inputs * (7 * String(most).length + 4);
  return wide || width <= 260 ? "narrow" : width <= 480 ? "wide" : "none";
}

/** Fan and profile share one scale; their names stand in a column to the left. */
function pictureView(model, t, current) {
  const fan = fanView(model, t, current), profile = profileView();
  const names = element("div", { class: "lm-names", "aria-hidden": "true" });
  const node = element("div", { class: "lm-rows" }, names, fan.node, profile.node);
  const text = element("p", { class: "lm-note lm-counts" }), sentence = element("p", { class: "lm-summary", "aria-live": "polite" });
  const paint = (state) => {
    const { first, last } = summary(state), layerNames = state.layers.map((_, i) => t("row", { layer: i + 1 })).reverse();
    names.replaceChildren(...[...layerNames, t("input"), t("paths"), t("axis")].map((name) => element("span", {}, name)));
    names.children[state.top - state.layer].classList.add("lm-chosen-name");
    node.style.setProperty("--lm-inputs", state.inputs);
    node.dataset.wide = state.wide;
    text.dataset.numbers = node.dataset.numbers = room(state);
    text.dataset.wide = state.wide;
    text.textContent = state.wide ? t("too_wide", { inputs: state.inputs, limit: MOST_CELLS }) : t("counts", { first, last, counts: state.rows[0].counts.join(", ") });
    const words = inWords(t, state);
    if (sentence.textContent !== words) sentence.textContent = words; // the same words are not spoken again
    fan.paint(state);
    profile.paint(state);
  };
  return { node, text, sentence, paint };
}

/** One row of the table: three fields, and what follows from them with the numbers filled in. */
function layerRow(model, t, i) {
  const replaced = (list, at, value) => list.map((old, j) => (j === at ? value : old)); // a copy: the model compares old and new
  const set = (at, value) => choose(model, { layers: replaced(model.get("layers"), i, replaced(model.get("layers")[i], at, value)) });
  const fields = Object.entries(LIMITS).map(([name, most], at) => {
    const options = Array.from({ length: most }, (_, n) => [String(n + 1), String(n + 1)]);
    return selectField(t(`label_${name}`, { layer: i + 1 }), options, (text) => set(at, Number(text)));
  });
  const jump = element("td", { class: "lm-filled-in" }), size = element("td", { class: "lm-filled-in" });
  const node = element("tr", {}, element("th", { scope: "row" }, String(i + 1)), ...fields.map((field) => element("td", {}, field.node)), jump, size);
  const paint = ({ layers, layer, fields: reached }) => {
    node.hidden = i >= layers.length;
    if (node.hidden) return;
    node.classList.toggle("lm-chosen-layer", layer === i + 1);
    const [kernel, stride, dilation] = layers[i], before = reached[i], after = reached[i + 1];
    fields.forEach((field, at) => { field.select.value = layers[i][at]; });
    jump.replaceChildren(element("strong", {}, String(after.jump)), " = ", element("span", {}, `${before.jump}·${stride}`));
    size.replaceChildren(element("strong", {}, String(after.size)), ` = ${before.size} + `, element("span", {}, `(${kernel} − 1)·${dilation}·${before.jump}`));
  };
  return { node, paint };
}

function tableView(model, t) {
  const rows = Array.from({ length: MOST_LAYERS }, (_, i) => layerRow(model, t, i));
  const heads = ["layer", "kernel", "stride", "dilation", "jump", "size"].map((name) => element("th", { scope: "col" }, t(`head_${name}`)));
  const table = element("table", { class: "lm-layers" }, element("caption", { class: "lm-note" }, t("formula")),
    element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows.map((row) => row.node)));
  return { node: element("div", { class: "lm-table" }, table), paint: (state) => rows.forEach((row) => row.paint(state)) };
}

/** The stacks to start from, and one layer more or less. */
function stackFields(model, t) {
  const options = [...Object.keys(PRESETS), "own"].map((name) => [name, t(`preset_${name}`)]);
  const preset = selectField(t("preset"), options, (name) => choose(model, { layers: PRESETS[name], layer: null, unit: null }));
  const layers = () => model.get("layers");
  const add = button(t("add"), () => { if (layers().length < MOST_LAYERS) choose(model, { layers: [...layers(), layers().at(-1)] }); });
  const remove = button(t("remove"), () => { if (layers().length > 1) choose(model, { layers: layers().slice(0, -1) }); });
  const paint = (state) => {
    preset.select.value = presetOf(state.layers);
    preset.select.lastChild.hidden = preset.select.value !== "own";
    add.setAttribute("aria-disabled", state.top === MOST_LAYERS); // not disabled: that would lose the focus
    remove.setAttribute("aria-disabled", state.top === 1);
  };
  return { node: element("div", { class: "lm-bar" }, preset.node, add, remove), paint };
}

function render({ model, el }) {
  const t = texts(model);
  let state = null;
  const paint = () => {
    state = readState(model);
    views.forEach((view) => view.paint(state));
  };
  const stack = stackFields(model, t), picture = pictureView(model, t, () => state), table = tableView(model, t);
  const views = [stack, picture, table];
  el.append(element("div", { class: "lm lm-receptive-field" }, stack.node, picture.node, picture.text, picture.sentence,
    element("p", { class: "lm-note" }, t("hint")), table.node));
  return paintOnChange(model, TRAITS, paint);
}

export default { render };
