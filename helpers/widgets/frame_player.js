// Frames of something that was computed beforehand: a range to step through them, a button to play them.

/** The PNG file of one frame : offsets has one entry more than there are frames. */
export function frameBytes(bytes, offsets, frame) {
  return bytes.slice(offsets[frame], offsets[frame + 1]);
}

/** The frame after this one; the last one is followed by none (null). */
export function following(frame, count) {
  return frame + 1 < count ? frame + 1 : null;
}

/** Where playing starts: from here, or from the beginning when the last frame is on screen. */
export function playingFrom(frame, count) {
  return following(frame, count) === null ? 0 : frame;
}

/** All frames on top of each other, one of them visible: stepping neither flickers nor waits for decoding. */
function frameStack(model, t) {
  const bytes = readBytes(model.get("pictures")), offsets = model.get("offsets"), labels = model.get("labels");
  const links = labels.map((_, i) => URL.createObjectURL(new Blob([frameBytes(bytes, offsets, i)], { type: "image/png" })));
  const images = links.map((src, i) => element("img", { src, alt: `${model.get("alt")} ${labels[i]}`, class: "lm-frame" }));
  const paint = (shown) => images.forEach((image, i) => image.classList.toggle("lm-shown", i === shown));
  const release = () => links.forEach((link) => URL.revokeObjectURL(link));
  return { node: element("div", { class: "lm-frames" }, ...images), paint, release };
}

/** A button that advances the model's frame; it stops at the last one, and when stop() is called. */
function playButton(model, t, count) {
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    node.textContent = t("play");
  };
  const settle = () => { stop(); model.save_changes(); };
  const advance = () => {
    const next = following(model.get("frame"), count);
    if (next !== null) model.set("frame", next);
    if (following(model.get("frame"), count) === null) settle();
  };
  const node = button(t("play"), () => {
    if (timer !== null) return settle();
    model.set("frame", playingFrom(model.get("frame"), count));
    node.textContent = t("pause");
    timer = setInterval(advance, 1000 * model.get("seconds"));
  });
  return { node, stop };
}

function render({ model, el }) {
  const t = texts(model), labels = model.get("labels"), count = labels.length;
  const stack = frameStack(model, t), play = playButton(model, t, count);
  const step = (frame) => { play.stop(); model.set("frame", frame); };
  const range = rangeField(t("frame"), { min: 0, max: count - 1 }, step, () => model.save_changes());
  const label = element("output", { class: "lm-caption", "aria-live": "off" });
  const number = element("span", { class: "lm-note" });
  const paint = () => {
    const frame = model.get("frame");
    stack.paint(frame);
    range.input.value = frame;
    range.input.setAttribute("aria-valuetext", labels[frame]);
    label.textContent = labels[frame];
    number.textContent = t("count", { number: frame + 1, count });
  };
  el.append(element("div", { class: "lm lm-frame-player" }, stack.node,
    element("div", { class: "lm-bar" }, play.node, range.node, number), label));
  const release = paintOnChange(model, ["frame"], paint);
  return () => { release(); play.stop(); stack.release(); };
}

export default { render };
