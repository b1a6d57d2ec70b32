// Byte-pair encoding of a text as it is typed, and the merges of one piece, step by step. Arithmetic, then views, then render.

/** A class of code points as the inside of a regular expression's […]; runs outside and inside it take turns, from U+0000 on. */
function classBody(runs) {
  let end = 0;
  const ends = runs.map((length) => (end += length)), point = (code) => `\\u{${code.toString(16)}}`;
  return ends.map((after, i) => (i % 2 ? `${point(after - runs[i])}-${point(after - 1)}` : "")).join("");
}

/** WORDS of helpers/text.py with Python's own \w and \s: a browser knows another Unicode version, and other white space. */
function wordPattern(wordRuns, spaceRuns) {
  const w = classBody(wordRuns), s = classBody(spaceRuns);
  return new RegExp(` ?[${w}]+| ?[^${w}${s}]+|[${s}]+(?![^${s}])|[${s}]+`, "gu");
}

const splitBy = (pattern, text) => text.match(pattern) ?? [];

/** The pieces that merges never cross; joined, they are the text. */
export function splitWords(text, wordRuns, spaceRuns) {
  return splitBy(wordPattern(wordRuns, spaceRuns), text);
}

const UTF8 = new TextEncoder();
const LIMIT = 65536; // ids and ranks stay below, as in tokenizer_playground.py

/** Pair of ids, as one number -> its rank. merges: the ids of all pairs in one row, in order of learning. */
function rankTable(merges) {
  return new Map(Array.from({ length: merges.length / 2 }, (_, rank) => [merges[2 * rank] * LIMIT + merges[2 * rank + 1], rank]));
}

/** Of each two neighbours the rank of their merge; LIMIT where it is not among the first `count` merges. */
function rankOf(table, count, left, right) {
  const rank = table.get(left * LIMIT + right);
  return rank < count ? rank : LIMIT;
}

const lowestOf = (ranks) => ranks.reduce((lowest, rank) => (rank < lowest ? rank : lowest), LIMIT);

/**
 * Merge the neighbours of lowest rank, all their occurrences from left to right, and again, at most `steps` times.
 * Only the ranks beside a new token are looked up anew, so that a word of thousands of bytes takes no noticeable time.
 * @returns {{ids: number[], ranks: number[], done: number[]}} tokens; rank of each pair of neighbours; rank of each step
 */
function mergeAll(bytes, table, count, steps = Infinity) {
  const ids = Array.from(bytes), ranks = ids.slice(1).map((id, i) => rankOf(table, count, ids[i], id)), done = [];
  for (let lowest = lowestOf(ranks); lowest < LIMIT && done.length < steps; lowest = lowestOf(ranks)) {
    const made = 256 + lowest;
    let kept = 0;
    for (let i = 0; i < ids.length; i += 1, kept += 1) {
      const merged = ranks[i] === lowest;
      ids[kept] = merged ? made : ids[i];
      if (merged) i += 1;
      ranks[kept] = ranks[i];
    }
    ids.length = kept;
    ranks.length = Math.max(kept - 1, 0);
    for (let i = 0; i < kept - 1; i += 1) if (ids[i] === made || ids[i + 1] === made) ranks[i] = rankOf(table, count, ids[i], ids[i + 1]);
    done.push(lowest);
  }
  return { ids, ranks, done };
}

/** One piece after at most `steps` merges, with a vocabulary of `size` tokens; ranks are null where neighbours have no merge. */
export function mergeSteps(piece, merges, size, steps = Infinity) {
  const { ids, ranks, done } = mergeAll(UTF8.encode(piece), rankTable(merges), size - 256, steps);
  return { ids, ranks: ranks.map((rank) => (rank < LIMIT ? rank : null)), done };
}

/** The ids of a text: each different piece is encoded once. */
export function encode(text, merges, size, wordRuns, spaceRuns) {
  const table = rankTable(merges), known = new Map();
  return splitWords(text, wordRuns, spaceRuns).flatMap((piece) => {
    if (!known.has(piece)) known.set(piece, mergeAll(UTF8.encode(piece), table, size - 256).ids);
    return known.get(piece);
  });
}

/** id -> bytes: the 256 bytes, then what each merge joins. */
export function tokenBytes(merges) {
  const tokens = Array.from({ length: 256 }, (_, byte) => [byte]);
  for (let i = 0; i < merges.length; i += 2) tokens.push([...tokens[merges[i]], ...tokens[merges[i + 1]]]);
  return tokens;
}

