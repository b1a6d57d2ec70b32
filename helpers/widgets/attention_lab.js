// A sentence as it is typed, and where each head of a small language model looks. Arithmetic, then views, then render.

/** The known characters of a text as ids, and the unknown ones, each once. */
export function readText(text, characters) {
  const known = [...characters], signs = [...text];
  return {
    ids: signs.map((sign) => known.indexOf(sign)).filter((id) => id >= 0),
    unknown: [...new Set(signs.filter((sign) => !known.includes(sign)))],
  };
}

/** The largest numbers with their places, the first of equals first: [{ i, share }]. */
export function largest(shares, count) {
  return descending(shares).slice(0, count).map((i) => ({ i, share: shares[i] }));
}

/** Half surrogates, which Python takes for no character, as U+FFFD. */
export function wellFormed(text) {
  return text.replace(/[\ud800-\udfff]/gu, "\ufffd");
}

/** read(ids) -> { logits, attention } for every token; tokens that stay the same at the start are not read again. */
function reader(languageModel) {
  const cache = emptyCache(languageModel), read = [], logits = [];
  return (ids) => {
    const change = ids.findIndex((id, i) => id !== read[i]), kept = change < 0 ? ids.length : change;
    rewind(cache, kept);
    read.length = logits.length = kept;
    for (const id of ids.slice(kept)) {
      logits.push(step(languageModel, cache, id, true));
      read.push(id);
    }
    return { logits, attention: cache.attention };
  };
}

const TRAITS = ["text", "layer", "head", "place", "strings"];
const LONGEST = 60, STRONGEST = 3, LIKELIEST = 5, LABELLED = 30; // the first three as in attention_lab.py; characters that have room beside the map
const SKILLED = 2; // times as much as even weights: then a head is said to be made for its target
const percent = (share) => `${100 * share}%`;
const written = (share) => formatNumber(share, 2);

/** Everything that the views show, computed from the traits. */
function readState(model, read) {
  const characters = [...model.get("characters")], { ids, unknown } = readText(model.get("text"), characters);
  const [layer, head] = [model.get("layer"), model.get("head")], last = ids.length - 1;
  const place = clamp(model.get("place") ?? last, last), { logits, attention } = read(ids);
  const weights = attention[layer][head][place];
  return {
    key: ids.join(), text: model.get("text"), signs: ids.map((id) => tokenName(characters[id])), unknown, layer, head, place, attention, weights,
    looks: largest(weights, STRONGEST),
    next: largest(softmax(logits[place]), LIKELIEST).map(({ i, share }) => ({ sign: tokenName(characters[i]), share })),
  };
}

/** A text field; what cannot be read stays in the field, and the trait keeps the last text. */
function textField(model, t) {
  const input = element("input", { type: "text", class: "lm-input", maxlength: LONGEST, autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const message = element("p", { class: "lm-note lm-message", role: "status" });
  const node = element("div", {}, labelled(t("text", { count: LONGEST }), input), message);
  const readable = () => readText(input.value, model.get("characters")).ids.length > 0;
  const say = ({ unknown }) => {
    const text = !readable() ? t("nothing") : unknown.length ? t("unknown", { signs: unknown.join(" ") }) : "";
    if (message.textContent !== text) message.textContent = text;
  };
  const paint = (state) => {
    if (wellFormed(input.value) !== state.text && (!input.matches(":focus") || readable())) input.value = state.text;
    say(state);
  };
  input.addEventListener("input", () => {
    if (!readable()) return say({ unknown: [] });
    model.set("text", wellFormed(input.value));
    model.set("place", null); // the last character looks, where the hand types
    model.save_changes();
    say(readText(input.value, model.get("characters")));
  });
  input.addEventListener("change", () => { input.value = model.get("text"); say(readText(input.value, model.get("characters"))); });
  return { node, paint };
}

/** A button for each kind of head that was found by measuring, and the measured number of the chosen one. */
function findingsView(model, t) {
  const found = model.get("findings");
  const buttons = found.map(({ name, layer, head }) => button(t(`find_${name}`), () => choose(model, { layer, head })));
  const note = element("p", { class: "lm-note lm-measured" });
  const node = element("div", { class: "lm-findings" }, element("p", { class: "lm-label" }, t("findings")), element("div", { class: "lm-bar" }, ...buttons), note);
  const paint = ({ layer, head }) => {
    const isHere = (one) => one.layer === layer && one.head === head, here = found.filter(isHere);
    buttons.forEach((one, i) => one.setAttribute("aria-pressed", isHere(found[i])));
    note.textContent = here.map(({ name, share, counted, even }) => `${t("measured", {
      layer: layer + 1, head: head + 1, share: written(share), even: written(even), counted: written(counted), where: t(`where_${name}`), count: model.get("measured_on").toLocaleString("en"),
    })} ${share < SKILLED * even ? t("unskilled") : ""}`).join(" ");
  };
  return { node, paint };
}

const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]]; // the same in light and dark, as photographs are

