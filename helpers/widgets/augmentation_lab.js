// A photograph, the same one augmented, and the histograms of both. Views, then render; the arithmetic is in _augmentation.js.

const ORIGINAL = { // as in _augmentation.py
  flip: false, rotation: 0, zoom: 1, shift_right: 0, shift_down: 0, contrast: 1, brightness: 0, noise: 0,
  erased_size: 0, erased_right: 0.5, erased_down: 0.5,
};
const SETTINGS = [...Object.keys(ORIGINAL), "fill", "seed"], TRAITS = [...SETTINGS, "image_name", "strings"];
/** Least, most, step and unit of each range; the limits as in _augmentation.py. */
const RANGES = {
  rotation: [-180, 180, 1, "degrees"], zoom: [0.5, 2, 0.01, "factor"], shift_right: [-0.5, 0.5, 0.01, "percent"], shift_down: [-0.5, 0.5, 0.01, "percent"],
  contrast: [0, 2, 0.01, "factor"], brightness: [-0.5, 0.5, 0.01, "number"], noise: [0, 0.3, 0.01, "number"],
  erased_size: [0, 0.6, 0.01, "percent"], erased_right: [0, 1, 0.01, "percent"], erased_down: [0, 1, 0.01, "percent"],
};
const GROUPS = {
  geometry: ["rotation", "zoom", "shift_right", "shift_down"], light: ["contrast", "brightness", "noise"],
  square: ["erased_size", "erased_right", "erased_down"],
};
const FILLS = ["black", "reflected"], CHANNELS = ["red", "green", "blue"];
const BINS = 64, LAST_SEED = 999999; // as in augmentation_lab.py

const channelsOf = (levels) => CHANNELS.map((_, i) => levels.subarray((i * levels.length) / 3, ((i + 1) * levels.length) / 3));

/** What is shown of a picture: levels 0…255, the shares of its histograms, [mean, standard deviation], shares of each channel cut off at 0 and at 255. */
function described(levels, low = [0, 0, 0], high = [0, 0, 0]) {
  const share = (count) => (3 * count) / levels.length;
  const shares = channelsOf(levels).map((channel) => histogram(channel, BINS).map(share));
  return { levels, shares, moments: moments(levels), low: low.map(share), high: high.map(share) };
}

/** The photographs by name; their values are 0…1, channel by channel. */
function photographs(model) {
  const bytes = readBytes(model.get("pixels"));
  return new Map(model.get("sources").map(({ name, height, width, start }) => {
    const levels = bytes.subarray(start, start + 3 * height * width);
    return [name, { name, height, width, before: described(levels), values: Float64Array.from(levels, (level) => level / 255) }];
  }));
}

/** Everything that the views show, computed from the traits. */
function readState(model, photos) {
  const { name, height, width, before, values } = photos.get(model.get("image_name"));
  const settings = Object.fromEntries(SETTINGS.map((setting) => [setting, model.get(setting)]));
  const { levels, low, high, outside } = augment(values, height, width, settings), after = described(levels, low, high);
  // The ends can hold half of a picture, so that all others would be seen no more.
  const top = Math.max(...[before, after].flatMap((picture) => picture.shares.flatMap((bins) => bins.slice(1, -1)))) || 1;
  return { name, height, width, settings, before, after, outside, top };
}

const percent = (share) => formatNumber(100 * share, 1);
const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

/** A setting as it is written beside its range. */
function written(t, unit, value) {
  const number = { degrees: () => shortNumber(value), percent: () => shortNumber(100 * value) }[unit]?.() ?? formatNumber(value, 2);
  return unit === "number" ? number : t(`unit_${unit}`, { number });
}

function rangeOf(model, t, name) {
  const [min, max, step, unit] = RANGES[name];
  const field = valuedRange(t(`label_${name}`), { min, max, step }, (value) => model.set(name, value), () => model.save_changes());
  return { node: field.node, paint: ({ settings }) => field.show(settings[name], written(t, unit, settings[name])) };
}