/** A field may hold half a character, which has no UTF-8 and which Python refuses. The halves become U+FFFD. */
export function wellFormed(text) {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }); // without ignoreBOM it swallows U+FEFF
const MARKS = { " ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍" };
const UNSEEN = /^[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]$/u;

/** The character that starts at a place in the bytes; null where they hold only a part of it. */
function characterAt(bytes, at) {
  const lead = bytes[at], length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (at + length > bytes.length) return null;
  try {
    return STRICT.decode(Uint8Array.from(bytes.slice(at, at + length)));
  } catch {
    return null;
  }
}

/** What a token shows: [kind, text] in order. "text" as it is; "mark" for white space and for signs without a picture; "byte" in hexadecimal. */
export function tokenParts(bytes) {
  const parts = [], hex = (number, digits) => number.toString(16).toUpperCase().padStart(digits, "0");
  const add = (kind, text) => (kind === "text" && parts.at(-1)?.[0] === kind ? (parts.at(-1)[1] += text) : parts.push([kind, text]));
  for (let at = 0; at < bytes.length;) {
    const character = characterAt(bytes, at);
    if (character === null) add("byte", hex(bytes[at], 2));
    else if (MARKS[character]) add("mark", MARKS[character]);
    else if (UNSEEN.test(character)) add("mark", `U+${hex(character.codePointAt(0), 4)}`);
    else add("text", /^\p{M}/u.test(character) && parts.at(-1)?.[0] !== "text" ? `◌${character}` : character); // an accent alone needs a seat
    at += character === null ? 1 : UTF8.encode(character).length;
  }
  return parts;
}

const STOPS = 100; // of the range for the vocabulary size: finer at its low end, where tokens grow fastest

/** The vocabulary size at a stop 0…100 of the range. */
export function sizeAt(stop, full) {
  return 256 + Math.round((full - 256) * (stop / STOPS) ** 2);
}

/** The stop that is nearest to a vocabulary size. */
export function stopOf(size, full) {
  return full === 256 ? STOPS : Math.round(STOPS * Math.sqrt((size - 256) / (full - 256)));
}

const TRAITS = ["text", "tokenizer", "vocab_size", "piece", "step", "strings"]; // the others stay what they are
const MOST_DRAWN = 1500; // tokens: a page with more boxes answers slowly to a key
const MOST_IN_ROW = 150;
const TINTS = 5;
const LINE_BREAK = 10; // the byte
const written = (number) => number.toLocaleString("en");
const textOf = (bytes) => tokenParts(bytes).map(([, text]) => text).join("");
const MOST_NAMED = 80; // characters of a piece in a title

/** A piece as its tokens show it, in quotes; only the start of a very long one. */
function named(word) {
  const start = Array.from(word.slice(0, 2 * MOST_NAMED)).slice(0, MOST_NAMED).join("");
  return `“${textOf(UTF8.encode(start))}${start.length < word.length ? "…" : ""}”`;
}

/** The tokenizers by name, and the pattern that cuts words: made once. */
function readTokenizers(model) {
  const bytes = readBytes(model.get("merges")), pairs = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let from = 0;
  const all = model.get("sources").map(({ name, merges }) => {
    const ids = Array.from({ length: 2 * merges }, (_, i) => pairs.getUint16(from + 2 * i, true));
    from += 4 * merges;
    return [name, { table: rankTable(ids), tokens: tokenBytes(ids), ids }];
  });
  return { tokenizers: new Map(all), pattern: wordPattern(model.get("word_runs"), model.get("space_runs")) };
}

/** encode(words) -> one {word, ids, steps} each, the same object for the same word as long as tokenizer and size stay the same. */
function cachedPieces() {
  let known = new Map(), last = null;
  return (words, tokenizer, size) => {
    if (last?.tokenizer !== tokenizer || last.size !== size) known = new Map();
    const now = new Map(); // only what is in the text now: a word that grows letter by letter leaves nothing behind
    for (const word of words) {
      if (now.has(word)) continue;
      const { ids, done } = known.has(word) ? {} : mergeAll(UTF8.encode(word), tokenizer.table, size - 256);
      now.set(word, known.get(word) ?? { word, ids, steps: done.length });
    }
    [known, last] = [now, { tokenizer, size }];
    return words.map((word) => now.get(word));
  };
}