/** Colours along the ramp as alpha, blue, green, red, as every browser stores them. */
const COLOURS = Uint32Array.from({ length: 256 }, (_, level) => {
  const along = (level / 255) * (RAMP.length - 1), i = Math.min(Math.floor(along), RAMP.length - 2);
  const [red, green, blue] = RAMP[i].map((from, channel) => Math.round(from + (along - i) * (RAMP[i + 1][channel] - from)));
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
});

/** Rows of weights as one pixel each; the square root of a weight runs along the ramp, so that small ones can be told apart. The future stays transparent. */
function paintMap(canvas, rows) {
  const size = rows.length, picture = new ImageData(size, size), pixels = new Uint32Array(picture.data.buffer);
  for (let row = 0; row < size; row += 1) {
    for (let i = 0; i <= row; i += 1) pixels[row * size + i] = COLOURS[Math.round(255 * Math.sqrt(rows[row][i]))];
  }
  Object.assign(canvas, { width: size, height: size });
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

const HEAD_KEYS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** The maps of all heads: radio buttons in rows of layers, one tab stop, arrow keys in four directions. */
function headsView(model, t) {
  const { n_layers, n_heads } = model.get("settings");
  const places = Array.from({ length: n_layers * n_heads }, (_, i) => [Math.floor(i / n_heads), i % n_heads]);
  const radios = places.map(([layer, head]) => {
    const canvas = element("canvas", { class: "lm-map" });
    const node = element("button", { type: "button", class: "lm-head", role: "radio", "aria-label": t("head", { layer: layer + 1, head: head + 1 }) }, canvas);
    node.addEventListener("click", () => choose(model, { layer, head }));
    return { node, canvas };
  });
  const grid = element("div", { class: "lm-heads", role: "radiogroup", "aria-label": t("heads") }, ...radios.map(({ node }) => node));
  grid.style.setProperty("--lm-heads", n_heads);
  grid.addEventListener("keydown", (event) => {
    const way = HEAD_KEYS[event.key];
    if (!way) return;
    event.preventDefault(); // the page would scroll
    const layer = clamp(model.get("layer") + way[0], n_layers - 1), head = clamp(model.get("head") + way[1], n_heads - 1);
    choose(model, { layer, head });
    radios[layer * n_heads + head].node.focus();
  });
  let painted = null;
  const paint = ({ key, layer, head, attention }) => {
    places.forEach(([row, column], i) => {
      const chosen = row === layer && column === head, { node, canvas } = radios[i];
      node.setAttribute("aria-checked", chosen);
      node.tabIndex = chosen ? 0 : -1;
      if (key !== painted) paintMap(canvas, attention[row][column]);
    });
    painted = key;
  };
  return { node: element("div", { class: "lm-all" }, element("p", { class: "lm-label" }, t("heads")), grid), paint };
}

/** Hovering looks at a character, a click keeps it. at(event) -> the place under the pointer, or null. */
function follow(node, model, at) {
  let kept = null;
  const move = (event) => {
    const place = at(event);
    if (place !== null) model.set("place", place);
  };
  node.addEventListener("pointerenter", () => { kept = model.get("place"); });
  node.addEventListener("pointermove", move);
  node.addEventListener("pointerup", (event) => {
    move(event);
    kept = model.get("place");
    model.save_changes();
  });
  node.addEventListener("pointerleave", () => model.set("place", kept));
}

/** The chosen head's map, large, with the row of the character that looks framed. The strip below is its equal for the keyboard. */
function mapView(model, t, current) {
  const canvas = element("canvas", { class: "lm-canvas" }), mark = element("span", { class: "lm-mark" });
  const picture = element("div", { class: "lm-picture" }, canvas, mark), down = element("div", { class: "lm-down" }), across = element("div", { class: "lm-across" });
  const title = element("p", { class: "lm-title" }), scale = ["low", "middle", "high"].map((end) => element("span", { class: `lm-${end}` }, t(`scale_${end}`)));
  const node = element("div", { class: "lm-large" }, title, element("p", { class: "lm-note" }, t("map")),
    element("div", { class: "lm-framed", "aria-hidden": "true" }, across, down, picture), element("div", { class: "lm-scale", "aria-hidden": "true" }, element("span", { class: "lm-ramp" }), ...scale));
  follow(picture, model, (event) => {
    const box = picture.getBoundingClientRect(), count = current().signs.length;
    return clamp(Math.floor(((event.clientY - box.top) / box.height) * count), count - 1);
  });
  let painted = null;
  const paint = ({ key, layer, head, place, signs, attention }) => {
    const count = signs.length;
    title.textContent = t("head", { layer: layer + 1, head: head + 1 });
    const now = `${layer} ${head} ${key}`;
    if (now !== painted) {
      paintMap(canvas, attention[layer][head]);
      for (const side of [down, across]) side.replaceChildren(...(count <= LABELLED ? signs : []).map((sign) => element("span", {}, sign)));
    }
    painted = now;
    Object.assign(mark.style, { left: 0, top: percent(place / count), width: percent((place + 1) / count), height: percent(1 / count) });
  };
  return { node, paint };
}

const PLACE_KEYS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };

