// A kernel on a photograph: every output pixel is one weighted sum of a patch. Arithmetic, then views, then render.

export const PRESETS = {
  identity: [0, 0, 0, 0, 1, 0, 0, 0, 0],
  box: [1, 1, 1, 1, 1, 1, 1, 1, 1].map((weight) => weight / 9),
  gaussian: [1, 2, 1, 2, 4, 2, 1, 2, 1].map((weight) => weight / 16),
  sharpen: [0, -1, 0, -1, 5, -1, 0, -1, 0],
  sobel_vertical: [-1, 0, 1, -2, 0, 2, -1, 0, 1],
  sobel_horizontal: [-1, -2, -1, 0, 0, 0, 1, 2, 1],
  emboss: [-2, -1, 0, -1, 1, 1, 0, 1, 2],
  outline: [-1, -1, -1, -1, 8, -1, -1, -1, -1],
};
const BLURS = { box: [1, 1, 1, 1, 1], gaussian: [1, 4, 6, 4, 1] }; // the 5×5 blurs are outer products of these

/** Output of a kernel at every place where it fits: (height − size + 1) × (width − size + 1) numbers. */
export function crossCorrelate(image, height, width, kernel, size, bias) {
  const rows = height - size + 1, columns = width - size + 1;
  const output = new Float64Array(rows * columns).fill(bias);
  for (let i = 0; i < size; i += 1) for (let j = 0; j < size; j += 1) {
    const weight = kernel[i * size + j];
    for (let row = 0; row < rows; row += 1) {
      const from = (row + i) * width + j, to = row * columns;
      for (let column = 0; column < columns; column += 1) output[to + column] += weight * image[from + column];
    }
  }
  return output;
}

/** The size × size pixels of image (height × width) whose first one is at row, column. */
export function patchAt(image, width, row, column, size) {
  return Float64Array.from({ length: size * size }, (_, i) => image[(row + Math.floor(i / size)) * width + column + (i % size)]);
}

/** The products wᵢ·xᵢ, as many as there are weights. */
export function terms(patch, kernel) {
  return Float64Array.from(patch, (pixel, i) => kernel[i] * pixel);
}

/** f(x) = Σ wᵢ·xᵢ + b, one number. */
export function weightedSum(patch, kernel, bias) {
  return terms(patch, kernel).reduce((sum, term) => sum + term, 0) + bias;
}

/** The values drawn black and white: "clip" 0 and 1; "signed" −m and m, m the largest |value|. */
export function greyRange(values, mode) {
  if (mode === "clip") return [0, 1];
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  return [-largest, largest];
}

/** Values as grey levels 0…255, what lies outside greyRange is cut off. */
export function toGrey(values, mode) {
  const [low, high] = greyRange(values, mode);
  return Uint8ClampedArray.from(values, (value) => ((value - low) / (high - low)) * 255);
}

/** A preset (size 3 or 5): the blurs fill the larger kernel, the others stand in a ring of zeros. */
export function presetKernel(name, size) {
  if (size === 3 || !BLURS[name]) return resizeKernel(PRESETS[name], size);
  const products = BLURS[name].flatMap((a) => BLURS[name].map((b) => a * b));
  return products.map((weight) => weight / products.reduce((a, b) => a + b));
}

/** A square kernel cut or filled up with zeros around its centre to size × size. */
export function resizeKernel(kernel, size) {
  const old = Math.sqrt(kernel.length), shift = (old - size) / 2;
  const inside = (i) => i >= 0 && i < old;
  return Array.from({ length: size * size }, (_, i) => {
    const row = Math.floor(i / size) + shift, column = (i % size) + shift;
    return inside(row) && inside(column) ? kernel[row * old + column] : 0;
  });
}

const TRAITS = ["image_name", "kernel", "bias", "row", "column", "mode", "strings"];
const SIGNED = ["sobel_vertical", "sobel_horizontal", "emboss", "outline"]; // presets with negative output
const LIMIT = 1000; // of a typed number, as in kernel_lab.py
const square = (kernel, size) => Array.from({ length: size }, (_, i) => Array.from(kernel.slice(i * size, (i + 1) * size)));
const same = (a, b) => a.every((value, i) => Math.abs(value - b[i]) < 1e-9);
const sumNumber = (value) => formatNumber(value, Math.abs(value) < 100 ? 3 : 1);
const presetOf = (kernel, size) => Object.keys(PRESETS).find((name) => same(presetKernel(name, size), kernel));