/** Everything that the views show. number and piece: the chosen one, −1 and undefined in an empty text; row: it after `step` of its merges. */
function readState(model, { tokenizers, pattern }, encoded) {
  const text = wellFormed(model.get("text")), tokenizer = tokenizers.get(model.get("tokenizer")), full = tokenizer.tokens.length;
  const size = Math.min(model.get("vocab_size"), full), pieces = encoded(splitBy(pattern, text), tokenizer, size);
  const characters = Array.from(text).length, tokens = pieces.reduce((sum, { ids }) => sum + ids.length, 0);
  const number = clamp(model.get("piece"), pieces.length - 1), piece = pieces[number], step = clamp(model.get("step"), piece?.steps ?? 0);
  const row = piece && mergeAll(UTF8.encode(piece.word), tokenizer.table, size - 256, step);
  const label = (id) => textOf(tokenizer.tokens[id]);
  return { text, tokenizer, full, size, pieces, characters, bytes: UTF8.encode(text).length, tokens, number, piece, step, row, label };
}

/** What is chosen from lists: a sample of text, and the tokenizer. */
function choices(model, t) {
  const samples = model.get("samples"), names = model.get("sources").map(({ name }) => [name, name]), own = String(samples.length);
  const entries = [...samples.map(({ name }, i) => [String(i), name]), [own, t("sample_own")]];
  const sample = selectField(t("sample"), entries, (i) => choose(model, { text: samples[i]?.text ?? "", piece: 0, step: 0 }));
  const tokenizer = selectField(t("tokenizer"), names, (name) => choose(model, { tokenizer: name, step: 0 }));
  tokenizer.node.hidden = names.length === 1;
  const paint = () => {
    const shown = samples.findIndex(({ text }) => text === model.get("text"));
    sample.select.value = shown < 0 ? own : shown;
    tokenizer.select.value = model.get("tokenizer");
  };
  return { node: element("div", { class: "lm-bar" }, sample.node, tokenizer.node), paint };
}

/** The piece that the character before the caret belongs to. */
function pieceBefore(caret, words) {
  let end = 0;
  return Math.max(0, words.findIndex((word) => (end += word.length) >= caret));
}

/** The text field. The piece at the caret is chosen; while an input method composes, nothing is written into the field. */
function textField(model, t, pattern) {
  const field = element("textarea", { class: "lm-input", rows: 3, dir: "auto", spellcheck: "false", autocapitalize: "off", autocomplete: "off" });
  field.addEventListener("input", () => {
    const text = wellFormed(field.value), piece = pieceBefore(field.selectionStart, splitBy(pattern, text));
    if (piece !== model.get("piece")) model.set("step", 0);
    model.set("piece", piece);
    model.set("text", text);
  });
  field.addEventListener("change", () => model.save_changes());
  const paint = ({ text }) => {
    const asField = text.replace(/\r\n?/g, "\n"); // a field knows no other line break
    if (wellFormed(field.value) !== asField) field.value = asField;
  };
  return { node: labelled(t("text"), field), paint };
}

/** What a range stands at, beside its label; to a screen reader the range says it itself. */
function valueBeside(input) {
  const value = element("span", { class: "lm-note", "aria-hidden": "true" });
  input.before(value);
  return value;
}

function sizeField(model, t, current) {
  const move = (stop) => model.set("vocab_size", sizeAt(stop, current().full));
  const { node, input } = rangeField(t("size"), { min: 0, max: STOPS }, move, () => model.save_changes());
  const value = valueBeside(input);
  const paint = ({ size, full }) => {
    input.value = stopOf(size, full);
    value.textContent = t("size_value", { size: written(size), merges: written(size - 256) });
    input.setAttribute("aria-valuetext", value.textContent);
  };
  return { node, paint };
}

/** Characters, bytes, tokens and their ratio, beside each other. */
function countsView(t) {
  const names = { characters: t("characters"), bytes: t("bytes"), tokens: t("tokens"), ratio: t("ratio") };
  const values = Object.keys(names).map(() => element("strong", {}));
  const node = element("div", { class: "lm-counts" }, ...Object.values(names).map((name, i) => element("p", {}, element("span", { class: "lm-label" }, name), values[i])));
  const paint = (state) => {
    const shown = countTexts(t, state);
    Object.keys(names).forEach((name, i) => { values[i].textContent = shown[name]; });
  };
  return { node, paint };
}

function countTexts(t, { characters, bytes, tokens }) {
  const ratio = tokens ? formatNumber(characters / tokens, 2) : t("no_ratio");
  return { characters: written(characters), bytes: written(bytes), tokens: written(tokens), ratio };
}

