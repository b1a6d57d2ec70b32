// Surfaces f(w1, w2), and the paths of six update rules on them. Joined after _common.js where wanted.
// A point w is [w1, w2]; a path is a list of points, the start first.

const KAPPA = 50, BEND = 10; // these numbers and those of the starts are those of _surfaces.py
const TURN = Math.SQRT1_2; // cosine and sine of 45 degrees
const turned = ([u, v]) => [TURN * (u - v), TURN * (u + v)];
const turnedBack = ([w1, w2]) => [TURN * (w1 + w2), TURN * (w2 - w1)];

/** Points of the circle p² + q² = level, the first one again at the end. */
function circle(level, count = 96) {
  const angles = Array.from({ length: count + 1 }, (_, i) => (2 * Math.PI * i) / count);
  return angles.map((angle) => [Math.sqrt(level) * Math.cos(angle), Math.sqrt(level) * Math.sin(angle)]);
}

/** Every surface is f = p² + q² for some p(w) and q(w): its contour lines are circles, led back to w. */
const valley = {
  start: [-1.7, 0.6],
  value: ([w1, w2]) => (w1 * w1 + KAPPA * w2 * w2) / 2,
  gradient: ([w1, w2]) => [w1, KAPPA * w2],
  contour: (level) => [circle(level).map(([p, q]) => [Math.SQRT2 * p, Math.sqrt(2 / KAPPA) * q])],
};
const SURFACES = {
  valley,
  rotated: {
    start: turned(valley.start),
    value: (w) => valley.value(turnedBack(w)),
    gradient: (w) => turned(valley.gradient(turnedBack(w))),
    contour: (level) => valley.contour(level).map((loop) => loop.map(turned)),
  },
  saddle: {
    start: [-1.6, 0.01],
    value: ([w1, w2]) => w1 * w1 + (w2 * w2 - 1) ** 2 / 2,
    gradient: ([w1, w2]) => [2 * w1, 2 * w2 * (w2 * w2 - 1)],
    contour: saddleContour,
  },
  bend: {
    start: [-1.2, 1.2],
    value: ([w1, w2]) => ((1 - w1) ** 2 + BEND * (w2 - w1 * w1 + 0.5) ** 2) / 2,
    gradient: ([w1, w2]) => [w1 - 1 - 2 * BEND * w1 * (w2 - w1 * w1 + 0.5), BEND * (w2 - w1 * w1 + 0.5)],
    contour: (level) => [circle(level).map(([p, q]) => {
      const w1 = 1 + Math.SQRT2 * p;
      return [w1, w1 * w1 - 0.5 + Math.sqrt(2 / BEND) * q];
    })],
  },
};

/** Below the pass (f = 1/2) one loop around each minimum, above it one around both. */
function saddleContour(level) {
  const side = (points, way) => points.map(([p, q]) => [p, way * Math.sqrt(Math.max(0, 1 + Math.SQRT2 * q))]);
  if (level < 0.5) return [1, -1].map((way) => side(circle(level), way));
  const half = Math.PI / 2 + Math.asin(Math.SQRT1_2 / Math.sqrt(level)); // of the arc where w2² is not negative
  const arc = Array.from({ length: 97 }, (_, i) => Math.PI / 2 + half * Math.cos((Math.PI * i) / 96)); // dense where w2 is near 0
  const points = arc.map((angle) => [Math.sqrt(level) * Math.cos(angle), Math.sqrt(level) * Math.sin(angle)]);
  return [[...side(points, 1), ...side(points, -1).reverse()]];
}

/** f at a point. */
export function surfaceValue(surface, w) {
  return SURFACES[surface].value(w);
}

/** The two slopes of f at a point. */
export function surfaceGradient(surface, w) {
  return SURFACES[surface].gradient(w);
}

/** The closed lines on which f has this value, each a list of points. */
export function contourLines(surface, level) {
  return SURFACES[surface].contour(level);
}

/** One weight moves: w, its gradient g, its own state, the settings with step t = 1, 2, …. All as in torch.optim. */
const UPDATES = {
  sgd: (w, g, state, { lr }) => w - lr * g,
  momentum: (w, g, state, { lr, beta }) => {
    state.v = beta * state.v + g;
    return w - lr * state.v;
  },
  nesterov: (w, g, state, { lr, beta }) => {
    state.v = beta * state.v + g;
    return w - lr * (g + beta * state.v);
  },
  rmsprop: (w, g, state, { lr }) => {
    state.s = 0.99 * state.s + 0.01 * g * g;
    return w - (lr * g) / (Math.sqrt(state.s) + 1e-8);
  },
  adam: (w, g, state, { lr, beta, t }) => {
    state.m = beta * state.m + (1 - beta) * g;
    state.s = 0.999 * state.s + 0.001 * g * g;
    const mean = state.m / (1 - beta ** t), square = state.s / (1 - 0.999 ** t);
    return w - (lr * mean) / (Math.sqrt(square) + 1e-8);
  },
  adamw: (w, g, state, settings) => UPDATES.adam(w * (1 - 0.01 * settings.lr), g, state, settings),
};

/** The path of a rule: steps + 1 points. */
export function runRule(rule, surface, start, lr, beta, steps) {
  const states = start.map(() => ({ v: 0, m: 0, s: 0 })), path = [start];
  for (let t = 1; t <= steps; t += 1) {
    const w = path[t - 1], g = surfaceGradient(surface, w);
    path.push(w.map((weight, i) => UPDATES[rule](weight, g[i], states[i], { lr, beta, t })));
  }
  return path;
}

const FINISH = 1e-3, LIMIT = 1e6; // f below which a rule has arrived, above which it has diverged

/** The first step at which f is no number up to a million, or null. */
export function divergedAt(values) {
  const step = values.findIndex((value) => !(value <= LIMIT)); // written so that NaN is among them
  return step < 0 ? null : step;
}

/** The step from which f stays below 0.001 to the end, or null. */
export function settledAt(values) {
  const after = values.findLastIndex((value) => !(value < FINISH)) + 1;
  return after < values.length ? after : null;
}