/** Everything that the views show, computed from the traits and the picture. */
function readState(model, image) {
  const kernel = model.get("kernel").flat(), size = Math.sqrt(kernel.length), bias = model.get("bias");
  const { height, width, values } = image;
  const rows = height - size + 1, columns = width - size + 1;
  const row = clamp(model.get("row"), rows - 1), column = clamp(model.get("column"), columns - 1);
  const output = crossCorrelate(values, height, width, kernel, size, bias), mode = model.get("mode");
  const patch = patchAt(values, width, row, column, size);
  return {
    image, height, width, kernel, size, bias, rows, columns, row, column, mode, patch,
    range: greyRange(output, mode), grey: toGrey(output, mode), result: weightedSum(patch, kernel, bias),
  };
}

function kernelChoices(model, t) {
  const setKernel = (kernel, size) => choose(model, { kernel: square(kernel, size) });
  const sizes = [3, 5].map((size) => [size, t("size_option", { size })]);
  const size = selectField(t("size"), sizes, (text) => {
    const kernel = model.get("kernel").flat(), name = presetOf(kernel, Math.sqrt(kernel.length));
    setKernel(name ? presetKernel(name, +text) : resizeKernel(kernel, +text), +text);
  });
  const presets = Object.keys(PRESETS).map((name) => [name, button(t(`preset_${name}`), () => {
    setKernel(presetKernel(name, +size.select.value), +size.select.value);
    choose(model, { mode: SIGNED.includes(name) ? "signed" : "clip" });
  })]);
  const group = element("div", { class: "lm-presets", role: "group", "aria-label": t("presets") }, ...presets.map(([, node]) => node));
  const paint = (state) => {
    size.select.value = state.size;
    const chosen = presetOf(state.kernel, state.size);
    for (const [name, node] of presets) node.setAttribute("aria-pressed", name === chosen);
  };
  return { size: size.node, group, paint };
}

/** How the position in the two pictures is read and set; both share one frame, so one mapping serves both. */
function positionOf(model, current) {
  const inside = ({ rows, columns }, row, column) => [clamp(row, rows - 1), clamp(column, columns - 1)];
  return {
    place: () => inside(current(), model.get("row"), model.get("column")),
    at: (x, y) => {
      const { height, width, size } = current(), half = (size - 1) / 2;
      return [Math.floor(y * height) - half, Math.floor(x * width) - half];
    },
    move: (...position) => inside(current(), ...position).forEach((value, i) => model.set(["row", "column"][i], value)),
    settle: () => model.save_changes(),
  };
}

/** A picture with its size above and its grey scale below. */
function figure(t, name, picker, ...below) {
  const scale = greyScale(), note = element("span", { class: "lm-note" });
  const title = element("p", { class: "lm-title lm-heading" }, name, note);
  const node = element("div", { class: "lm-figure" }, title, picker.node, scale.node, ...below);
  const describe = (state, size) => {
    picker.node.style.aspectRatio = `${state.width} / ${state.height}`;
    const place = t("position", { row: state.row, column: state.column, result: sumNumber(state.result) });
    const values = { valuemax: state.rows * state.columns - 1, valuenow: state.row * state.columns + state.column, valuetext: place };
    for (const [key, value] of Object.entries(values)) picker.node.setAttribute(`aria-${key}`, value);
    note.textContent = size;
  };
  return { node, scale, describe };
}

function inputView(model, t, current) {
  const picker = positionPicker(t("input"), positionOf(model, current)), view = figure(t, t("input"), picker);
  view.scale.paint("0", "", "1");
  const paint = (state) => {
    const { image, height, width, row, column, size } = state;
    paintGrey(picker.canvas, image.grey, height, width);
    placeInside(picker.mark, row / height, column / width, size / height, size / width);
    view.describe(state, t("input_size", state));
  };
  return { node: view.node, paint };
}

/** The output keeps its distance from the border, where the kernel does not fit. */
function outputView(model, t, current) {
  const mode = selectField(t("mode"), ["clip", "signed"].map((name) => [name, t(`mode_${name}`)]), (name) => choose(model, { mode: name }));
  const picker = positionPicker(t("output"), positionOf(model, current)), view = figure(t, t("output"), picker, mode.node);
  const paint = (state) => {
    const { height, width, rows, columns, row, column, size, range } = state, half = (size - 1) / 2;
    paintGrey(picker.canvas, state.grey, rows, columns);
    placeInside(picker.canvas, half / height, half / width, rows / height, columns / width);
    placeInside(picker.mark, (row + half) / height, (column + half) / width, 1 / height, 1 / width);
    const numbers = range.map((end) => formatNumber(end, 2));
    view.scale.paint(...(state.mode === "clip" ? [t("at_most"), "", t("at_least")] : [numbers[0], "0", numbers[1]]));
    mode.select.value = state.mode;
    view.describe(state, t("output_size", state));
  };
  return { node: view.node, paint };
}

