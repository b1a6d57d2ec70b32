// Two shapes meet, or one tensor is summed: every cell of the result knows its sources. Arithmetic, views, render.

/** The axes of two shapes from the right: {axis −1 …, first, second, length, fate}; null is a missing or clashing length. */
export function axisFates(first, second) {
  const count = Math.max(first.length, second.length);
  return Array.from({ length: count }, (_, i) => {
    const a = first[i - count + first.length] ?? null, b = second[i - count + second.length] ?? null;
    const fate = fateOf(a, b), length = fate === "clash" ? null : a === null || a === 1 ? b ?? a : a;
    return { axis: i - count, first: a, second: b, length, fate };
  });
}

function fateOf(a, b) {
  if (a === null) return "first_missing";
  if (b === null) return "second_missing";
  if (a === b) return "equal";
  if (a === 1) return "first_stretched";
  return b === 1 ? "second_stretched" : "clash";
}

/** The shape of A + B; null where the shapes clash. */
export function broadcastShapes(first, second) {
  const lengths = axisFates(first, second).map(({ length }) => length);
  return lengths.includes(null) ? null : lengths;
}

/** What torch says about two shapes that clash: it looks from the last axis on. */
export function clashMessage(first, second) {
  const fates = axisFates(first, second), i = fates.findLastIndex(({ fate }) => fate === "clash");
  return `The size of tensor a (${fates[i].first}) must match the size of tensor b (${fates[i].second}) at non-singleton dimension ${i}`;
}

/** Where a cell of the result comes from in a tensor of this shape: axes in front drop out, a stretched axis has only 0. */
export function sourceIndex(index, shape) {
  return shape.map((length, i) => (length === 1 ? 0 : index[i + index.length - shape.length]));
}

/** How many cells a shape has; 1 for a tensor without axes. */
export function cellCount(shape) {
  return shape.reduce((product, length) => product * length, 1);
}

/** The place of an index when the cells are counted row by row. */
export function flatIndex(index, shape) {
  return shape.reduce((place, length, i) => place * length + index[i], 0);
}

/** The index of the cell at a place: the opposite of flatIndex. */
export function indexAt(place, shape) {
  return shape.map((length, i) => Math.floor(place / cellCount(shape.slice(i + 1))) % length);
}

/** The values step, 2·step, 3·step … in as many cells as the shape has. */
export function countedValues(shape, step) {
  return Array.from({ length: cellCount(shape) }, (_, i) => step * (i + 1));
}

const OPERATIONS = { add: ["+", (a, b) => a + b], subtract: ["−", (a, b) => a - b], multiply: ["·", (a, b) => a * b] };

/** The cells of A ∘ B, for two shapes that fit. */
export function combineValues(a, first, b, second, operation) {
  const shape = broadcastShapes(first, second);
  const from = (values, own, index) => values[flatIndex(sourceIndex(index, own), own)];
  return Array.from({ length: cellCount(shape) }, (_, place) => {
    const index = indexAt(place, shape);
    return OPERATIONS[operation][1](from(a, first, index), from(b, second, index));
  });
}

/** The shape after a sum over axes (0 …): they go, or stay with length 1. */
export function reduceShape(shape, axes, keepdim) {
  return shape.flatMap((length, i) => (!axes.includes(i) ? [length] : keepdim ? [1] : []));
}

/** The places of all cells that are added into one cell of the sum. */
export function reducedPlaces(index, shape, axes, keepdim) {
  const kept = shape.map((_, i) => i).filter((i) => keepdim || !axes.includes(i));
  const places = Array.from({ length: cellCount(shape) }, (_, place) => place);
  return places.filter((place) => {
    const here = indexAt(place, shape);
    return kept.every((axis, k) => axes.includes(axis) || here[axis] === index[k]);
  });
}

/** The cells of the sum over axes. */
export function reduceValues(values, shape, axes, keepdim) {
  const small = reduceShape(shape, axes, keepdim);
  return Array.from({ length: cellCount(small) }, (_, place) => {
    const places = reducedPlaces(indexAt(place, small), shape, axes, keepdim);
    return places.reduce((sum, i) => sum + values[i], 0);
  });
}

/** A shape as Python writes a tuple: (), (3,), (4, 1). */
export function shapeText(shape) {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
}

