// A convolution's window on a small image, and the size of its output. Arithmetic, then marks, then views, then render.

/** Positions of the window along one axis: ⌊(size + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1; below 1 it fits nowhere. */
export function outputSize(size, kernel, stride, padding, dilation) {
  return Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

/** Input rows (or columns) under the window at one position; those below 0 or from size on are padding. */
export function touched(position, kernel, stride, padding, dilation) {
  return Array.from({ length: kernel }, (_, i) => position * stride - padding + i * dilation);
}

/** How many positions of the window touch each of the size cells along one axis. */
export function coverage(size, kernel, stride, padding, dilation) {
  const counts = Array.from({ length: size }, () => 0);
  for (let position = 0; position < outputSize(size, kernel, stride, padding, dilation); position += 1) {
    for (const i of touched(position, kernel, stride, padding, dilation)) if (i >= 0 && i < size) counts[i] += 1;
  }
  return counts;
}

/** Mean of image (height × width) over rows × columns; a cell outside the image is 0. */
export function windowMean(image, height, width, rows, columns) {
  const inside = rows.filter((row) => row >= 0 && row < height);
  let sum = 0;
  for (const row of inside) for (const column of columns) if (column >= 0 && column < width) sum += image[row * width + column];
  return sum / (rows.length * columns.length);
}

/** The output of the averaging kernel, row by row; empty where the window fits nowhere. */
export function windowMeans(image, height, width, kernel, stride, padding, dilation) {
  const along = (size) => Array.from({ length: Math.max(0, outputSize(size, kernel, stride, padding, dilation)) },
    (_, position) => touched(position, kernel, stride, padding, dilation));
  const columns = along(width);
  return Float64Array.from(along(height).flatMap((down) => columns.map((across) => windowMean(image, height, width, down, across))));
}

const LIMITS = { kernel: [1, 5], padding: [0, 3], stride: [1, 3], dilation: [1, 3] }; // as in sliding_window.py
const TRAITS = [...Object.keys(LIMITS), "row", "column", "strings"];
const MARGIN = LIMITS.padding[1] + 0.25; // cells kept free around the image, so that it stays where it is when padding comes
const signed = (value) => formatNumber(value, 0);
const greyValue = (mean) => formatNumber(mean / 255, 3);
const gridCells = (rows, columns) => Array.from({ length: rows * columns }, (_, i) => ({ row: Math.floor(i / columns), column: i % columns }));

/** Everything that the views show, computed from the traits. tall, wide: the padded input; span: cells from the window's first to its last. */
function readState(model, image) {
  const [height, width, kernel, padding, stride, dilation] = ["height", "width", ...Object.keys(LIMITS)].map((name) => model.get(name));
  const settings = [kernel, stride, padding, dilation], tall = height + 2 * padding, wide = width + 2 * padding;
  const rows = outputSize(height, ...settings), columns = outputSize(width, ...settings), fits = Math.min(rows, columns) > 0;
  const row = fits ? clamp(model.get("row"), rows - 1) : 0, column = fits ? clamp(model.get("column"), columns - 1) : 0;
  const down = coverage(tall, kernel, stride, 0, dilation), across = coverage(wide, kernel, stride, 0, dilation); // with padding
  const isPadding = (cell) => cell.row < 0 || cell.row >= height || cell.column < 0 || cell.column >= width;
  const cells = gridCells(tall, wide).map((cell) => ({ row: cell.row - padding, column: cell.column - padding }));
  const untouched = cells.filter((cell) => !(down[cell.row + padding] * across[cell.column + padding]));
  const reach = [touched(row, ...settings), touched(column, ...settings)];
  return {
    image, height, width, tall, wide, kernel, padding, stride, dilation, rows, columns, fits, row, column, reach,
    span: dilation * (kernel - 1) + 1, padded: cells.filter(isPadding), untouched,
    unused: untouched.filter((cell) => !isPadding(cell)).length,
    under: fits ? reach[0].flatMap((i) => reach[1].map((j) => ({ row: i, column: j, padding: isPadding({ row: i, column: j }) }))) : [],
    means: fits ? windowMeans(image, height, width, ...settings) : [],
  };
}

const box = (x, y) => `M${x} ${y}h1v1h-1z`, inner = (x, y) => `M${x + 0.1} ${y + 0.1}h.8v.8h-.8z`;
const diagonals = (x, y) => `M${x + 0.3} ${y + 0.3}l.4 .4M${x + 0.7} ${y + 0.3}l-.4 .4`;
/** Marks in cell units, as SVG path data; x is a column, y a row. Halo and ring are white. */
const SHAPES = {
  cell: box, zero: box, dashes: inner, halo: diagonals, cross: diagonals, ring: inner, hit: inner,
  hatch: (x, y) => `M${x + 0.2} ${y + 0.5}l.3-.3M${x + 0.2} ${y + 0.8}l.6-.6M${x + 0.5} ${y + 0.8}l.3-.3`,
  dot: (x, y) => `M${x + 0.34} ${y + 0.5}a.16 .16 0 1 0 .32 0a.16 .16 0 1 0-.32 0`,
};
const ORDER = ["cell", "zero", "hatch", "dashes", "halo", "cross", "ring", "hit", "dot"]; // the topmost last

/** A drawing of marks over height × width cells whose cell 0, 0 starts at top, left: draw({ shape: cells }). */
function marks(shapes) {
  const make = (tag, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const paths = shapes.map((shape) => [shape, make("path", { class: `lm-draw-${shape}` })]);
  const node = make("svg", { class: "lm-marks", "aria-hidden": "true" });
  node.append(...paths.map(([, path]) => path));
  const draw = (cells, top, left, height, width) => {
    node.setAttribute("viewBox", `${-left} ${-top} ${width} ${height}`);
    const data = (shape) => (cells[shape] ?? []).map(({ row, column }) => SHAPES[shape](column, row)).join("");
    for (const [shape, path] of paths) path.setAttribute("d", data(shape));
  };
  return { node, draw };
}

/** The four ranges, each with its value beside its name. */
function settingsView(model, t) {
  const names = { kernel: t("kernel"), padding: t("padding"), stride: t("stride"), dilation: t("dilation") };
  const fields = Object.entries(names).map(([name, text]) => {
    const [min, max] = LIMITS[name], value = element("strong", { class: "lm-value", "aria-hidden": "true" });
    const label = element("span", {}, text, " ", value);
    return { name, value, ...rangeField(label, { min, max }, (chosen) => model.set(name, chosen), () => model.save_changes()) };
  });
  const paint = (state) => fields.forEach(({ name, value, input }) => { input.value = value.textContent = state[name]; });
  return { node: element("div", { class: "lm-settings" }, ...fields.map(({ node }) => node)), paint };
}

/** A canvas with one pixel for each grey level (rows × columns, 0…255); the stylesheet enlarges it unsmoothed. */
function paintLevels(canvas, levels, rows, columns) {
  Object.assign(canvas, { width: columns, height: rows });
  const picture = new ImageData(columns, rows);
  levels.forEach((level, i) => picture.data.set([level, level, level, 255], 4 * i));
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

const KEYS = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
  PageUp: [-Infinity, 0], PageDown: [Infinity, 0], Home: [0, -Infinity], End: [0, Infinity],
};

/** Pointer and keys pick a position on a node: hovering looks at a place, a click, tap or key keeps it. */
function pickPosition(node, { place, at, move, settle }) {
  let kept = null;
  const follow = (event) => {
    const { left, top, width, height } = node.getBoundingClientRect();
    move(...at((event.clientY - top) / height, (event.clientX - left) / width));
  };
  const keep = () => { kept = place(); settle(); };
  node.addEventListener("pointerenter", () => { kept = place(); });
  node.addEventListener("pointermove", follow);
  node.addEventListener("pointerup", (event) => { follow(event); keep(); });
  node.addEventListener("pointerleave", () => { if (kept) move(...kept); });
  node.addEventListener("keydown", (event) => {
    if (!KEYS[event.key]) return;
    event.preventDefault(); // the page would scroll
    move(...place().map((value, i) => value + KEYS[event.key][i]));
    keep();
  });
}

/** A grid in which a position can be picked: at(y, x) gives the output cell for a point, in cells from the frame's corner. */
function gridView(model, t, name, shapes, current, at) {
  const frame = () => [current().height + 2 * MARGIN, current().width + 2 * MARGIN];
  const inside = (row, column) => { // where nothing fits, the choice stays as it is
    const { fits, rows, columns } = current();
    return fits ? [clamp(row, rows - 1), clamp(column, columns - 1)] : [model.get("row"), model.get("column")];
  };
  const canvas = element("canvas", { class: "lm-canvas" }), mark = element("span", { class: "lm-mark" });
  const drawing = marks(shapes), note = element("span", { class: "lm-note" });
  const grid = element("div", { class: "lm-picture", role: "slider", tabindex: 0, "aria-label": name, "aria-valuemin": 0 }, canvas, drawing.node, mark);
  pickPosition(grid, {
    place: () => inside(model.get("row"), model.get("column")), // of the model: after a tap nothing is painted yet
    at: (down, across) => at(down * frame()[0], across * frame()[1]),
    move: (...position) => inside(...position).forEach((value, i) => model.set(["row", "column"][i], value)),
    settle: () => model.save_changes(),
  });
  const place = (node, ...lengths) => ["top", "left", "height", "width"].forEach((side, i) => {
    node.style.setProperty(side, `${(100 * lengths[i]) / frame()[i % 2]}%`);
  });
  const describe = (state, size) => {
    const [tall, wide] = frame(), { fits, rows, columns, row, column } = state;
    grid.style.aspectRatio = `${wide} / ${tall}`;
    const text = fits ? t("position", { row, column, mean: greyValue(state.means[row * columns + column]) }) : t("output_none");
    const values = { valuemax: fits ? rows * columns - 1 : 0, valuenow: fits ? row * columns + column : 0, valuetext: text, disabled: !fits };
    for (const [key, value] of Object.entries(values)) grid.setAttribute(`aria-${key}`, value);
    mark.hidden = !fits;
    note.textContent = size;
  };
  const node = element("div", { class: "lm-figure" }, element("p", { class: "lm-title lm-heading" }, name, note), grid);
  return { node, canvas, mark, drawing, frame, place, describe };
}

/** The padded input. A point chooses the window whose centre is nearest. */
function inputView(model, t, current) {
  const view = gridView(model, t, t("input"), ORDER, current, (...point) => {
    const { padding, span, stride } = current();
    return point.map((length) => Math.round((length - MARGIN + padding - span / 2) / stride));
  });
  const paint = (state) => {
    const { height, width, span, padded, untouched, under, reach } = state;
    paintLevels(view.canvas, state.image, height, width);
    view.place(view.canvas, MARGIN, MARGIN, height, width);
    view.place(view.mark, MARGIN + reach[0][0], MARGIN + reach[1][0], span, span);
    const zeros = { zero: padded, hatch: padded, dashes: padded }, unused = { halo: untouched, cross: untouched };
    const drawn = { cell: gridCells(height, width), ...zeros, ...unused, ring: under, hit: under, dot: under };
    view.drawing.draw(drawn, MARGIN, MARGIN, ...view.frame());
    view.describe(state, t("input_size", state));
  };
  return { node: view.node, paint };
}

/** The output, with cells as large as those of the input, in the middle of the same frame. */
function outputView(model, t, current) {
  const corner = ({ height, width, rows, columns }) => [MARGIN + (height - rows) / 2, MARGIN + (width - columns) / 2];
  const at = (...point) => point.map((length, i) => Math.floor(length - corner(current())[i]));
  const view = gridView(model, t, t("output"), ["cell"], current, at);
  const paint = (state) => {
    const { fits, rows, columns, row, column, means } = state, [top, left] = corner(state);
    view.canvas.hidden = !fits;
    view.drawing.draw({ cell: fits ? gridCells(rows, columns) : [] }, top, left, ...view.frame());
    view.describe(state, fits ? t("output_size", state) : "");
    if (!fits) return;
    paintLevels(view.canvas, Uint8ClampedArray.from(means), rows, columns);
    view.place(view.canvas, top, left, rows, columns);
    view.place(view.mark, top + row, left + column, 1, 1);
  };
  return { node: view.node, paint };
}

/** What the marks of the input mean, each in a cell of its own. */
function legend(t) {
  const entries = [
    [["cell", "ring", "hit", "dot"], t("legend_touched")],
    [["zero", "hatch", "dashes"], t("legend_padding")],
    [["cell", "halo", "cross"], t("legend_untouched")],
  ];
  return element("ul", { class: "lm-legend" }, ...entries.map(([shapes, text]) => {
    const { node, draw } = marks(shapes);
    draw(Object.fromEntries(shapes.map((shape) => [shape, [{ row: 0, column: 0 }]])), 0, 0, 1, 1);
    return element("li", { class: "lm-note" }, node, text);
  }));
}

/** The output cell in words, spoken when it changes. */
function sentences(t) {
  const node = element("p", { class: "lm-sentences", role: "status", "aria-live": "polite" });
  const paint = (state) => {
    const { fits, row, column, kernel, under, reach, means, columns } = state, total = kernel * kernel;
    const [rows, across] = reach.map((numbers) => numbers.map(signed).join(", ")), mean = fits && greyValue(means[row * columns + column]);
    const here = () => `${t(`window_${total === 1 ? "one" : "many"}`, { row, column, mean, rows, columns: across })} ${
      t("padding_count", { count: under.filter((cell) => cell.padding).length, total })}`;
    const text = `${fits ? here() : t("too_large", state)} ${t("untouched_count", { count: state.unused, total: state.height * state.width })}`;
    if (node.textContent !== text) node.textContent = text;
  };
  return { node, paint };
}

/** The formula of the output size, in words and with its numbers; one line where height and width are the same. */
function formulaView(t) {
  const line = (name, size, result, state) => {
    const room = size + 2 * state.padding - state.span; // steps of one cell that the window can make
    const step = (...content) => [element("span", {}, ...content), " "]; // a line breaks between two steps only
    const filled = t("formula", { ...state, size }), shorter = t("formula_step", { ...state, room: signed(room) });
    const steps = [step(filled), step("= ", shorter), step("= ", element("strong", {}, signed(result)))];
    return [element("p", { class: "lm-note" }, name), element("p", { class: "lm-formula" }, ...steps.flat())];
  };
  const lines = element("div", { class: "lm-sizes" });
  const paint = (state) => lines.replaceChildren(...(state.height === state.width
    ? line(t("size_both"), state.height, state.rows, state)
    : [...line(t("size_height"), state.height, state.rows, state), ...line(t("size_width"), state.width, state.columns, state)]));
  const title = element("p", { class: "lm-title lm-heading" }, t("size"), element("span", { class: "lm-note" }, t("rounding")));
  return { node: element("div", { class: "lm-sum" }, title, element("p", { class: "lm-formula" }, t("formula_words")), lines), paint };
}

function render({ model, el }) {
  const t = texts(model), image = readBytes(model.get("pixels"));
  let state = null;
  const current = () => state;
  const settings = settingsView(model, t), input = inputView(model, t, current), output = outputView(model, t, current);
  const words = sentences(t), formula = formulaView(t);
  el.append(element("div", { class: "lm lm-sliding-window" }, settings.node,
    element("div", { class: "lm-pair" }, input.node, output.node), legend(t), words.node, formula.node,
    element("p", { class: "lm-note" }, t("hint"))));
  return paintOnChange(model, TRAITS, () => {
    state = readState(model, image);
    [settings, input, output, words, formula].forEach((view) => view.paint(state));
  });
}

export default { render };