/** patch × kernel + bias = output pixel; kernel and bias are the fields in which the reader types. */
function equationView(model, t) {
  const patch = squareGrid({ role: "group", "aria-label": t("patch") }, () => ({ node: element("span", { class: "lm-cell" }) }));
  const type = (row, column, value) => {
    const kernel = model.get("kernel").map((line) => [...line]); // a changed copy: the model compares old and new
    kernel[row][column] = value;
    choose(model, { kernel });
  };
  const kernel = squareGrid({ role: "group", "aria-label": t("kernel") }, (row, column) => {
    const field = numberField({ "aria-label": t("weight", { row: row + 1, column: column + 1 }) }, LIMIT, (value) => type(row, column, value));
    return { ...field, node: field.input };
  });
  const bias = numberField({ "aria-label": t("bias") }, LIMIT, (value) => choose(model, { bias: value }));
  const result = element("output", { class: "lm-cell lm-result", "aria-label": t("result"), "aria-live": "off" });
  const end = element("div", { class: "lm-end" }, sign("+"), part(t("bias"), bias.input), sign("="), part(t("result"), result));
  const node = element("div", { class: "lm-equation" }, part(t("patch"), patch.node), sign("×"), part(t("kernel"), kernel.node), end);
  const paint = (state) => {
    node.dataset.size = state.size;
    patch.resize(state.size).forEach((cell, i) => {
      cell.node.textContent = formatNumber(state.patch[i], 2);
      shade(cell.node, Math.round(state.patch[i] * 255));
    });
    kernel.resize(state.size).forEach((field, i) => field.show(state.kernel[i]));
    bias.show(state.bias);
    result.textContent = sumNumber(state.result);
    shade(result, state.grey[state.row * state.columns + state.column]);
  };
  return { node, paint };
}

/** One line of the sum: the products of one kernel row and what they add up to. */
function sumLine(size) {
  const span = (name) => element("span", { class: `lm-${name}` });
  const products = Array.from({ length: size }, () => ({ node: span("term"), weight: span("w"), pixel: span("x") }));
  products.forEach(({ node, weight, pixel }) => node.append(weight, pixel));
  const total = span("line-total");
  const paint = (weights, pixels) => {
    products.forEach(({ node, weight, pixel }, i) => {
      weight.textContent = shortNumber(weights[i]);
      pixel.textContent = ` · ${formatNumber(pixels[i], 2)}`;
      node.classList.toggle("lm-zero", weights[i] === 0);
    });
    const sum = weightedSum(pixels, weights, 0);
    total.textContent = ` = ${sumNumber(sum)}`;
    return sum;
  };
  return { node: element("div", { class: "lm-line" }, ...products.map(({ node }) => node), total), paint };
}

/** The sum in full: one line per kernel row, then the lines added up. */
function sumView(t) {
  const body = element("div", { class: "lm-lines" }), last = element("p", { class: "lm-last" });
  const longest = (texts) => Math.max(...texts.map((text) => text.length));
  let lines = [];
  const paint = ({ size, kernel, patch, bias, result }) => {
    if (lines.length !== size) {
      lines = Array.from({ length: size }, () => sumLine(size));
      body.replaceChildren(...lines.map(({ node }) => node));
    }
    const weights = square(kernel, size), pixels = square(patch, size);
    const totals = lines.map((line, i) => sumNumber(line.paint(weights[i], pixels[i])));
    // The stylesheet chooses a letter size with which the longest line fits.
    const counts = { size, weight: longest(kernel.map(shortNumber)), total: longest(totals) };
    for (const [name, count] of Object.entries(counts)) body.style.setProperty(`--lm-${name}`, count);
    last.textContent = [...totals, shortNumber(bias)].reduce((sum, next) => `${sum} ${next.startsWith("−") ? next.replace("−", "− ") : `+ ${next}`}`);
    last.append(" = ", element("strong", {}, sumNumber(result)));
  };
  return { node: element("div", { class: "lm-sum" }, element("p", { class: "lm-title" }, t("sum")), body, last), paint };
}

function render({ model, el }) {
  const t = texts(model), photos = photographs(model), own = { photo: null };
  let state = null;
  const paint = () => {
    state = readState(model, own.photo ?? photos.get(model.get("image_name")));
    views.forEach((view) => view.paint(state));
  };
  const current = () => state;
  const source = photoFields(model, t, own, () => paint()), kernels = kernelChoices(model, t);
  const input = inputView(model, t, current), output = outputView(model, t, current);
  const equation = equationView(model, t), sum = sumView(t);
  const views = [source, kernels, input, output, equation, sum];
  el.append(element("div", { class: "lm lm-kernel-lab" },
    element("div", { class: "lm-bar" }, source.node, source.open, kernels.size), source.message, kernels.group,
    element("div", { class: "lm-pair" }, input.node, output.node),
    element("p", { class: "lm-note" }, t("hint")), equation.node, sum.node));
  return paintOnChange(model, TRAITS, paint);
}

export default { render };
