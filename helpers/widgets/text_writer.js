// A trained language model that writes on the page, letter by letter. Arithmetic, then views, then render.

/** First token that the model sees when it predicts token `length`: a full context goes on with its last half. */
export function contextStart(length, context) {
  const stride = context + 1 - Math.max(1, Math.floor(context / 2));
  return length > context ? Math.ceil((length - context) / stride) * stride : 0;
}

/** Surprise in bits, −log₂ of the probability of `id`: the model's own, whatever is drawn from. */
export function surpriseBits(logits, id) {
  return -Math.log2(nextTokenProbabilities(logits)[id]);
}

/** How many tokens the model holds for likelier, and one: the first has rank 1. */
export function rankOf(logits, id) {
  return descending(logits).indexOf(id) + 1;
}

/**
 * Reads a text token by token. logits[n] is what the model says after the first n tokens, as far as it has been read;
 * logits[0] stays empty, since nothing comes before the first token.
 */
function textReader(languageModel) {
  const cache = emptyCache(languageModel), { context } = languageModel.settings;
  const reader = { ids: [], logits: [null], bits: [0] };
  let start = 0;
  /** Go on with this text: what it has in common with the last one is kept. */
  reader.follow = (ids) => {
    let same = 0;
    while (same < Math.min(ids.length, reader.ids.length) && ids[same] === reader.ids[same]) same += 1;
    reader.ids = Array.from(ids);
    reader.logits.length = Math.min(reader.logits.length, same + 1);
    reader.bits.length = Math.min(reader.bits.length, Math.max(same, 1));
    rewind(cache, Math.max(0, same - start));
  };
  /** One more token through the model; false when nothing is left to read. */
  reader.advance = () => {
    const length = reader.logits.length;
    for (let n = reader.bits.length; n < Math.min(length, reader.ids.length); n += 1) reader.bits.push(surpriseBits(reader.logits[n], reader.ids[n]));
    if (length > reader.ids.length) return false;
    if (contextStart(length, context) !== start) {
      start = contextStart(length, context);
      rewind(cache, 0);
    }
    const logits = step(languageModel, cache, reader.ids[start + cache.length]);
    if (start + cache.length === length) reader.logits.push(logits);
    return true;
  };
  return reader;
}

/** Without a page: `count` tokens written after `ids`, with one random number each; bits of all tokens, 0 for the first. */
export function wholeText({ settings, bytes }, ids, count, sampling, numbers) {
  const reader = textReader(decodeModel(settings, Uint8Array.from(bytes)));
  reader.follow(ids);
  for (;;) {
    while (reader.advance());
    const written = reader.ids.length - ids.length;
    if (written === count) return { ids: reader.ids, bits: reader.bits, last: Array.from(reader.logits.at(-1)) };
    reader.ids.push(drawToken(nextTokenProbabilities(reader.logits.at(-1), sampling), numbers[written]));
  }
}

const TRAITS = ["prompt", "written", "place", "temperature", "top_k", "top_p", "seed", "strings"]; // the others stay what they are
const MOST = 2000, BATCH = 100, BEST = 5, SEEDS = 10, DEEP = 8; // as in text_writer.py; bits of the deepest shade
const SLICE = 12, FIRST = 40; // milliseconds of reading at a time, so that the page stays responsive; at the very start