const MOST_AXES = 3, LENGTHS = ["1", "2", "3", "4"]; // as in broadcasting.py
const TRAITS = ["mode", "first", "second", "operation", "axes", "keepdim", "cell", "strings"];
const PRESETS = {
  column: { first: [4, 1], second: [3], operation: "add" },
  number: { first: [2, 3], second: [], operation: "multiply" },
  clash: { first: [3, 2, 4], second: [3], operation: "subtract" },
  channels: { first: [3, 2, 4], second: [3, 1, 1], operation: "subtract" },
  silent: { first: [4], second: [4, 1], operation: "subtract" },
};
const negative = (axis) => `−${-axis}`;
const signed = (value) => formatNumber(value, 0);
const cellName = (name, index) => (index.length ? `${name}[${index.join(", ")}]` : name);
const unbroken = (shape) => shapeText(shape).replaceAll(" ", "\u00a0"); // for sentences
const lastThree = (shape) => [1, 1, 1, ...shape].slice(-MOST_AXES); // slices, rows, columns of the drawing
const shorten = (items, most) => (items.length > most ? [...items.slice(0, most - 2), "…", items.at(-1)] : items);

/** The chosen index, aligned at the right with the shape and brought inside it. */
function insideShape(cell, shape) {
  const index = [...shape.map(() => 0), ...cell];
  return shape.map((length, i) => clamp(index[index.length - shape.length + i], length - 1));
}

/** Everything that the views show, computed from the traits. shape is null where there is no result. */
function readState(model) {
  const [mode, first, second, operation, keepdim] = ["mode", "first", "second", "operation", "keepdim"].map((name) => model.get(name));
  const axes = model.get("axes").filter((axis) => axis < first.length), combine = mode === "combine";
  const a = countedValues(first, 10), b = countedValues(second, 1);
  const shape = combine ? broadcastShapes(first, second) : reduceShape(first, axes, keepdim);
  const state = { mode, combine, first, second, operation, keepdim, axes, a, b, shape };
  if (!shape) return { ...state, marked: { a: [], b: [], result: [] } };
  const index = insideShape(model.get("cell"), shape), place = flatIndex(index, shape);
  const values = combine ? combineValues(a, first, b, second, operation) : reduceValues(a, first, axes, keepdim);
  const from = (own) => [flatIndex(sourceIndex(index, own), own)];
  const marked = combine ? { a: from(first), b: from(second) } : { a: reducedPlaces(index, first, axes, keepdim), b: [] };
  return { ...state, index, place, values, marked: { ...marked, result: [place] } };
}

/** result[2, 1] = A[2, 0] + B[1] = 30 + 2 = 32, each step a text. */
function equationSteps(state, name) {
  const { first, second, a, b, marked, index, values, place, combine } = state;
  const sign = combine ? OPERATIONS[state.operation][0] : "+";
  const cells = (own, shape, letter, which) => which.map((i) => [cellName(letter, indexAt(i, shape)), signed(own[i])]);
  const terms = [...cells(a, first, "A", marked.a), ...(combine ? cells(b, second, "B", marked.b) : [])];
  const written = (side, most) => shorten(terms.map((term) => term[side]), most).join(` ${sign} `);
  const steps = [cellName(name, index), written(0, 4), written(1, 8), signed(values[place])];
  return terms.length === 1 ? steps.filter((_, i) => i !== 2) : steps;
}

/** Choices beside each other, one of them on. The random name keeps two explorables on a page apart. */
function radios(text, options, onChoose) {
  const name = `lm-${Math.random()}`;
  const entries = options.map(([value, label]) => {
    const input = element("input", { type: "radio", name, value });
    input.addEventListener("change", () => onChoose(value));
    return { value, input, node: element("label", { class: "lm-choice" }, input, element("span", {}, label)) };
  });
  const row = element("div", { class: "lm-choices" }, ...entries.map(({ node }) => node));
  const node = element("fieldset", { class: "lm-radios" }, element("legend", { class: "lm-label" }, text), row);
  return { node, paint: (chosen) => entries.forEach(({ value, input }) => { input.checked = value === chosen; }) };
}

function checkbox(text, label, onChange) {
  const input = element("input", { type: "checkbox", "aria-label": label });
  input.addEventListener("change", () => onChange(input.checked));
  return { input, node: element("label", { class: "lm-check" }, input, text) };
}

function modeAndPresets(model, t) {
  const mode = radios(t("mode"), [["combine", t("mode_combine")], ["sum", t("mode_sum")]], (value) => choose(model, { mode: value }));
  const presets = Object.entries(PRESETS).map(([name, traits]) => ({ ...traits, node: button(t(`preset_${name}`), () => choose(model, traits)) }));
  const group = element("div", { class: "lm-presets", role: "group", "aria-label": t("presets") }, ...presets.map(({ node }) => node));
  const paint = (state) => {
    mode.paint(state.mode);
    group.hidden = !state.combine;
    const shapes = shapeText(state.first) + shapeText(state.second);
    for (const { first, second, node } of presets) node.setAttribute("aria-pressed", shapeText(first) + shapeText(second) === shapes);
  };
  return { node: element("div", { class: "lm-start" }, mode.node, group), paint };
}

