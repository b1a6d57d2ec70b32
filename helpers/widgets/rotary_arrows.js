// Query and key as arrows, one circle for each pair of coordinates. Arithmetic, views, then render.

const TRAITS = ["choices", "vectors", "query_position", "key_position", "base", "pairs", "pair", "strings"];
const LAST = 127, PAIRS = [4, 6, 8], BASES = [100, 10000, 100000]; // as in rotary_arrows.py

/** Radians that each pair turns from one position to the next. @returns {number[]} (size / 2) */
export function speeds(size, base) {
  return Array.from({ length: size / 2 }, (_, i) => base ** ((-2 * i) / size));
}

/** The first pairs of a vector whose first coordinates stand before its second ones. @returns {number[]} (2 · pairs) */
export function firstPairs(vector, pairs) {
  const half = vector.length / 2;
  return [...vector.slice(0, pairs), ...vector.slice(half, half + pairs)];
}

/** Each pair (i, i + size / 2) turned by the angle of the position. @returns {number[]} (size) */
export function turned(vector, position, base) {
  const half = vector.length / 2, angles = speeds(vector.length, base).map((speed) => position * speed);
  const first = angles.map((a, i) => vector[i] * Math.cos(a) - vector[i + half] * Math.sin(a));
  return [...first, ...angles.map((a, i) => vector[i + half] * Math.cos(a) + vector[i] * Math.sin(a))];
}

/** Sines, then cosines of the angles of a position. @returns {number[]} (size) */
export function sinusoid(position, size, base) {
  const angles = speeds(size, base).map((speed) => position * speed);
  return [...angles.map(Math.sin), ...angles.map(Math.cos)];
}

const sum = (numbers) => numbers.reduce((total, x) => total + x, 0);
const dot = (a, b) => sum(a.map((x, i) => x * b[i]));

/** What each pair adds to the product of two turned vectors. @returns {number[]} (size / 2) */
export function shares(query, key, m, n, base) {
  const q = turned(query, m, base), k = turned(key, n, base), half = q.length / 2;
  return speeds(q.length, base).map((_, i) => q[i] * k[i] + q[i + half] * k[i + half]);
}

/** From the key's turned arrow to the query's, in each pair: more than −180, at most 180. @returns {number[]} degrees */
export function angles(query, key, m, n, base) {
  const q = turned(query, m, base), k = turned(key, n, base), half = q.length / 2;
  return speeds(q.length, base).map((_, i) => {
    const cross = k[i] * q[i + half] - k[i + half] * q[i], along = q[i] * k[i] + q[i + half] * k[i + half];
    return (Math.atan2(cross, along) * 180) / Math.PI;
  });
}

/** The four terms of (q + p_m)·(k + p_n): q·k, q·p_n, p_m·k, p_m·p_n. */
export function addedTerms(query, key, m, n, base) {
  const first = sinusoid(m, query.length, base), second = sinusoid(n, query.length, base);
  return [dot(query, key), dot(query, second), dot(first, key), dot(first, second)];
}

/** Everything that the views show. */
function readState(model) {
  const name = model.get("vectors"), { query, key } = model.get("choices")[name], base = model.get("base");
  const cut = (vector) => (name === "given" ? vector : firstPairs(vector, model.get("pairs")));
  const state = { name, base, query: cut(query), key: cut(key), m: model.get("query_position"), n: model.get("key_position") };
  const given = [state.query, state.key, state.m, state.n, base], distance = state.m - state.n;
  const count = state.query.length / 2, pair = Math.min(model.get("pair"), count - 1), terms = addedTerms(...given);
  const lengths = [state.query, state.key].map((v) => Array.from({ length: count }, (_, i) => Math.hypot(v[i], v[i + count])));
  const places = [];
  for (let m = Math.max(0, distance); m <= LAST && m - distance <= LAST; m += 1) places.push([m, sum(addedTerms(state.query, state.key, m, m - distance, base))]);
  return { ...state, count, pair, terms, distance, lengths, places, shares: shares(...given), angles: angles(...given) };
}

const two = (value) => formatNumber(value, 2);
const signed = (value) => (two(value).startsWith("−") ? two(value) : `+${two(value)}`);
const joined = (values) => values.map((value, i) => (i === 0 ? two(value) : two(value).startsWith("−") ? ` − ${two(-value)}` : ` + ${two(value)}`)).join("");
const whole = (value) => formatNumber(value, 0);

