// Put in front of every NAME.js by helpers.widgets.base: both are one ES module without imports.

/** @param {DataView | Uint8Array} view a Bytes trait @returns {Uint8Array} the same bytes */
function readBytes(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Fixed decimals, with a true minus sign and no "−0.00". */
export function formatNumber(value, decimals) {
  const digits = Math.abs(value).toFixed(decimals);
  return value < 0 && Number(digits) !== 0 ? `−${digits}` : digits;
}

/** A weight: at most three decimals (one from 10 on), as in 0.111, −1, 12.5. */
export function shortNumber(value) {
  const rounded = Number(value.toFixed(Math.abs(value) < 10 ? 3 : 1));
  return rounded < 0 ? `−${-rounded}` : String(Math.abs(rounded));
}

/** A whole number brought into 0…last. */
function clamp(value, last) {
  return Math.min(Math.max(value, 0), last);
}

/** The function t(key, values) that looks a text up in the trait `strings` and fills in {names}. */
function texts(model) {
  return (key, values = {}) => {
    const text = model.get("strings")[key];
    if (text === undefined) throw new Error(`strings.${key}`);
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  };
}

/** A DOM element; children are nodes or strings. */
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** The same work for every control: a visible text, and the control inside its label. */
function labelled(text, control) {
  return element("label", { class: "lm-field" }, element("span", { class: "lm-label" }, text), control);
}

/** A range: onMove at every step of a drag, onRelease when the hand lets go. */
function rangeField(text, { min, max, step = 1 }, onMove, onRelease) {
  const input = element("input", { type: "range", class: "lm-range", min, max, step });
  input.addEventListener("input", () => onMove(input.valueAsNumber));
  input.addEventListener("change", onRelease);
  return { node: labelled(text, input), input };
}

/** A range with its value written beside its name. */
function valuedRange(text, limits, onMove, onRelease) {
  const field = rangeField(text, limits, onMove, onRelease), value = element("span", { class: "lm-value", "aria-hidden": "true" });
  field.node.firstChild.append(value);
  const show = (position, words) => {
    field.input.value = position;
    field.input.setAttribute("aria-valuetext", words);
    value.textContent = words;
  };
  return { node: field.node, show };
}

/** A number field: half-typed text is left alone, and goes back to the last number when the field is left. */
function numberField(attributes, limit, onNumber) {
  const input = element("input", { type: "number", step: "any", class: "lm-number", min: -limit, max: limit, ...attributes });
  const typed = () => input.value !== "" && input.validity.valid;
  const written = (value) => String(Number(value.toFixed(3)));
  let current = 0;
  const restore = () => { input.value = written(current); };
  const show = (value) => {
    current = value;
    if (input.matches(":focus") && (!typed() || written(input.valueAsNumber) === written(value))) return;
    restore();
  };
  input.addEventListener("input", () => { if (typed()) onNumber(input.valueAsNumber); });
  input.addEventListener("change", restore);
  return { input, show };
}

/** @param {[string, string][]} options value and text of each entry */
function selectField(text, options, onChoose) {
  const entries = options.map(([value, label]) => element("option", { value }, label));
  const select = element("select", { class: "lm-select" }, ...entries);
  select.addEventListener("change", () => onChoose(select.value));
  return { node: labelled(text, select), select };
}

function button(text, onClick) {
  const node = element("button", { type: "button", class: "lm-button" }, text);
  node.addEventListener("click", onClick);
  return node;
}

/** Call paint once now and once after each burst of changes; returns the undoing. */
function paintOnChange(model, traits, paint) {
  let waiting = false;
  const request = () => {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => { waiting = false; paint(); });
  };
  for (const trait of traits) model.on(`change:${trait}`, request);
  paint();
  return () => traits.forEach((trait) => model.off(`change:${trait}`, request));
}

/** Set traits and tell Python: for clicks and released drags. */
function choose(model, traits) {
  for (const [trait, value] of Object.entries(traits)) model.set(trait, value);
  model.save_changes();
}

/** A part of a formula below its title, and the sign between two parts. */
const part = (title, ...content) => element("div", { class: "lm-part" }, element("p", { class: "lm-title" }, title), ...content);
const sign = (text) => element("span", { class: "lm-sign", "aria-hidden": "true" }, text);

/** A part of an SVG picture. */
function part2d(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** A square grid of cells, made anew only when its size changes. */
function squareGrid(attributes, makeCell) {
  const node = element("div", { ...attributes, class: `lm-grid ${attributes.class ?? ""}` });
  let cells = [];
  const resize = (size) => {
    if (cells.length === size * size) return cells;
    cells = Array.from({ length: size * size }, (_, i) => makeCell(Math.floor(i / size), i % size));
    node.style.setProperty("--lm-size", size);
    node.replaceChildren(...cells.map((cell) => cell.node));
    return cells;
  };
  return { node, resize };
}