/** How many axes A and B have, the operation, keepdim. A new axis stands in front and has length 2. */
function settings(model, t) {
  const counts = ["0", "1", "2", "3"].map((count) => [count, count]);
  const resize = (trait) => (count) => {
    const shape = [2, 2, 2, ...model.get(trait)];
    choose(model, { [trait]: shape.slice(shape.length - Number(count)) });
  };
  const [first, second] = [["A", "first"], ["B", "second"]].map(([name, trait]) => radios(t("axes_of", { name }), counts, resize(trait)));
  const options = Object.keys(OPERATIONS).map((name) => [name, t(`operation_${name}`)]);
  const operation = selectField(t("operation"), options, (name) => choose(model, { operation: name }));
  const keepdim = checkbox(t("keepdim"), t("keepdim"), (on) => choose(model, { keepdim: on }));
  const paint = (state) => {
    first.paint(String(state.first.length));
    second.paint(String(state.second.length));
    operation.select.value = state.operation;
    keepdim.input.checked = state.keepdim;
    for (const node of [second.node, operation.node]) node.hidden = !state.combine;
    keepdim.node.hidden = state.combine;
  };
  return { node: element("div", { class: "lm-bar" }, first.node, second.node, operation.node, keepdim.node), paint };
}

/** One row of the table: a heading and three cells, one for each axis from −3 on. */
function tableRow(title, contents) {
  const cells = contents.map((content) => element("td", {}, content));
  const node = element("tr", {}, element("th", { scope: "row" }, title), ...cells);
  return { node, cells, contents };
}

/** A row of length fields; an axis that the tensor does not have says so. */
function lengthRow(model, t, name, trait) {
  const fields = [-3, -2, -1].map((axis) => {
    const field = selectField("", LENGTHS.map((length) => [length, length]), (length) => {
      const shape = [...model.get(trait)]; // a changed copy: the model compares old and new
      shape[shape.length + axis] = Number(length);
      choose(model, { [trait]: shape });
    });
    field.select.setAttribute("aria-label", t("length", { name, negative: negative(axis) }));
    const missing = element("span", { class: "lm-missing" }, t("missing"));
    return { select: field.select, missing, node: element("div", {}, field.select, missing) };
  });
  const paint = (shape) => [-3, -2, -1].forEach((axis, i) => {
    const length = shape.at(axis), { select, missing } = fields[i];
    select.hidden = length === undefined;
    missing.hidden = !select.hidden;
    if (!select.hidden) select.value = length;
  });
  return { ...tableRow(name, fields.map(({ node }) => node)), paint };
}

/** A row of boxes: over which axes of A the sum goes. */
function sumRow(model, t) {
  const toggle = (i, on) => {
    const axis = i - MOST_AXES + model.get("first").length, others = model.get("axes").filter((other) => other !== axis);
    choose(model, { axes: (on ? [...others, axis] : others).sort() });
  };
  const boxes = [0, 1, 2].map((i) => checkbox("", "", (on) => toggle(i, on)));
  const paint = ({ first, axes }) => boxes.forEach(({ input, node }, i) => {
    const axis = i - MOST_AXES + first.length;
    node.hidden = axis < 0;
    input.checked = axes.includes(axis);
    input.setAttribute("aria-label", t("sum_over", { axis, negative: negative(i - MOST_AXES) }));
  });
  return { ...tableRow(t("row_sum"), boxes.map(({ node }) => node)), paint };
}

/** The fate of each of the three columns: its words, and the length in the result ("" where none). */
function columnFates({ combine, first, second, axes, keepdim }) {
  const fates = combine ? axisFates(first, second) : first.map((length, axis) => {
    const fate = !axes.includes(axis) ? "stays" : keepdim ? "kept" : "gone";
    return { fate, length: { stays: length, kept: 1, gone: "–" }[fate] };
  });
  return [null, null, null, ...fates].slice(-MOST_AXES);
}

