// A ladder of improvements, row by row. Arithmetic, views, then render.

const TRAITS = ["rows", "metric", "metrics", "notes", "better", "rung", "shown", "against", "predict", "guesses", "strings"];
const ERRORS = 2; // a difference counts from so many standard errors on; as in ladder_explorer.py

/** @param {number[]} numbers @returns {number} */
export function mean(numbers) {
  return numbers.reduce((total, x) => total + x, 0) / numbers.length;
}

/** The sample's standard deviation (division by n − 1). */
export function spread(numbers) {
  const middle = mean(numbers);
  return Math.sqrt(numbers.reduce((total, x) => total + (x - middle) ** 2, 0) / (numbers.length - 1));
}

/** Seed by seed: the mean difference and its standard error. @returns {[number, number]} */
export function difference(here, there) {
  const both = here.map((x, i) => x - there[i]);
  return [mean(both), spread(both) / Math.sqrt(both.length)];
}

/** Is the difference larger than two standard errors, and in which direction? */
export function verdict([change, error], better) {
  const gain = better === "lower" ? -change : change;
  return gain > ERRORS * error ? "gain" : -gain > ERRORS * error ? "worse" : "none";
}

/** Round numbers between two bounds: 1, 2 or 5 times a power of ten apart, at most five of them. @returns {number[]} */
export function ticks(low, high) {
  const power = 10 ** Math.floor(Math.log10((high - low) / 4));
  const step = [1, 2, 5, 10, 20].map((times) => times * power).find((size) => Math.floor(high / size) - Math.ceil(low / size) < 5);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Decimals of a metric whose largest number is this one. */
export function decimals(largest) {
  return largest >= 100 ? 0 : largest >= 10 ? 2 : 4;
}

/** Fixed decimals with commas between thousands; plus: a sign before what is above zero. */
export function written(value, digits, plus = false) {
  const [whole, ...rest] = formatNumber(value, digits).split(".");
  const text = [whole.replace(/\B(?=(\d{3})+$)/g, ","), ...rest].join(".");
  return plus && value > 0 && Number(value.toFixed(digits)) !== 0 ? `+${text}` : text;
}

const otherOf = (against, rung) => (against === "first" ? 0 : Math.max(rung - 1, 0));
const flat = (rows, metric) => rows.flatMap((row) => row.values[metric]);

/** Everything that the views show. */
function readState(model) {
  const state = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const { rows, metric, rung, against, better, guesses, predict } = state, other = otherOf(against, rung);
  const verdicts = rows.map((row, i) => (i ? verdict(difference(row.values[metric], rows[i - 1].values[metric]), better) : "start"));
  const isOpen = rows.map((_, i) => i === 0 || !predict || guesses[i] !== "");
  const guessed = guesses.flatMap((guess, i) => (i && guess ? [(guess === "gain") === (verdicts[i] === "gain")] : []));
  const right = (i) => (guesses[i] === "gain") === (verdicts[i] === "gain");
  return { ...state, other, verdicts, isOpen, guessed, right };
}

function controlsView(model, t) {
  const shown = selectField(t("shown"), Object.entries(model.get("metrics")), (name) => choose(model, { shown: name }));
  const against = selectField(t("against"), [["before", t("against_before")], ["first", t("against_first")]], (value) => choose(model, { against: value }));
  const predict = button(t("predict"), () => choose(model, { predict: !model.get("predict") }));
  const forget = button(t("forget"), () => choose(model, { guesses: model.get("rows").map(() => "") }));
  const score = element("p", { class: "lm-note lm-score", role: "status" });
  const paint = (s) => {
    shown.select.value = s.shown;
    against.select.value = s.against;
    predict.setAttribute("aria-pressed", String(s.predict));
    forget.hidden = score.hidden = !s.predict;
    const words = s.guessed.length ? t("score", { right: s.guessed.filter(Boolean).length, count: s.guessed.length }) : t("no_guess");
    if (score.textContent !== words) score.textContent = words;
  };
  return { node: element("div", { class: "lm-bar" }, shown.node, against.node, predict, forget, score), paint };
}

/** Where a value stands on the axis, in percent. A little room is left on both sides. */
function scaleOf(values) {
  const low = Math.min(...values), high = Math.max(...values), room = 0.06 * (high - low) || 1;
  const at = (value) => (100 * (value - low + room)) / (high - low + 2 * room);
  return { at, low: low === high ? low - room : low, high: low === high ? high + room : high };
}

const mark = (name, left, width) => {
  const node = element("span", { class: name });
  node.style.left = `${left}%`;
  if (width !== undefined) node.style.width = `${width}%`;
  return node;
};
const between = (name, a, b) => mark(name, Math.min(a, b), Math.abs(a - b));

/** One rung: a native radio button, its label, and its dots on the common axis. */
function rowView(model, t, i) {
  const input = element("input", { type: "radio", name: "rung", value: i, class: "lm-radio" });
  input.addEventListener("change", () => choose(model, { rung: i }));
  const name = element("span", { class: "lm-name" }), closed = element("span", { class: "lm-closed" }, t("closed"));
  const track = element("span", { class: "lm-track", "aria-hidden": "true" });
  const node = element("label", { class: "lm-rung" }, input, element("span", { class: "lm-words" }, name, closed), track);
  const paint = (s, { at }) => {
    const numbers = s.rows[i].values[s.shown], middle = mean(numbers), sd = spread(numbers), isChosen = s.rung === i;
    name.textContent = s.rows[i].label;
    input.checked = isChosen;
    node.dataset.chosen = isChosen;
    node.dataset.other = !isChosen && s.other === i;
    closed.hidden = s.isOpen[i];
    if (!s.isOpen[i]) return track.replaceChildren();
    const marks = [mark("lm-mean", at(middle)), between("lm-sd", at(middle - sd), at(middle + sd)), ...numbers.map((x) => mark("lm-dot", at(x)))];
    if (i && s.isOpen[i - 1]) marks.unshift(between("lm-tread", at(mean(s.rows[i - 1].values[s.shown])), at(middle)));
    if (isChosen && i) marks.unshift(between("lm-change", at(mean(s.rows[s.other].values[s.shown])), at(middle)));
    track.replaceChildren(...marks);
  };
  return { node, paint };
}

/** The guess: two buttons, gone once it is made. */
function guessView(model, t) {
  const question = element("p", {});
  const guess = (value) => {
    const rung = model.get("rung");
    choose(model, { guesses: model.get("guesses").map((known, i) => (i === rung ? value : known)) });
  };
  const buttons = element("div", { class: "lm-bar" }, button(t("guess_gain"), () => guess("gain")), button(t("guess_none"), () => guess("none")));
  const node = element("div", { class: "lm-guess" }, question, buttons);
  const paint = (s) => {
    node.hidden = s.isOpen[s.rung];
    question.textContent = t("question", { metric: s.metrics[s.metric] });
  };
  return { node, paint };
}

/** The finding at the chosen rung in sentences, or the question if it is still closed. */
function inWords(t, s) {
  const { rows, metric, rung } = s;
  if (!s.isOpen[rung]) return t("question", { metric: s.metrics[metric] });
  const numbers = rows[rung].values[metric], count = numbers.length, digits = decimals(Math.max(...flat(rows, metric).map(Math.abs)));
  const value = t("value", { metric: s.metrics[metric], mean: written(mean(numbers), digits), spread: written(spread(numbers), digits), count });
  if (rung === 0) return `${value} ${t("start")}`;
  const guess = s.predict && s.guesses[rung] ? [s.right(rung) ? t("right") : t("wrong")] : [];
  return [value, comparison(t, s, digits, count), ...guess].join(" ");
}

function comparison(t, { rows, metric, rung, other, better }, digits, count) {
  const found = difference(rows[rung].values[metric], rows[other].values[metric]);
  const words = t("difference", { other: rows[other].label, mean: written(found[0], digits, true), error: written(found[1], digits), count });
  return `${words} ${t(`verdict_${verdict(found, better)}`)}`;
}

/** Every metric here and at the compared rung. */
function tableView(t) {
  const heads = ["metric", "here", "other", "change"].map((name) => element("th", { scope: "col" }, t(`head_${name}`)));
  const body = element("tbody", {}), node = element("table", { class: "lm-facts" }, element("thead", {}, element("tr", {}, ...heads)), body);
  const row = (s, [metric, name]) => {
    const [here, there] = [s.rung, s.other].map((i) => s.rows[i].values[metric]), digits = decimals(Math.max(...flat(s.rows, metric).map(Math.abs)));
    const [change, error] = difference(here, there);
    const texts_ = [written(mean(here), digits), written(mean(there), digits), `${written(change, digits, true)} ± ${written(error, digits)}`];
    return element("tr", {}, element("th", { scope: "row" }, name), ...texts_.map((text) => element("td", {}, text)));
  };
  const paint = (s) => {
    node.hidden = s.rung === 0 || !s.isOpen[s.rung];
    body.replaceChildren(...Object.entries(s.metrics).map((entry) => row(s, entry)));
  };
  return { node, paint };
}

/** What the chosen rung changed and what came of it; it stands below that rung. */
function detailView(model, t) {
  const note = element("p", { class: "lm-what" }), words = element("p", { class: "lm-finding" }), guess = guessView(model, t), table = tableView(t);
  const node = element("div", { class: "lm-detail" }, note, guess.node, words, table.node);
  const paint = (s) => {
    note.textContent = s.notes[s.rows[s.rung].label] ?? "";
    note.hidden = note.textContent === "";
    words.hidden = !s.isOpen[s.rung];
    words.textContent = inWords(t, s);
    guess.paint(s);
    table.paint(s);
  };
  return { node, paint };
}

function axisView() {
  const node = element("div", { class: "lm-axis", "aria-hidden": "true" }), title = element("span", { class: "lm-words" }), line = element("span", { class: "lm-track" });
  node.append(title, line);
  const paint = (s, { at, low, high }) => {
    const places = ticks(low, high);
    title.textContent = s.metrics[s.shown];
    line.replaceChildren(...places.map((value) => {
      const tick = mark("lm-tick", at(value));
      tick.textContent = value.toLocaleString("en", { maximumFractionDigits: 6 }).replace("-", "−");
      return tick;
    }));
  };
  return { node, paint };
}

/** All rungs in one form: the radio buttons of another view on the page are another group. */
function ladderView(model, t) {
  const detail = detailView(model, t), axis = axisView(), spoken = element("p", { class: "lm-spoken", role: "status" });
  const rows = model.get("rows").map((_, i) => rowView(model, t, i));
  const list = element("div", { class: "lm-rungs", role: "radiogroup", "aria-label": t("rungs") }, ...rows.map(({ node }) => node));
  const form = element("form", {}, list, axis.node, spoken);
  form.addEventListener("submit", (event) => event.preventDefault());
  const paint = (s) => {
    const scale = scaleOf(flat(s.rows, s.shown));
    rows.forEach((row) => row.paint(s, scale));
    axis.paint(s, scale);
    const chosen = rows[s.rung].node, words = inWords(t, s);
    if (chosen.nextSibling !== detail.node) chosen.after(detail.node);
    detail.paint(s);
    if (spoken.textContent !== words) spoken.textContent = words; // the same words are not spoken again
  };
  return { node: form, paint };
}

function render({ model, el }) {
  const t = texts(model), views = [controlsView(model, t), ladderView(model, t)];
  el.append(element("div", { class: "lm lm-ladder-explorer" }, ...views.map(({ node }) => node), element("p", { class: "lm-note" }, t("legend"))));
  return paintOnChange(model, TRAITS, () => {
    const state = readState(model);
    views.forEach((view) => view.paint(state));
  });
}

export default { render };
