// One augmentation of a picture, step by step, in double precision: pure functions, the same as in _augmentation.py.
// A picture is a list of values, 0 black to 1 white: first all of red, row by row, then green, then blue.
// Plain loops: with map and reduce a picture took several times longer.

/** What a random draw takes evenly from low to high, in this order, and to how many parts of 1 it is rounded; as in _augmentation.py. */
export const DRAWN = {
  rotation: [-30, 30, 1], zoom: [0.8, 1.25, 100], shift_right: [-0.15, 0.15, 100], shift_down: [-0.15, 0.15, 100],
  contrast: [0.6, 1.4, 100], brightness: [-0.2, 0.2, 100], noise: [0, 0.1, 100],
  erased_size: [0, 0.4, 100], erased_right: [0, 1, 100], erased_down: [0, 1, 100],
};
const EDGE = 1e-9; // what lies beyond a limit by less is rounding

/** The settings of draw number `seed`: a flip in half of all draws, the others from DRAWN. */
export function drawnSettings(seed) {
  const [coin, ...numbers] = uniforms(2 * seed, 1 + Object.keys(DRAWN).length);
  const entry = ([name, [low, high, parts]], i) => [name, Math.floor((low + (high - low) * numbers[i]) * parts + 0.5) / parts];
  return { flip: coin < 0.5, ...Object.fromEntries(Object.entries(DRAWN).map(entry)) };
}

/** Numbers with mean 0 and standard deviation 1, by Box and Muller's method; odd and even seeds are different streams. */
export function normals(seed, count) {
  const half = Math.ceil(count / 2), numbers = uniforms(2 * seed + 1, 2 * half), found = new Float64Array(2 * half);
  for (let i = 0; i < half; i += 1) {
    const radius = Math.sqrt(-2 * Math.log(1 - numbers[i])), angle = 2 * Math.PI * numbers[half + i];
    found[i] = radius * Math.cos(angle);
    found[half + i] = radius * Math.sin(angle);
  }
  return found.subarray(0, count);
}

let kept = { seed: null, count: null, numbers: null }; // the same noise again and again, while other settings move

function sameNormals(seed, count) {
  if (kept.seed !== seed || kept.count !== count) kept = { seed, count, numbers: normals(seed, count) };
  return kept.numbers;
}

/** Left and right exchanged, in every row of width values. */
export function flipped(values, width) {
  const output = new Float64Array(values.length);
  for (let row = 0; row < values.length; row += width) for (let i = 0; i < width; i += 1) output[row + i] = values[row + width - 1 - i];
  return output;
}

/**
 * Where output pixels come from: [a, b, c, d, e, f] with column = a·x + b·y + c, row = d·x + e·y + f for the output pixel in column x, row y.
 * The picture is turned about its centre (positive: against the clock), made `zoom` times larger, then shifted by shares of its sides.
 */
export function inverseMap(height, width, { rotation, zoom, shift_right, shift_down }) {
  const angle = (rotation * Math.PI) / 180, cos = Math.cos(angle) / zoom, sin = Math.sin(angle) / zoom;
  const middle = [(width - 1) / 2, (height - 1) / 2];
  const x = middle[0] + shift_right * width, y = middle[1] + shift_down * height; // where the centre goes
  return [cos, -sin, middle[0] - cos * x + sin * y, sin, cos, middle[1] - sin * x - cos * y];
}

/** A coordinate mirrored at the outer edges of the first and the last pixel, −0.5 and size − 0.5, until it lies inside; then held to 0…size − 1. */
export function reflected(coordinate, size) {
  const length = Math.abs(coordinate + 0.5), turns = Math.floor(length / size), rest = length % size;
  return Math.min(Math.max((turns % 2 ? size - rest : rest) - 0.5, 0), size - 1);
}

/** Each output pixel read from the picture at map's place, between four pixels; outside is "black" or "reflected". */
export function warped(values, height, width, map, fill) {
  const [a, b, c, d, e, f] = map, size = height * width, output = new Float64Array(values.length);
  const at = (row, column, channel) => (row < 0 || row >= height || column < 0 || column >= width ? 0 : values[channel + row * width + column]);
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) {
    let column = a * x + b * y + c, row = d * x + e * y + f;
    if (fill === "reflected") [column, row] = [reflected(column, width), reflected(row, height)];
    const left = Math.floor(column), top = Math.floor(row), right = column - left, down = row - top;
    const weights = [(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down];
    for (let channel = 0; channel < values.length; channel += size) {
      output[channel + y * width + x] = weights[0] * at(top, left, channel) + weights[1] * at(top, left + 1, channel)
        + weights[2] * at(top + 1, left, channel) + weights[3] * at(top + 1, left + 1, channel);
    }
  }
  return output;
}