function settingsView(model, t) {
  const save = () => model.save_changes();
  const query = valuedRange(t("query_position"), { min: 0, max: LAST }, (m) => model.set("query_position", m), save);
  const key = valuedRange(t("key_position"), { min: 0, max: LAST }, (n) => model.set("key_position", n), save);
  const both = valuedRange(t("both"), { min: 0, max: LAST }, (place) => {
    const distance = model.get("query_position") - model.get("key_position");
    model.set("query_position", place + Math.max(distance, 0));
    model.set("key_position", place + Math.max(-distance, 0));
  }, save);
  const asText = (values) => values.map((value) => [String(value), value.toLocaleString("en")]);
  const base = selectField(t("base"), asText(BASES), (text) => choose(model, { base: Number(text) }));
  const pairs = selectField(t("pairs"), asText(PAIRS), (text) => choose(model, { pairs: Number(text) }));
  const names = Object.keys(model.get("choices")).map((name) => [name, t(`vectors_${name}`)]);
  const vectors = selectField(t("vectors"), names, (name) => choose(model, { vectors: name }));
  const node = element("div", { class: "lm-settings" }, query.node, key.node, both.node,
    element("div", { class: "lm-bar" }, vectors.node, base.node, pairs.node));
  const paint = ({ m, n, name, base: value }) => {
    query.show(m, String(m));
    key.show(n, String(n));
    both.node.querySelector("input").max = LAST - Math.abs(m - n);
    both.show(Math.min(m, n), `m = ${m}, n = ${n}`);
    base.select.value = value;
    pairs.select.value = model.get("pairs");
    pairs.node.hidden = name === "given";
    vectors.select.value = name;
  };
  return { node, paint };
}

/** A circle with the arrows of one pair; the dashed lines are those of position 0. */
function dial() {
  const line = (name) => part2d("path", { class: name });
  const parts = { query0: line("lm-query lm-start"), key0: line("lm-key lm-start"), key: line("lm-key"), query: line("lm-query") };
  const svg = part2d("svg", { class: "lm-dial", viewBox: "-1.15 -1.15 2.3 2.3", "aria-hidden": "true" },
    part2d("circle", { r: 1, class: "lm-circle" }), ...Object.values(parts));
  const show = (name, [x, y], head) => {
    const length = Math.hypot(x, y), a = Math.atan2(y, x), size = Math.min(0.28, length / 2);
    const tip = [-2.65, 2.65].map((turn) => `M${x} ${-y}L${x + size * Math.cos(a + turn)} ${-(y + size * Math.sin(a + turn))}`);
    parts[name].setAttribute("d", length ? `M0 0L${x} ${-y}${head ? tip.join("") : ""}` : "");
  };
  return { svg, show };
}

/** A pair is a button: its circle, the angle between its arrows, its share as a bar and a number. */
function card(model, t, i) {
  const { svg, show } = dial();
  const [angle, share, period, bar] = ["lm-angle", "lm-share", "lm-period", "lm-amount"].map((name) => element("span", { class: name }));
  const node = button("", () => choose(model, { pair: i }));
  node.className = "lm-card";
  node.append(element("span", { class: "lm-title" }, t("pair", { pair: i })), svg, angle, element("span", { class: "lm-track", "aria-hidden": "true" }, bar), share, period);
  const paint = (s, longest, largest) => {
    const q = turned(s.query, s.m, s.base), k = turned(s.key, s.n, s.base);
    const at = (v) => [v[i] / longest, v[i + s.count] / longest];
    show("query0", at(s.query), false);
    show("key0", at(s.key), false);
    show("query", at(q), true);
    show("key", at(k), true);
    const part = s.shares[i] / largest;
    angle.textContent = t("degrees", { degrees: formatNumber(s.angles[i], 1) });
    share.textContent = signed(s.shares[i]);
    const turn = (2 * Math.PI) / speeds(2 * s.count, s.base)[i];
    period.textContent = t("round", { period: turn < 100 ? formatNumber(turn, 1) : Math.round(turn).toLocaleString("en") });
    bar.style.left = `${50 + 50 * Math.min(part, 0)}%`;
    bar.style.width = `${50 * Math.abs(part)}%`;
    node.setAttribute("aria-pressed", String(i === s.pair));
  };
  return { node, paint };
}

function cardsView(model, t) {
  const box = element("div", { class: "lm-cards", role: "group", "aria-label": t("cards_name") });
  const swatch = (name, text) => element("span", { class: `lm-swatch ${name}` }, text);
  const legend = element("p", { class: "lm-note lm-legend" }, swatch("lm-is-query", t("query")), swatch("lm-is-key", t("key")), element("span", {}, t("start")));
  let cards = [];
  const paint = (state) => {
    if (cards.length !== state.count) {
      cards = Array.from({ length: state.count }, (_, i) => card(model, t, i));
      box.replaceChildren(...cards.map(({ node }) => node));
    }
    const longest = Math.max(...state.lengths.flat(), 1e-9), largest = Math.max(...state.lengths[0].map((length, i) => length * state.lengths[1][i]), 1e-9);
    cards.forEach(({ paint: draw }) => draw(state, longest, largest));
  };
  return { node: element("div", {}, legend, element("p", { class: "lm-note" }, t("cards")), box), paint };
}