/** Whether left and right are exchanged. */
function flipField(model, t) {
  const input = element("input", { type: "checkbox" });
  input.addEventListener("change", () => choose(model, { flip: input.checked }));
  return { node: element("label", { class: "lm-check" }, input, t("flip")), paint: ({ settings }) => { input.checked = settings.flip; } };
}

function fillField(model, t) {
  const field = selectField(t("fill"), FILLS.map((fill) => [fill, t(`fill_${fill}`)]), (fill) => choose(model, { fill }));
  return { node: field.node, paint: ({ settings }) => { field.select.value = settings.fill; } };
}

/** All settings, in the order in which they are applied. */
function settingsView(model, t) {
  const groups = Object.keys(GROUPS).map((group) => {
    const ranges = GROUPS[group].map((name) => rangeOf(model, t, name));
    const fields = group === "geometry" ? [flipField(model, t), ...ranges, fillField(model, t)] : ranges;
    const node = element("fieldset", { class: "lm-group" }, element("legend", { class: "lm-title" }, t(`group_${group}`)), ...fields.map((field) => field.node));
    return { node, fields };
  });
  const paint = (state) => groups.forEach(({ fields }) => fields.forEach((field) => field.paint(state)));
  return { node: element("div", { class: "lm-settings" }, ...groups.map(({ node }) => node)), paint };
}

/** Choice of a photograph, a random draw of all settings but the fill, and the way back. */
function sourceView(model, t) {
  const photo = selectField(t("photo"), model.get("sources").map(({ name }) => [name, name]), (name) => choose(model, { image_name: name }));
  const draw = button(t("draw"), () => {
    const seed = (model.get("seed") + 1) % (LAST_SEED + 1);
    choose(model, { seed, ...drawnSettings(seed) });
  });
  const reset = button(t("reset"), () => choose(model, ORIGINAL));
  const seed = element("p", { class: "lm-note" });
  const paint = ({ name, settings }) => {
    photo.select.value = name;
    seed.textContent = t("seed", settings);
  };
  return { node: element("div", { class: "lm-bar" }, photo.node, draw, reset, seed), paint };
}

/** Levels (3 × height × width, 0…255) at one canvas pixel each; the stylesheet enlarges them unsmoothed. */
function paintLevels(canvas, levels, height, width) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const picture = new ImageData(width, height), [red, green, blue] = channelsOf(levels);
  const pixels = new Uint32Array(picture.data.buffer); // alpha, blue, green, red, as every browser stores them
  for (let i = 0; i < pixels.length; i += 1) pixels[i] = 0xff000000 | (blue[i] << 16) | (green[i] << 8) | red[i];
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

/** A picture below its name and size. */
function photoView(t, title) {
  const canvas = element("canvas", { class: "lm-photo", role: "img", "aria-label": title }), size = element("span", { class: "lm-note" });
  const node = element("div", { class: "lm-figure" }, element("p", { class: "lm-title lm-heading" }, title, size), canvas);
  const paint = ({ height, width }, { levels }) => {
    paintLevels(canvas, levels, height, width);
    size.textContent = t("size", { height, width });
  };
  return { node, paint };
}

const bar = (share, i) => `M${i} 0v${-share}h1v${share}z`;
const outline = (bins) => `M0 0${bins.map((share) => `V${-share}h1`).join("")}V0`;

/** The histogram of one channel: bars, what was cut off at the two ends, and the outline of another histogram. */
function histogramView(t, channel) {
  const paths = ["bars", "cut", "outline"].map((part) => part2d("path", { class: `lm-${part}` }));
  const svg = part2d("svg", { preserveAspectRatio: "none", "aria-hidden": "true" }, ...paths);
  const [low, middle, high] = ["low", "middle", "high"].map((side) => element("span", { class: `lm-${side}` }));
  middle.textContent = t(`channel_${channel}`);
  const paint = (top, bins, ends, other) => {
    svg.setAttribute("viewBox", `0 ${-top} ${BINS} ${top}`);
    const drawn = [bins.map(bar).join(""), bar(ends[0], 0) + bar(ends[1], BINS - 1), other ? outline(other) : ""];
    paths.forEach((path, i) => path.setAttribute("d", drawn[i]));
    [low, high].forEach((node, i) => { node.textContent = ends[i] ? t("unit_percent", { number: percent(ends[i]) }) : ""; });
  };
  return { node: element("div", { class: `lm-histogram lm-${channel}` }, element("p", { class: "lm-channel" }, low, middle, high), svg), paint };
}