/** Share of the output pixels whose place lies outside the picture, whose edges are half a pixel beyond the outer centres. */
export function outsideShare(height, width, [a, b, c, d, e, f]) {
  const beyond = (place, size) => place < -0.5 - EDGE || place > size - 0.5 + EDGE;
  let count = 0;
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) count += beyond(a * x + b * y + c, width) || beyond(d * x + e * y + f, height);
  return count / (height * width);
}

/** Distances from the mean of the picture times contrast, then brightness added. */
export function adjusted(values, contrast, brightness) {
  const output = new Float64Array(values.length);
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += values[i];
  const offset = (sum / values.length) * (1 - contrast) + brightness;
  for (let i = 0; i < values.length; i += 1) output[i] = values[i] * contrast + offset;
  return output;
}

/** Normal noise of the given standard deviation added. */
export function noisy(values, deviation, seed) {
  const noise = sameNormals(seed, values.length), output = new Float64Array(values.length);
  for (let i = 0; i < values.length; i += 1) output[i] = values[i] + deviation * noise[i];
  return output;
}

/** [top, left, side] in pixels: size is a share of the shorter side, right and down of the room that is left. */
export function erasedSquare(height, width, { erased_size, erased_right, erased_down }) {
  const side = Math.floor(erased_size * Math.min(height, width) + 0.5);
  return [Math.floor(erased_down * (height - side) + 0.5), Math.floor(erased_right * (width - side) + 0.5), side];
}

/** A square of zeros in every channel. */
export function erased(values, height, width, [top, left, side]) {
  const output = values.slice();
  for (let line = 0; line < values.length / width; line += 1) {
    const row = line % height;
    if (row >= top && row < top + side) output.fill(0, line * width + left, line * width + left + side);
  }
  return output;
}

/** Cut to 0…1 and rounded to 0…255; beside it how many values of each channel were cut off at 0 and at 1. */
export function toLevels(values) {
  const levels = new Uint8Array(values.length), size = values.length / 3, low = [0, 0, 0], high = [0, 0, 0];
  for (let channel = 0; channel < 3; channel += 1) for (let i = channel * size; i < (channel + 1) * size; i += 1) {
    if (values[i] < -EDGE) low[channel] += 1;
    if (values[i] > 1 + EDGE) high[channel] += 1;
    levels[i] = Math.floor(255 * Math.min(Math.max(values[i], 0), 1) + 0.5);
  }
  return { levels, low, high };
}

/** The whole augmentation, in the order of the settings; steps that change nothing are left out. */
export function augment(values, height, width, settings) {
  const map = inverseMap(height, width, settings), { contrast, brightness, noise } = settings;
  let now = settings.flip ? flipped(values, width) : values;
  if (map.join() !== "1,0,0,0,1,0") now = warped(now, height, width, map, settings.fill);
  if (contrast !== 1 || brightness !== 0) now = adjusted(now, contrast, brightness);
  if (noise > 0) now = noisy(now, noise, settings.seed);
  now = erased(now, height, width, erasedSquare(height, width, settings));
  return { ...toLevels(now), outside: outsideShare(height, width, map) };
}

/** How many of the levels 0…255 fall into each of `bins` equal parts. */
export function histogram(levels, bins) {
  const counts = new Array(bins).fill(0);
  for (let i = 0; i < levels.length; i += 1) counts[Math.floor((levels[i] * bins) / 256)] += 1;
  return counts;
}

/** [mean, standard deviation] of levels: sums of whole numbers, so that no order of summation is seen. */
export function moments(levels) {
  let sum = 0, squares = 0;
  for (let i = 0; i < levels.length; i += 1) {
    sum += levels[i];
    squares += levels[i] * levels[i];
  }
  const mean = sum / levels.length;
  return [mean, Math.sqrt(Math.max(0, squares / levels.length - mean * mean))];
}