/** Lets the model read what stands there, and write what is wanted, a slice at a time. */
function worker(model, changed) {
  const languageModel = readLanguageModel(model), characters = Array.from(model.get("characters")), reader = textReader(languageModel);
  const idOf = new Map(characters.map((character, id) => [character, id]));
  let timer = null, wanted = 0, made = 0, spent = 0, numbers = null, seed = null;
  const random = (i) => {
    if (model.get("seed") !== seed) [seed, numbers] = [model.get("seed"), uniforms(model.get("seed"), MOST)];
    return numbers[i];
  };
  const stop = () => { wanted = 0; };
  const leave = () => { clearTimeout(timer); };
  /** Read, and where `write` asks for it, write; until the time is over or nothing is left to do. */
  const work = (milliseconds, write) => {
    const begin = performance.now(), from = model.get("prompt").length, sampling = samplingOf(model);
    let more = true;
    while (more && performance.now() < begin + milliseconds) {
      more = reader.advance();
      const written = reader.ids.length - from;
      if (more || !write || !wanted || written >= MOST) continue;
      reader.ids.push(drawToken(nextTokenProbabilities(reader.logits.at(-1), sampling), random(written)));
      [wanted, made, more] = [wanted - 1, made + 1, true];
    }
    if (write) spent += performance.now() - begin;
    return more;
  };
  const slice = () => {
    timer = null;
    const writing = wanted > 0;
    const more = work(SLICE, true), written = reader.ids.slice(model.get("prompt").length).map((id) => characters[id]).join("");
    if (!more || written.length >= MOST) wanted = 0;
    if (writing) choose(model, { written, place: written.length });
    if (more || wanted) timer ??= setTimeout(slice, 0);
    changed();
  };
  /** Read what the traits say now: some of it at once, the rest later. */
  const follow = (milliseconds = SLICE) => {
    reader.follow(Array.from(model.get("prompt") + model.get("written"), (character) => idOf.get(character)));
    if (wanted || work(milliseconds, false)) timer ??= setTimeout(slice, 0);
  };
  const write = (count) => {
    const place = clamp(model.get("place"), model.get("written").length);
    [wanted, made, spent] = [count, 0, 0];
    choose(model, { written: model.get("written").slice(0, place), place });
    follow();
    changed();
  };
  return { reader, characters, idOf, follow, write, stop, leave, writing: () => wanted > 0, speed: () => (made && spent ? (1000 * made) / spent : null) };
}

/** Everything that the views show. at: the place in prompt and written text; bits: of each token read so far; own and now: null while the place is not yet read. */
function readState(model, work) {
  const { reader } = work, prompt = model.get("prompt"), written = model.get("written"), place = clamp(model.get("place"), written.length);
  const at = prompt.length + place, logits = reader.logits[at], text = prompt + written;
  const found = logits && { logits, own: nextTokenProbabilities(logits), now: nextTokenProbabilities(logits, samplingOf(model)), best: descending(logits).slice(0, BEST) };
  const bits = reader.bits.slice(0, text.length), own = bits.slice(prompt.length), total = own.length === written.length ? own.reduce((a, b) => a + b, 0) : null;
  return { prompt, written, text, place, at, bits, total, found, writing: work.writing(), speed: work.speed() };
}

const quoted = (character) => `“${tokenName(character)}”`;

/** The prompt: characters that the model does not know are left out, and an empty field changes nothing. */
function promptView(model, t, work) {
  const field = element("textarea", { class: "lm-input", rows: 2, maxlength: model.get("settings").context, spellcheck: "false", autocapitalize: "off", autocomplete: "off" });
  const message = element("p", { class: "lm-note lm-message", role: "status" });
  field.addEventListener("input", (event) => {
    if (event.isComposing) return; // an input method is at work
    const unknown = Array.from(new Set(field.value)).filter((character) => !work.idOf.has(character));
    const prompt = Array.from(field.value).filter((character) => work.idOf.has(character)).join("");
    message.textContent = unknown.length ? t("unknown", { characters: unknown.map(quoted).join(" "), count: work.characters.length }) : prompt ? "" : t("empty");
    if (unknown.length) field.value = prompt;
    if (!prompt || prompt === model.get("prompt")) return;
    work.stop();
    choose(model, { prompt, written: "", place: 0 });
  });
  const restore = () => { field.value = model.get("prompt"); };
  field.addEventListener("change", restore);
  const paint = () => { if (field.value && field.value !== model.get("prompt")) restore(); else if (!field.matches(":focus")) restore(); };
  return { node: element("div", { class: "lm-prompt" }, labelled(t("prompt"), field), message), paint };
}

function settingsView(model, t) {
  const sliders = samplingSliders(model, t, model.get("settings").vocab_size);
  const seeds = Array.from({ length: SEEDS }, (_, seed) => [String(seed), String(seed)]);
  const seed = selectField(t("seed"), seeds, (text) => choose(model, { seed: Number(text) }));
  const paint = () => {
    sliders.paint();
    seed.select.value = model.get("seed");
  };
  return { node: element("div", { class: "lm-settings" }, ...sliders.nodes), seed: seed.node, paint };
}

