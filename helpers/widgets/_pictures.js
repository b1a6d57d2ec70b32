// Grey pictures: reading them, drawing them, picking a position in them. Joined after _common.js where wanted.

/** Brightness 0…255 of red, green, blue, alpha bytes, by the weights of ITU-R BT.601. */
export function luminance(rgba) {
  return Uint8ClampedArray.from({ length: rgba.length / 4 }, (_, i) => 0.299 * rgba[4 * i] + 0.587 * rgba[4 * i + 1] + 0.114 * rgba[4 * i + 2]);
}

const OWN_SIDES = [16, 160]; // pixels of the reader's own photo

function photo(grey, height, width) {
  return { grey, height, width, values: Float64Array.from(grey, (level) => level / 255) };
}

/** The photographs that came with the explorable, by name. */
function photographs(model) {
  const bytes = readBytes(model.get("pixels"));
  const entry = ({ name, height, width, start }) => [name, photo(bytes.subarray(start, start + height * width), height, width)];
  return new Map(model.get("sources").map(entry));
}

/** A file of the reader in grey, at most 160 pixels a side; null when it is too narrow. It stays in this page. */
async function readPhoto(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, OWN_SIDES[1] / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.round(side * scale));
  if (Math.min(width, height) < OWN_SIDES[0]) return null;
  const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  context.fillStyle = "white"; // shows through transparent pixels
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  return photo(luminance(context.getImageData(0, 0, width, height).data), height, width);
}

/** Choice of a photograph, or a file of the reader. own.photo is kept here: a file has no trait. */
function photoFields(model, t, own, repaint) {
  const options = [...model.get("sources").map(({ name }) => [name, name]), ["", t("own_shown")]];
  const show = (picked) => { own.photo = picked; repaint(); };
  const choice = selectField(t("photo"), options, (name) => { choose(model, { image_name: name }); show(null); });
  const message = element("p", { class: "lm-note lm-message", role: "status" });
  const file = element("input", { type: "file", accept: "image/*", class: "lm-file" });
  file.addEventListener("change", async () => {
    const picked = await readPhoto(file.files[0]).catch(() => undefined);
    if (picked) show(picked);
    message.textContent = picked ? t("own_stays") : picked === null ? t("own_narrow") : t("own_unreadable");
  });
  const paint = () => {
    choice.select.lastChild.hidden = !own.photo;
    choice.select.value = own.photo ? "" : model.get("image_name");
  };
  return { node: choice.node, open: element("label", { class: "lm-button" }, t("own"), file), message, paint };
}

/** Draw grey levels (height × width, 0…255) at one canvas pixel each; the stylesheet enlarges them unsmoothed. */
function paintGrey(canvas, grey, height, width) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const picture = new ImageData(width, height);
  const pixels = new Uint32Array(picture.data.buffer); // alpha, blue, green, red, as every browser stores them
  for (let i = 0; i < pixels.length; i += 1) pixels[i] = 0xff000000 | (grey[i] * 0x010101);
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

/** A strip from black to white with what its ends and its middle stand for. */
function greyScale() {
  const [low, middle, high] = ["lm-low", "lm-middle", "lm-high"].map((side) => element("span", { class: side }));
  const node = element("div", { class: "lm-scale" }, element("span", { class: "lm-ramp" }), low, middle, high);
  const paint = (...numbers) => [low, middle, high].forEach((part, i) => { part.textContent = numbers[i]; });
  return { node, paint };
}

/** Show a grey level behind a number, with the text colour that can be read on it. */
function shade(node, level) {
  node.style.backgroundColor = `rgb(${level} ${level} ${level})`;
  node.classList.toggle("lm-on-dark", level < 118); // from here on black has more contrast than white
}

/** A grid position moved by arrow keys; Infinity is an end of the row. */
const POSITION_KEYS = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
  PageUp: [-10, 0], PageDown: [10, 0], Home: [0, -Infinity], End: [0, Infinity],
};

/**
 * A picture in which pointer and keys pick a position. Hovering looks at a place, a click or a key keeps it.
 * @param place () => [row, column], the position now
 * @param at (x, y) => [row, column], the position at a point of the picture, both 0…1
 * @param move (row, column) => void; the caller clamps
 * @param settle () => void, when a position is kept
 */
function positionPicker(name, { place, at, move, settle }) {
  const canvas = element("canvas", { class: "lm-canvas" });
  const mark = element("span", { class: "lm-mark" });
  const node = element("div", { class: "lm-picture", role: "slider", tabindex: 0, "aria-label": name, "aria-valuemin": 0 }, canvas, mark);
  let kept = null;
  const follow = (event) => {
    const box = node.getBoundingClientRect();
    move(...at((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height));
  };
  const keep = () => { kept = place(); settle(); };
  node.addEventListener("pointerenter", () => { kept = place(); });
  node.addEventListener("pointermove", follow);
  node.addEventListener("pointerdown", (event) => node.setPointerCapture(event.pointerId));
  node.addEventListener("pointerup", (event) => { follow(event); keep(); });
  node.addEventListener("pointerleave", () => move(...kept));
  node.addEventListener("keydown", (event) => {
    const step = POSITION_KEYS[event.key];
    if (!step) return;
    event.preventDefault(); // the page would scroll
    const [row, column] = place();
    move(row + step[0], column + step[1]);
    keep();
  });
  return { node, canvas, mark };
}

/** Place a part of a picture: top, left, height and width as fractions of the whole. */
function placeInside(node, top, left, height, width) {
  Object.entries({ top, left, height, width }).forEach(([side, part]) => node.style.setProperty(side, `${100 * part}%`));
}