/** A token: what it shows, and its id below. */
function chip(bytes, id) {
  const parts = tokenParts(bytes), cut = parts.some(([kind]) => kind === "byte");
  const shown = parts.map(([kind, text]) => (kind === "text" ? text : element("span", { class: `lm-token-${kind}` }, text)));
  return element("span", { class: `lm-token ${cut ? "lm-token-cut" : ""}`, "data-tint": id % TINTS },
    element("bdi", { class: "lm-token-text" }, ...shown), element("span", { class: "lm-token-id" }, id));
}

/** A piece: its tokens, and a new line of boxes after a line break. */
function pieceGroup({ ids }, tokens) {
  const chips = ids.slice(0, MOST_DRAWN).flatMap((id) => [chip(tokens[id], id), ...(tokens[id].includes(LINE_BREAK) ? [element("br")] : [])]);
  return element("span", { class: "lm-piece" }, ...chips);
}

/** The piece that a key leads to. */
function moved(number, count, key) {
  const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, PageUp: -10, PageDown: 10, Home: -count, End: count };
  return steps[key] && clamp(number + steps[key], count - 1);
}

/** All tokens, as one control: a click, a tap or a key chooses a piece. Only what changed is drawn anew. */
function tokensView(model, t, current) {
  const body = element("div", { class: "lm-tokens", role: "slider", tabindex: 0, "aria-label": t("tokens"), "aria-valuemin": 0 });
  const more = element("p", { class: "lm-note" }), hint = element("p", { class: "lm-note" }, t("hint"));
  let drawn = [], groups = [];
  const pick = (piece) => choose(model, { piece, step: 0 });
  body.addEventListener("click", ({ target }) => { if (target.closest(".lm-piece")) pick(groups.indexOf(target.closest(".lm-piece"))); });
  body.addEventListener("keydown", (event) => {
    const piece = moved(current().number, groups.length, event.key);
    if (piece === undefined || !groups.length) return;
    event.preventDefault(); // the page would scroll
    pick(piece);
    groups[piece].scrollIntoView({ block: "nearest" });
  });
  const draw = (pieces, tokens) => {
    const shorter = Math.min(pieces.length, drawn.length);
    let head = 0, tail = 0;
    while (head < shorter && pieces[head] === drawn[head]) head += 1;
    while (tail < shorter - head && pieces.at(-1 - tail) === drawn.at(-1 - tail)) tail += 1;
    const fresh = pieces.slice(head, pieces.length - tail).map((piece) => pieceGroup(piece, tokens)), next = groups[drawn.length - tail];
    groups.splice(head, drawn.length - tail - head, ...fresh).forEach((group) => group.remove());
    if (next) next.before(...fresh);
    else body.append(...fresh);
    drawn = pieces;
  };
  const paint = ({ pieces, tokens, tokenizer, number, piece, label }) => {
    let count = 0;
    draw(pieces.filter(({ ids }) => (count += ids.length) - ids.length < MOST_DRAWN), tokenizer.tokens);
    const left = tokens - drawn.reduce((sum, { ids }) => sum + Math.min(ids.length, MOST_DRAWN), 0);
    groups.forEach((group, i) => group.classList.toggle("lm-chosen", i === number));
    more.textContent = left ? t("more", { count: written(left) }) : "";
    more.hidden = !left;
    const said = piece ? t("piece_tokens", { piece: named(piece.word), tokens: piece.ids.slice(0, MOST_IN_ROW).map((id) => `${label(id)} ${id}`).join(", ") }) : t("empty");
    for (const [key, value] of Object.entries({ valuemax: Math.max(pieces.length - 1, 0), valuenow: Math.max(number, 0), valuetext: said })) body.setAttribute(`aria-${key}`, value);
    body.dataset.empty = piece ? "" : t("empty");
  };
  return { node: element("div", { class: "lm-cut" }, body, more, hint), paint };
}

/** What the step did, and which pair comes next and why. */
function sentences(t, { row: { ids, ranks, done }, tokenizer, label }) {
  const quoted = (id) => `“${label(id)}”`, pair = (rank) => ({ left: quoted(tokenizer.ids[2 * rank]), right: quoted(tokenizer.ids[2 * rank + 1]), rank });
  const last = done.at(-1), lowest = lowestOf(ranks), count = new Set(ranks.filter((rank) => rank < LIMIT)).size;
  const before = last === undefined ? t("as_bytes") : t("merged", { ...pair(last), made: quoted(256 + last), id: 256 + last });
  if (lowest === LIMIT) return [before, t("end")];
  return [before, count > 1 ? t("next", { ...pair(lowest), count }) : t("next_only", pair(lowest))];
}