/** The text, above each character a bar as high as the weight that the marked one gives to it: a slider over the places. */
function stripView(model, t, current) {
  const node = element("div", { class: "lm-strip", role: "slider", tabindex: 0, "aria-label": t("place"), "aria-valuemin": 1 });
  follow(node, model, (event) => {
    const cell = node.getRootNode().elementFromPoint(event.clientX, event.clientY)?.closest(".lm-letter"); // of touch, too, the target stays the first
    return cell && node.contains(cell) ? [...node.children].indexOf(cell) : null;
  });
  node.addEventListener("keydown", (event) => {
    const by = PLACE_KEYS[event.key], { place, signs } = current();
    if (by === undefined) return;
    event.preventDefault(); // the page would scroll
    choose(model, { place: clamp(place + by, signs.length - 1) });
  });
  let painted = null;
  const paint = ({ key, place, signs, weights }) => {
    if (key !== painted) node.replaceChildren(...signs.map((sign) =>
      element("span", { class: "lm-letter" }, element("span", { class: "lm-well" }, element("span", { class: "lm-rod" })), element("span", { class: "lm-glyph" }, sign))));
    painted = key;
    [...node.children].forEach((cell, i) => {
      cell.firstChild.firstChild.style.height = percent(weights[i] ?? 0);
      cell.classList.toggle("lm-looking", i === place);
      cell.classList.toggle("lm-later", i > place);
    });
    const values = { valuemax: signs.length, valuenow: place + 1, valuetext: placeText(t, { place, signs }) };
    for (const [name, value] of Object.entries(values)) node.setAttribute(`aria-${name}`, value);
  };
  return { node: element("div", {}, element("p", { class: "lm-label" }, t("place")), node, element("p", { class: "lm-note" }, t("hint"))), paint };
}

const placeText = (t, { place, signs }) => t("place_value", { number: place + 1, count: signs.length, sign: signs[place] });
const lookText = (t, { place, signs }, i) => (i === place ? t("look_self", { sign: signs[i] }) : t("look", { sign: signs[i], back: place - i }));

/** A list of shares with a bar each. */
function sharesView(title) {
  const list = element("ol", { class: "lm-shares" }), node = element("div", {}, element("p", { class: "lm-title" }, title), list);
  const paint = (entries) => list.replaceChildren(...entries.map(([name, share]) => {
    const bar = element("span", { class: "lm-share", "aria-hidden": "true" });
    bar.style.width = percent(share);
    return element("li", {}, element("span", { class: "lm-name" }, name), " ", element("span", { class: "lm-number-of" }, written(share)), element("span", { class: "lm-track" }, bar));
  }));
  return { node, paint };
}

/** Where the marked character looks most, and what the model expects after it. */
function numbersView(t) {
  const looks = sharesView(t("looks")), next = sharesView(t("next"));
  const paint = (state) => {
    looks.paint(state.looks.map(({ i, share }) => [lookText(t, state, i), share]));
    next.paint(state.next.map(({ sign, share }) => [sign, share]));
  };
  return { node: element("div", { class: "lm-numbers" }, looks.node, next.node), paint };
}

const PAUSE = 700; // ms without a change, then a screen reader is told

/** All in one sentence, told when the hand rests. */
function spoken(t) {
  const node = element("p", { class: "lm-unseen lm-said", role: "status" });
  const part = (sign, share) => t("said_part", { sign, share: written(share) });
  let timer = 0;
  const paint = (state) => {
    const text = t("said", {
      head: t("head", { layer: state.layer + 1, head: state.head + 1 }), place: placeText(t, state),
      looks: state.looks.map(({ i, share }) => part(lookText(t, state, i), share)).join("; "), next: state.next.map(({ sign, share }) => part(sign, share)).join("; "),
    });
    const tell = () => { if (node.textContent !== text) node.textContent = text; };
    clearTimeout(timer);
    if (node.textContent) timer = setTimeout(tell, PAUSE);
    else tell();
  };
  return { node, paint, stop: () => clearTimeout(timer) };
}

function render({ model, el }) {
  const t = texts(model), read = reader(readLanguageModel(model));
  let state = null;
  const current = () => state, voice = spoken(t);
  const field = textField(model, t), found = findingsView(model, t), heads = headsView(model, t), map = mapView(model, t, current);
  const strip = stripView(model, t, current), numbers = numbersView(t);
  el.append(element("div", { class: "lm lm-attention-lab" }, field.node, found.node,
    element("div", { class: "lm-pair" }, heads.node, map.node), strip.node, numbers.node, voice.node));
  const undo = paintOnChange(model, TRAITS, () => {
    state = readState(model, read);
    [field, found, heads, map, strip, numbers, voice].forEach((view) => view.paint(state));
  });
  return () => { undo(); voice.stop(); };
}

export default { render };
