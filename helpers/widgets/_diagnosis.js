// Arithmetic of the diagnosis game: order of play, score, axes, paths. Joined after _common.js and _random.js; order, score and axes as in _diagnosis.py.
// A series is a list of numbers, null where a loss was no finite number. An axis is { kind: "linear" or "log", low, high, ticks }.

const WORD = 2 ** 32;
const HIDES = 30; // a loss so many times above the usual ones would hide them on a linear axis
const FAR = 1e5; // times the middle loss: what lies beyond is drawn on the edge

/** The numbers 0…count − 1 in the order that a seed in 0…2³² − 1 gives (Fisher and Yates). */
export function shuffledOrder(seed, count) {
  const order = Array.from({ length: count }, (_, i) => i), numbers = uniforms(seed, count);
  for (let last = count - 1; last > 0; last -= 1) {
    const chosen = Math.floor(numbers[count - 1 - last] * (last + 1));
    [order[last], order[chosen]] = [order[chosen], order[last]];
  }
  return order;
}

/** The next seed that gives another order than this one. */
export function nextSeed(seed, order) {
  const next = (seed + 1) % WORD, same = shuffledOrder(next, order.length).every((run, i) => run === order[i]);
  return same ? nextSeed(next, order) : next;
}

/** Indices of the names in alphabetical order, capitals like small letters. */
export function alphabetical(names) {
  const small = names.map((name) => name.toLowerCase());
  return [...names.keys()].sort((a, b) => (small[a] < small[b] ? -1 : 1));
}

/** How a run went: "first" (found at the first try), "later", "shown" or "open". answers: runs whose causes were picked; null, where the answer was shown. */
export function outcome(run, answers) {
  if (answers.at(-1) === null) return "shown";
  if (!answers.includes(run)) return "open";
  return answers[0] === run ? "first" : "later";
}

/** Runs of each outcome, and the number of measurements. One list for each run. */
export function score(answers, measured) {
  const counts = { first: 0, later: 0, shown: 0, open: 0, measurements: measured.flat().length };
  answers.forEach((given, run) => { counts[outcome(run, given)] += 1; });
  return counts;
}

/** The next place after this one whose run is open, round by way of the result at order.length; that one where none is open. */
export function nextOpen(order, answers, place) {
  const places = [...order, null].map((_, i) => (place + 1 + i) % (order.length + 1)).filter((i) => i < order.length);
  return places.find((i) => outcome(order[i], answers[order[i]]) === "open") ?? order.length;
}

/** Multiples of 1, 2 or 5 times a power of ten, from low or below to high or above; count is the wanted number of steps. */
export function niceTicks(low, high, count) {
  const wanted = (high - low) / count, power = Number(`1e${Math.floor(Math.log10(wanted))}`);
  const step = power * [1, 2, 5, 10].find((digit) => digit * power >= wanted * (1 - 1e-9));
  const first = Math.floor(low / step + 1e-9), last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** An axis on which no loss hides the others: linear, or logarithmic over whole powers of ten. */
export function lossAxis(values) {
  const finite = values.filter(Number.isFinite).sort((a, b) => a - b), half = finite.length >> 1;
  if (!finite.length) return linearAxis(0, 1);
  const least = finite[0], most = finite.at(-1), middle = finite[half], usual = finite[Math.floor(finite.length / 10)];
  if (least >= 0 && usual > 0 && most > HIDES * usual) {
    const low = Math.floor(Math.log10(Math.max(least, middle / FAR))), high = Math.ceil(Math.log10(Math.min(most, middle * FAR)));
    const ticks = Array.from({ length: high - low + 1 }, (_, i) => Number(`1e${low + i}`));
    return { kind: "log", low: ticks[0], high: ticks.at(-1), ticks };
  }
  const size = HIDES * finite.map(Math.abs).sort((a, b) => a - b)[half] || Infinity;
  return linearAxis(Math.max(Math.min(least, 0), -size), Math.min(Math.max(most, 0), size));
}

/** A linear axis that ends on ticks. */
export function linearAxis(low, high) {
  const ticks = niceTicks(low, high > low ? high : low + 1, 5);
  return { kind: "linear", low: ticks[0], high: ticks.at(-1), ticks };
}

/** An axis from the first to the last of the steps, with the ticks that lie on it. */
export function stepAxis(low, high) {
  return { kind: "linear", low, high, ticks: niceTicks(low, high, 4).filter((tick) => tick >= low && tick <= high) };
}

/** Where a value stands on an axis: 0 at its low end, 1 at its high end; what lies beyond is drawn on the end. */
export function toUnit(value, { kind, low, high }) {
  const scale = kind === "log" ? (number) => Math.log10(Math.max(number, low)) : (number) => number;
  return Math.min(Math.max((scale(value) - scale(low)) / (scale(high) - scale(low)), 0), 1);
}

/** A curve in a picture of width and height 1, [0, 0] at the top left: lists of points, cut where there is no number. */
export function pieces(steps, values, xAxis, yAxis) {
  const found = [[]];
  values.forEach((value, i) => {
    if (value === null) found.push([]);
    else found.at(-1).push([toUnit(steps[i], xAxis), 1 - toUnit(value, yAxis)]);
  });
  return found.filter((points) => points.length);
}

/** [first, last] step at which a loss was no finite number, last is null where the series ends so; null where there is none. */
export function gap(steps, values) {
  const first = values.indexOf(null), last = values.lastIndexOf(null);
  return first < 0 ? null : [steps[first], last === values.length - 1 ? null : steps[last]];
}

/** Indices of five values, evenly spread over a series of this length (all of a shorter one). */
export function spread(length) {
  return [...new Set([0, 1, 2, 3, 4].map((i) => Math.round((i * (length - 1)) / 4)))];
}

/** Three digits; where that would be long, two and a power of ten. */
export function written(value) {
  const size = Math.abs(value), minus = value < 0 ? "−" : "";
  if (size === 0 || (size >= 1e-3 && size < 1e4)) return minus + String(Number(size.toPrecision(3)));
  const [digits, power] = size.toExponential(1).split("e");
  const raised = Array.from(String(Number(power)), (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]).join("");
  return `${minus}${digits === "1.0" ? "" : `${Number(digits)}·`}10${raised}`;
}