/** The formulas with their present numbers, and the finding in a sentence. */
function formulaView(t) {
  const lines = ["lm-distance", "lm-one", "lm-turned", "lm-added"].map((name) => element("p", { class: name }));
  const sentence = element("p", { class: "lm-summary", "aria-live": "polite" });
  const paint = (s) => {
    const degrees = formatNumber(s.angles[s.pair], 1), own = { pair: s.pair, query: two(s.lengths[0][s.pair]), key: two(s.lengths[1][s.pair]), degrees };
    const written = [t("distance", { m: s.m, n: s.n, distance: whole(s.distance) }), `${t("share", own)} ≈ ${two(s.shares[s.pair])}`,
      `${t("turned")} ≈ ${joined(s.shares)} ≈ ${two(sum(s.shares))}`, `${t("added")} ≈ ${joined(s.terms)} ≈ ${two(sum(s.terms))}`];
    lines.forEach((line, i) => { line.textContent = written[i]; });
    const values = s.places.map(([, value]) => value), found = { distance: whole(s.distance), turned: two(sum(s.shares)), added: two(sum(s.terms)), count: s.places.length, low: two(Math.min(...values)), high: two(Math.max(...values)) };
    const words = s.places.length > 1 ? t("summary", found) : t("summary_one", found);
    if (sentence.textContent !== words) sentence.textContent = words; // the same words are not spoken again
  };
  return { node: element("div", { class: "lm-formulas" }, ...lines, sentence), paint };
}

/** A plot of lines [x, y][] over x from `from` to LAST; a ring at the present point, numbers at the left and below. */
function plot(from, axis) {
  const svg = part2d("svg", { class: "lm-curves", viewBox: `${from} 0 ${LAST - from} 1`, preserveAspectRatio: "none" });
  const title = element("p", { class: "lm-note" }), left = element("div", { class: "lm-left" }), ring = element("span", { class: "lm-ring" });
  const place = (node, x) => { node.style.left = `${(100 * (x - from)) / (LAST - from)}%`; return node; };
  const steps = from < 0 ? [-100, -50, 0, 50] : [0, 25, 50, 75, 100];
  const below = element("div", { class: "lm-below" }, ...steps.map((x) => place(element("span", {}, whole(x)), x)), place(element("span", {}, axis), LAST));
  const node = element("div", { class: "lm-chart", "aria-hidden": "true" }, title, element("div", { class: "lm-plot" }, svg, left, ring), below);
  const paint = (text, lines, [x, y]) => {
    const all = lines.flatMap(([, points]) => points.map(([, value]) => value)), low = Math.min(0, ...all), high = Math.max(0, ...all), span = high - low || 1;
    const height = (value) => 0.94 - (0.88 * (value - low)) / span;
    const path = (points) => `M${points.map(([a, b]) => `${a} ${height(b).toFixed(5)}`).join("L")}`;
    title.textContent = text;
    svg.replaceChildren(part2d("path", { class: "lm-raster", d: `M${from} ${height(0)}H${LAST}M${x} 0V1` }), ...lines.map(([name, points]) => part2d("path", { class: name, d: path(points) })));
    left.replaceChildren(...[...new Set([low, 0, high])].map((value) => { // a number too near to zero's is left out
      const mark = element("span", {}, value && Math.abs(value) < 0.12 * span ? "" : formatNumber(value, 1));
      mark.style.top = `${100 * height(value)}%`;
      return mark;
    }));
    place(ring, x).style.top = `${100 * height(y)}%`;
  };
  return { node, paint };
}

function chartsView(t) {
  const curve = plot(-LAST, t("axis_distance")), shift = plot(0, t("axis_shift"));
  const distances = Array.from({ length: 2 * LAST + 1 }, (_, i) => i - LAST);
  let vectors = "", parts = []; // the shares at every distance: they stay while only the positions move
  const paint = (s) => {
    const now = JSON.stringify([s.query, s.key, s.base]);
    if (now !== vectors) [vectors, parts] = [now, distances.map((d) => shares(s.query, s.key, d, 0, s.base))];
    const total = sum(s.shares), lines = [["lm-thin", parts.map((p, i) => [distances[i], p[s.pair]])], ["lm-line", parts.map((p, i) => [distances[i], sum(p)])]];
    curve.paint(t("curve", { pair: s.pair }), lines, [s.distance, total]);
    const flat = s.places.map(([m]) => [m, total]);
    shift.paint(t("shift", { distance: whole(s.distance) }), [["lm-dashed", s.places], ["lm-line", flat]], [s.m, total]);
  };
  return { node: element("div", { class: "lm-charts" }, curve.node, shift.node), paint };
}

function render({ model, el }) {
  const t = texts(model), views = [settingsView(model, t), cardsView(model, t), formulaView(t), chartsView(t)];
  el.append(element("div", { class: "lm lm-rotary-arrows" }, ...views.map(({ node }) => node)));
  return paintOnChange(model, TRAITS, () => {
    const state = readState(model);
    views.forEach((view) => view.paint(state));
  });
}

export default { render };