/** The two shapes above each other, aligned at the right; the lengths are fields. */
function shapeTable(model, t) {
  const heads = [0, 1, 2].map(() => element("th", { scope: "col" }));
  const first = lengthRow(model, t, "A", "first"), second = lengthRow(model, t, "B", "second"), sums = sumRow(model, t);
  const fates = tableRow(t("row_fate"), ["", "", ""]), results = tableRow(t("row_result"), ["", "", ""]);
  const rows = [first, second, sums, fates, results];
  const table = element("table", { class: "lm-shapes", "aria-label": t("table") },
    element("thead", {}, element("tr", {}, element("td", {}), ...heads)), element("tbody", {}, ...rows.map(({ node }) => node)));
  const paint = (state) => {
    first.paint(state.first);
    second.paint(state.second);
    sums.paint(state);
    second.node.hidden = !state.combine;
    sums.node.hidden = state.combine;
    columnFates(state).forEach((column, i) => {
      const position = { axis: i - MOST_AXES + state.first.length, negative: negative(i - MOST_AXES) };
      heads[i].textContent = state.combine ? t("axis", position) : t("axis_both", position);
      fates.cells[i].textContent = column ? t(`fate_${column.fate}`) : "";
      results.cells[i].textContent = column ? column.length ?? "✗" : "";
      for (const node of [heads[i], ...rows.map(({ cells }) => cells[i])]) {
        node.hidden = !column;
        node.classList.toggle("lm-clash", column?.fate === "clash");
      }
    });
    table.hidden = !state.first.length && !(state.combine && state.second.length);
  };
  return { node: table, paint };
}

/** One slice of a tensor: its cells, with the index of each row and column beside them. */
function slice(title, rows, columns, shape, cells) {
  const label = (text) => element("span", { class: "lm-index" }, text);
  const heads = shape.length ? ["", ...Array(columns).keys()].map(label) : [];
  const lines = Array.from({ length: rows }, (_, row) => [
    ...(shape.length ? [label(shape.length > 1 ? row : "")] : []), ...cells.slice(row * columns, (row + 1) * columns),
  ]);
  const grid = element("div", { class: "lm-cells" }, ...heads, ...lines.flat());
  grid.style.gridTemplateColumns = `${shape.length ? "auto " : ""}repeat(${columns}, var(--lm-cell))`;
  return element("div", { class: "lm-slice" }, ...(title ? [label(title)] : []), grid);
}

/** A tensor as numbered cells, made anew when its shape changes. attributes give it a role. */
function tensorView(t, name, attributes) {
  const before = sign(""), note = element("span", { class: "lm-note" });
  const heading = element("p", { class: "lm-title" }, before, name, note);
  const body = element("div", { class: "lm-slices", "aria-label": name, ...attributes });
  let shown = null, cells = [];
  const resize = (shape) => {
    const [count, rows, columns] = lastThree(shape), size = rows * columns;
    cells = Array.from({ length: cellCount(shape) }, (_, place) => element("span", { class: "lm-cell", "data-place": place }));
    const title = (i) => (shape.length === MOST_AXES ? `${name}[${i}]` : "");
    body.replaceChildren(...Array.from({ length: count }, (_, i) => slice(title(i), rows, columns, shape, cells.slice(i * size, (i + 1) * size))));
    shown = shapeText(shape);
  };
  const paint = (shape, values, marked) => {
    if (shown !== shapeText(shape)) resize(shape);
    const numbers = values.map(signed);
    body.style.setProperty("--lm-digits", Math.max(...numbers.map((text) => text.length)));
    cells.forEach((cell, i) => {
      cell.textContent = numbers[i];
      cell.classList.toggle("lm-marked", marked.includes(i));
    });
    note.textContent = t("shape", { shape: shown });
  };
  return { node: element("div", { class: "lm-tensor" }, heading, body), body, note, before, paint };
}

/** A tensor that is only looked at: its shape and its numbers in one description. */
function sourceView(t, name) {
  const view = tensorView(t, name, { role: "img" });
  const paint = (shape, values, marked) => {
    view.paint(shape, values, marked);
    view.body.setAttribute("aria-label", `${name}, ${t("shape", { shape: shapeText(shape) })}: ${values.map(signed).join(", ")}`);
  };
  return { node: view.node, before: view.before, paint };
}

/** The cell that a key leads to; up and down go on into the next slice. */
function moved(index, shape, key) {
  const [slices, rows, columns] = lastThree(shape), [top, row, column] = [0, 0, 0, ...index].slice(-MOST_AXES);
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-rows, 0], PageDown: [rows, 0], Home: [0, -columns], End: [0, columns] };
  if (!steps[key]) return null;
  const line = clamp(top * rows + row + steps[key][0], slices * rows - 1), across = clamp(column + steps[key][1], columns - 1);
  return indexAt(line * columns + across, shape);
}