function buttonsView(model, t, work, seed) {
  const next = button(t("next"), () => work.write(1));
  const many = button("", () => (work.writing() ? work.stop() : work.write(BATCH)));
  const again = button(t("again"), () => { work.stop(); choose(model, { written: "", place: 0 }); });
  const paint = ({ writing }) => { many.textContent = writing ? t("stop") : t("write", { count: BATCH }); };
  return { node: element("div", { class: "lm-bar" }, next, many, again, seed), paint };
}

/** The place that a key leads to. */
function movedPlace(place, count, key) {
  const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, PageUp: -10, PageDown: 10, Home: -count, End: count };
  return steps[key] && clamp(place + steps[key], count);
}

/** The text as one control: a click, a tap or a key goes to a place; 1 to 5 choose there. Only what changed is drawn anew. */
function textView(model, t, work, pick) {
  const body = element("div", { class: "lm-text", role: "slider", tabindex: 0, "aria-label": t("text"), "aria-valuemin": 0 });
  const caret = element("span", { class: "lm-caret" }), reading = element("p", { class: "lm-unseen" });
  const letters = [];
  body.append(caret);
  const go = (place) => { work.stop(); choose(model, { place }); };
  body.addEventListener("click", ({ target }) => {
    const at = letters.findIndex(({ node }) => node === target) - model.get("prompt").length;
    if (at >= 0 || target === body) go(at >= 0 ? at : model.get("written").length);
  });
  body.addEventListener("keydown", (event) => {
    const count = model.get("written").length, place = movedPlace(clamp(model.get("place"), count), count, event.key), number = "12345".indexOf(event.key);
    if (event.ctrlKey || event.metaKey || event.altKey || (place === undefined && number < 0)) return;
    event.preventDefault(); // the page would scroll
    if (number >= 0) return pick(number);
    go(place);
    (letters[model.get("prompt").length + place]?.node ?? caret).scrollIntoView({ block: "nearest" });
  });
  const letter = () => {
    const node = element("span", {});
    caret.before(node);
    return { node };
  };
  const draw = (part, character, bits, asked) => {
    if (part.character !== character) part.node.textContent = character === "\n" ? "↵\n" : character;
    if (part.bits !== bits) part.node.style.setProperty("--lm-share", Math.min((bits ?? 0) / DEEP, 1).toFixed(3));
    if (part.asked !== asked) part.node.classList.toggle("lm-asked", asked);
    Object.assign(part, { character, bits, asked });
  };
  const paint = (state) => {
    while (letters.length > state.text.length) letters.pop().node.remove();
    while (letters.length < state.text.length) letters.push(letter());
    letters.forEach((part, i) => {
      draw(part, state.text[i], state.bits[i], i < state.prompt.length);
      part.node.classList.toggle("lm-here", i === state.at);
    });
    caret.hidden = state.place < state.written.length;
    if (state.writing) body.scrollTop = body.scrollHeight;
    const words = placeInWords(t, state, work);
    for (const [key, value] of Object.entries({ valuemax: state.written.length, valuenow: state.place, valuetext: words })) body.setAttribute(`aria-${key}`, value);
    if (!state.writing) reading.textContent = state.text;
  };
  const scale = element("p", { class: "lm-note lm-shades" }, t("shade_low"), element("span", { class: "lm-shade", "aria-hidden": "true" }), t("shade_high", { bits: DEEP }));
  return { node: element("div", { class: "lm-page" }, element("p", { class: "lm-label", "aria-hidden": "true" }, t("text")), body, reading, scale), paint };
}

/** What stands at the place, and how surprising it is; at the end, that something will come. */
function placeInWords(t, { found, written, place, at, bits }, work) {
  const count = written.length;
  if (place === count) return t("at_end", { count });
  if (!found || bits[at] === undefined) return t("at_unread", { number: place + 1, count, character: quoted(written[place]) });
  const id = work.idOf.get(written[place]);
  return t("at_character", { number: place + 1, count, character: quoted(written[place]), percent: percent(found.own[id]), bits: formatNumber(bits[at], 1), rank: rankOf(found.logits, id), all: work.characters.length });
}