/** The histograms of red, green and blue above one axis. */
function histogramsView(t) {
  const charts = CHANNELS.map((channel) => histogramView(t, channel));
  const ticks = [0, 64, 128, 192, 255].map((level) => {
    const tick = element("span", {}, String(level));
    tick.style.left = `${(100 * level) / 255}%`;
    return tick;
  });
  const node = element("div", { class: "lm-histograms" }, ...charts.map((chart) => chart.node),
    element("div", { class: "lm-axis", "aria-hidden": "true" }, ...ticks), element("p", { class: "lm-below" }, t("level")));
  const paint = ({ top }, { shares, low, high }, other) => charts.forEach((chart, i) => chart.paint(top, shares[i], [low[i], high[i]], other?.shares[i]));
  return { node, paint };
}

function legendView(t) {
  const height = element("li", {});
  const entry = (part, text) => element("li", {}, element("span", { class: `lm-key lm-key-${part}`, "aria-hidden": "true" }), text);
  const node = element("ul", { class: "lm-legend lm-note" }, entry("outline", t("legend_outline")), entry("cut", t("legend_cut")), height);
  return { node, paint: ({ top }) => { height.textContent = t("legend_height", { percent: percent(top) }); } };
}

/** What the augmentation did, spoken when it changes. */
function sentences(t) {
  const node = element("p", { class: "lm-sentences", role: "status", "aria-live": "polite" });
  const paint = ({ before, after, outside, settings }) => {
    const [first, now] = [before.moments, after.moments].map((pair) => pair.map((number) => formatNumber(number, 1)));
    const [low, high] = [mean(after.low), mean(after.high)], ends = ["none", "low", "high", "both"][(low > 0) + 2 * (high > 0)];
    const values = { mean_before: first[0], deviation_before: first[1], mean: now[0], deviation: now[1] };
    const changed = () => [t("moments", values), t(`cut_${ends}`, { low: percent(low), high: percent(high) }),
      t(`outside_${outside ? settings.fill : "none"}`, { percent: percent(outside) })].join(" ");
    const text = before.levels.every((level, i) => level === after.levels[i]) ? t("unchanged", values) : changed();
    if (node.textContent !== text) node.textContent = text;
  };
  return { node, paint };
}

/** From where a random draw takes each number. */
function rangesText(t) {
  const end = (name, value) => written(t, RANGES[name][3] === "factor" ? "number" : RANGES[name][3], value);
  const range = ([name, [low, high]]) => [name, t("range", { low: end(name, low), high: end(name, high) })];
  return t("ranges", Object.fromEntries(Object.entries(DRAWN).map(range)));
}

function render({ model, el }) {
  const t = texts(model), photos = photographs(model);
  const source = sourceView(model, t), settings = settingsView(model, t), legend = legendView(t), words = sentences(t);
  const [before, after] = [photoView(t, t("original")), photoView(t, t("augmented"))], [left, right] = [histogramsView(t), histogramsView(t)];
  el.append(element("div", { class: "lm lm-augmentation-lab" }, source.node,
    element("div", { class: "lm-pair lm-photos" }, before.node, after.node), element("div", { class: "lm-pair" }, left.node, right.node),
    legend.node, words.node, settings.node,
    element("p", { class: "lm-note" }, t("hint")), element("p", { class: "lm-note" }, rangesText(t))));
  return paintOnChange(model, TRAITS, () => {
    const state = readState(model, photos);
    for (const view of [before, left]) view.paint(state, state.before);
    for (const view of [after, right]) view.paint(state, state.after, state.before);
    [source, settings, legend, words].forEach((view) => view.paint(state));
  });
}

export default { render };