/** The result: hovering looks at a cell, a click, a tap or a key keeps it. */
function resultView(model, t, current) {
  const view = tensorView(t, t("result"), { role: "slider", tabindex: 0, "aria-valuemin": 0 });
  const none = element("p", { class: "lm-none" }, t("no_result"));
  let kept = null; // what to go back to, while the pointer looks elsewhere
  const under = ({ target }) => {
    const cell = target.closest("[data-place]");
    return cell && indexAt(Number(cell.dataset.place), current().shape);
  };
  const look = (cell) => { kept ??= model.get("cell"); model.set("cell", cell); };
  const keep = (cell) => { choose(model, { cell }); kept = kept && model.get("cell"); };
  // Only a pointer that moves: what scrolls or grows under a resting one is not looked at.
  view.body.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse" && under(event)) look(under(event)); });
  view.body.addEventListener("pointerleave", () => { if (kept) model.set("cell", kept); kept = null; });
  view.body.addEventListener("click", (event) => { if (under(event)) keep(under(event)); });
  view.body.addEventListener("keydown", (event) => {
    const cell = moved(current().index, current().shape, event.key);
    if (!cell) return;
    event.preventDefault(); // the page would scroll
    keep(cell);
  });
  const paint = ({ shape, values, marked, place, steps }) => {
    none.hidden = Boolean(shape);
    view.body.hidden = view.note.hidden = !shape;
    if (!shape) return;
    view.paint(shape, values, marked.result);
    const said = { valuemax: values.length - 1, valuenow: place, valuetext: steps.join(" = ") };
    for (const [key, value] of Object.entries(said)) view.body.setAttribute(`aria-${key}`, value);
  };
  view.node.append(none);
  return { node: view.node, before: view.before, paint };
}

/** What becomes of the shapes, in one sentence, and torch's own words where they clash. */
function verdictView(t) {
  const sentence = element("p", {}), quoted = element("p", { class: "lm-quoted" });
  const words = element("code", {});
  quoted.append(element("span", { class: "lm-note" }, t("torch_says")), words);
  const paint = ({ combine, first, second, shape, axes, keepdim }) => {
    quoted.hidden = Boolean(shape);
    if (!combine) return void (sentence.textContent = axes.length ? t("sum_shape", { call: sumCall(axes, keepdim), shape: unbroken(shape) }) : t("sum_nothing"));
    const shapes = { first: unbroken(first), second: unbroken(second) };
    if (shape) return void (sentence.textContent = t("shapes_fit", { ...shapes, shape: unbroken(shape) }));
    const clash = axisFates(first, second).findLast(({ fate }) => fate === "clash");
    sentence.textContent = t("shapes_clash", { ...shapes, negative: negative(clash.axis), a: clash.first, b: clash.second });
    words.textContent = clashMessage(first, second);
  };
  return { node: element("div", { class: "lm-verdict", role: "status" }, sentence, quoted), paint };
}

const sumCall = (axes, keepdim) => `A.sum(dim=${axes.length === 1 ? axes[0] : shapeText(axes)}${keepdim ? ", keepdim=True" : ""})`;

/** The tensors beside each other with the signs between them, and below them the chosen cell in numbers. */
function tensorsView(model, t, current) {
  const a = sourceView(t, "A"), b = sourceView(t, "B"), result = resultView(model, t, current);
  const hint = element("p", { class: "lm-note" }, t("hint"));
  const equation = element("output", { class: "lm-equation", "aria-live": "off" });
  const node = element("div", { class: "lm-tensors" }, a.node, b.node, result.node);
  const paint = (state) => {
    a.paint(state.first, state.a, state.marked.a);
    b.paint(state.second, state.b, state.marked.b);
    b.node.hidden = !state.combine;
    b.before.textContent = OPERATIONS[state.operation][0];
    result.before.textContent = state.combine ? "=" : "→";
    const steps = state.shape ? equationSteps(state, t("result")) : [];
    result.paint({ ...state, steps });
    equation.replaceChildren(...steps.map((step, i) => element("span", {}, i ? `= ${step}` : step)));
    equation.hidden = hint.hidden = !steps.length;
  };
  return { node: element("div", { class: "lm-drawing" }, node, equation, hint), paint };
}

function render({ model, el }) {
  const t = texts(model);
  let state = null;
  const views = [modeAndPresets(model, t), settings(model, t), shapeTable(model, t), verdictView(t), tensorsView(model, t, () => state)];
  const paint = () => {
    state = readState(model);
    views.forEach((view) => view.paint(state));
  };
  el.append(element("div", { class: "lm lm-broadcasting" }, ...views.map(({ node }) => node)));
  return paintOnChange(model, TRAITS, paint);
}

export default { render };