/** The likeliest characters at the place, as buttons: bar and number for what is drawn from, a mark for the model's own. */
function candidatesView(t, work, pick) {
  const title = element("p", { class: "lm-title" });
  const rows = Array.from({ length: Math.min(BEST, work.characters.length) }, (_, number) => {
    const name = element("strong", {}), now = element("span", { class: "lm-now" }), own = element("span", { class: "lm-own" }), value = element("span", { class: "lm-share" }), more = element("span", { class: "lm-unseen" });
    const node = element("button", { type: "button", class: "lm-button lm-candidate" }, element("span", { class: "lm-key" }, String(number + 1)), name, element("span", { class: "lm-bars" }, now, own), value, more);
    node.addEventListener("click", () => pick(number));
    return { node, name, now, own, value, more };
  });
  const paint = (state) => {
    title.textContent = placeInWords(t, state, work);
    rows.forEach(({ node, name, now, own, value, more }, number) => {
      const id = state.found?.best[number], shares = id === undefined ? [0, 0] : [state.found.now[id], state.found.own[id]];
      name.textContent = id === undefined ? "…" : tokenName(work.characters[id]);
      [now, own].forEach((bar, i) => { bar.style.width = `${100 * shares[i]}%`; });
      value.textContent = id === undefined ? "…" : shares[0] > 0 ? t("percent", { percent: percent(shares[0]) }) : t("cut");
      more.textContent = id === undefined ? "" : t("candidate", { character: quoted(work.characters[id]), now: value.textContent, own: percent(shares[1]) });
      node.classList.toggle("lm-stands", id !== undefined && state.written[state.place] === work.characters[id]);
    });
  };
  const legend = ["now", "own"].map((kind) => element("span", {}, element("span", { class: `lm-sample lm-sample-${kind}`, "aria-hidden": "true" }), kind === "now" ? t("legend_now") : t("legend_own")));
  return { node: element("section", { class: "lm-candidates" }, title, ...rows.map(({ node }) => node), element("p", { class: "lm-note lm-legend" }, ...legend)), paint };
}

/** Three figures, and the sentence that is spoken when the writing is over. */
function figuresView(t) {
  const names = { count: t("count"), bits: t("bits"), speed: t("speed") };
  const cells = Object.fromEntries(Object.keys(names).map((name) => [name, [element("strong", {}), element("span", { class: "lm-note" })]]));
  const figures = element("div", { class: "lm-figures" }, ...Object.entries(names).map(([name, text]) => element("p", { "data-figure": name }, element("span", { class: "lm-label" }, text), ...cells[name])));
  const told = element("p", { class: "lm-unseen", role: "status" });
  const paint = ({ written, total, speed, writing }) => {
    const count = written.length, known = total !== null && count > 0;
    const sum = known ? formatNumber(total, 1) : "–", mean = known ? formatNumber(total / count, 2) : "–";
    const shown = { count: [count, count >= MOST ? t("full") : ""], bits: [mean, known ? t("bits_sum", { sum, count }) : ""], speed: [speed ? Math.round(speed).toLocaleString("en") : "–", t("speed_unit")] };
    for (const [name, words] of Object.entries(shown)) cells[name].forEach((cell, i) => { cell.textContent = words[i]; });
    const words = count ? t("told", { count, mean }) : t("nothing");
    if (!writing && (known || !count) && told.textContent !== words) told.textContent = words; // the same words are not spoken again
  };
  return { node: element("div", {}, figures, told), paint };
}

function render({ model, el }) {
  const t = texts(model), work = worker(model, () => paint());
  let state = null;
  const pick = (number) => {
    if (!state.found || state.place >= MOST) return;
    work.stop();
    choose(model, { written: state.written.slice(0, state.place) + work.characters[state.found.best[number]], place: state.place + 1 });
  };
  const settings = settingsView(model, t), views = [promptView(model, t, work), settings, buttonsView(model, t, work, settings.seed), textView(model, t, work, pick), figuresView(t), candidatesView(t, work, pick)];
  const paint = () => {
    state = readState(model, work);
    views.forEach((view) => view.paint(state));
  };
  el.append(element("div", { class: "lm lm-text-writer" }, ...views.map(({ node }) => node), element("p", { class: "lm-note" }, t("hint"))));
  work.follow(FIRST);
  const release = paintOnChange(model, TRAITS, () => { work.follow(); paint(); });
  return () => { release(); work.leave(); };
}

export default { render };