/** The tokens of the chosen piece, and between them the ranks of their merges; the new tokens and the next pairs are marked. */
function rowView(t) {
  const node = element("div", { class: "lm-ladder", role: "img" });
  const paint = ({ row: { ids, ranks, done }, tokenizer, label }) => {
    const lowest = lowestOf(ranks), made = 256 + done.at(-1), shown = ids.slice(0, MOST_IN_ROW);
    const next = shown.map((_, i) => ranks[i] === lowest && lowest < LIMIT);
    shown.forEach((_, i) => { if (next[i] && next[i - 1]) next[i] = false; }); // of three equal signs the first two
    const parts = shown.map((id, i) => {
      const token = chip(tokenizer.tokens[id], id);
      token.classList.toggle("lm-made", id === made);
      token.classList.toggle("lm-next", next[i] || Boolean(next[i - 1]));
      const rank = element("span", { class: `lm-rank ${next[i] ? "lm-lowest" : ""}` }, ranks[i] < LIMIT ? ranks[i] : "·");
      return element("span", { class: "lm-rung" }, token, ...(i < ids.length - 1 ? [rank] : []));
    });
    node.replaceChildren(...parts, ...(shown.length < ids.length ? [element("span", { class: "lm-note" }, t("cut", { count: written(ids.length - shown.length) }))] : []));
    node.setAttribute("aria-label", shown.map((id) => `${label(id)} ${id}`).join(", "));
  };
  return { node, paint };
}

/** One piece and its merges, one after the other. */
function stepsView(model, t, current) {
  const title = element("p", { class: "lm-title" });
  const { node: range, input } = rangeField(t("step"), { min: 0, max: 1 }, (step) => model.set("step", step), () => model.save_changes());
  const go = (by) => choose(model, { step: clamp(current().step + by, current().piece?.steps ?? 0) });
  const back = button(t("back"), () => go(-1)), forward = button(t("forward"), () => go(1));
  const row = rowView(t), value = valueBeside(input), what = element("p", {}), why = element("p", {});
  const node = element("section", { class: "lm-steps" }, title, element("div", { class: "lm-bar" }, back, forward, range), row.node,
    element("div", { class: "lm-said" }, what, why), element("p", { class: "lm-note" }, t("ranks")));
  const paint = (state) => {
    node.hidden = !state.piece;
    if (!state.piece) return;
    title.textContent = t("piece", { number: written(state.number + 1), count: written(state.pieces.length), piece: named(state.piece.word) });
    input.max = state.piece.steps;
    input.value = state.step;
    value.textContent = t("step_value", { step: state.step, count: state.piece.steps });
    input.setAttribute("aria-valuetext", value.textContent);
    [what.textContent, why.textContent] = sentences(t, state);
    row.paint(state);
  };
  return { node, paint };
}

const PAUSE = 700; // ms without a change, then a screen reader is told

/** What is told when the hand rests: the counts, and the sentences on the merge. */
function spoken(t) {
  const counts = element("p", {}), steps = element("p", {}), node = element("div", { class: "lm-unseen", role: "status", "aria-atomic": "false" }, counts, steps);
  let timer = 0;
  const paint = (state) => {
    const tell = () => {
      const texts = [state.piece ? t("counts", countTexts(t, state)) : t("empty"), state.piece ? sentences(t, state).join(" ") : ""];
      [counts, steps].forEach((part, i) => { if (part.textContent !== texts[i]) part.textContent = texts[i]; });
    };
    clearTimeout(timer);
    if (counts.textContent) timer = setTimeout(tell, PAUSE);
    else tell();
  };
  return { node, paint, stop: () => clearTimeout(timer) };
}

function render({ model, el }) {
  const t = texts(model), tools = readTokenizers(model), encoded = cachedPieces();
  let state = null;
  const current = () => state, voice = spoken(t);
  const views = [choices(model, t), textField(model, t, tools.pattern), sizeField(model, t, current), countsView(t), tokensView(model, t, current), stepsView(model, t, current), voice];
  const paint = () => {
    state = readState(model, tools, encoded);
    views.forEach((view) => view.paint(state));
  };
  el.append(element("div", { class: "lm lm-tokenizer-playground" }, ...views.map(({ node }) => node)));
  const undo = paintOnChange(model, TRAITS, paint);
  return () => { undo(); voice.stop(); };
}

export default { render };
