// The forward pass of the book's Llama (helpers/models/transformer.py), one token at a time. Joined after _common.js where wanted.
// Names of weights and settings are those of that file; a matrix is a Float32Array, row by row.

/** [name, rows, columns] of every weight in the order of the bytes, as in _language_model.py; a norm has one row. */
function weightShapes({ vocab_size, hidden_dim, n_layers, n_heads, n_kv_heads, mlp_dim }) {
  const kvDim = (hidden_dim / n_heads) * n_kv_heads;
  const layer = [
    ["input_layernorm", 1, hidden_dim], ["q_proj", hidden_dim, hidden_dim], ["k_proj", kvDim, hidden_dim],
    ["v_proj", kvDim, hidden_dim], ["o_proj", hidden_dim, hidden_dim], ["post_attention_layernorm", 1, hidden_dim],
    ["gate_proj", mlp_dim, hidden_dim], ["up_proj", mlp_dim, hidden_dim], ["down_proj", hidden_dim, mlp_dim],
  ];
  return [["embed_tokens", vocab_size, hidden_dim], ...Array.from({ length: n_layers }, () => layer).flat(), ["norm", 1, hidden_dim]];
}

/** Cosine and sine of the angle of each pair at each position: n_positions × head_dim / 2, rounded to float32 as torch's. */
function rotaryTable({ context, hidden_dim, n_heads, base }) {
  const pairs = hidden_dim / n_heads / 2;
  const angles = Float64Array.from({ length: context * pairs }, (_, i) => Math.floor(i / pairs) * base ** (-(i % pairs) / pairs));
  return { cos: Float32Array.from(angles, Math.cos), sin: Float32Array.from(angles, Math.sin) };
}

/**
 * The model from its settings and bytes: first every factor of a row and every weight of a norm as float32
 * (little-endian), then every matrix as int8; a weight is its int8 times the factor of its row, rounded to float32.
 * @param {object} settings arguments of Llama @param {Uint8Array} bytes
 */
export function decodeModel(settings, bytes) {
  const shapes = weightShapes(settings), isNorm = ([name]) => name.endsWith("norm");
  const nFloats = shapes.reduce((sum, shape) => sum + (isNorm(shape) ? shape[2] : shape[1]), 0);
  const nBytes = shapes.reduce((sum, shape) => sum + (isNorm(shape) ? 0 : shape[1] * shape[2]), 4 * nFloats);
  if (bytes.length !== nBytes) throw new RangeError(`weights: ${bytes.length} != ${nBytes}`);
  const own = bytes.slice().buffer; // a copy starts at 0, where float32 may be read
  const floats = new Float32Array(own, 0, nFloats), levels = new Int8Array(own, 4 * nFloats);
  let float = 0, level = 0;
  const arrays = shapes.map((shape) => {
    const [, rows, columns] = shape;
    if (isNorm(shape)) return floats.subarray(float, (float += columns));
    const matrix = Float32Array.from(levels.subarray(level, (level += rows * columns)));
    for (let row = 0; row < rows; row += 1, float += 1) {
      for (let i = row * columns; i < (row + 1) * columns; i += 1) matrix[i] *= floats[float];
    }
    return matrix;
  });
  const perLayer = (arrays.length - 2) / settings.n_layers;
  const layers = Array.from({ length: settings.n_layers }, (_, layer) => {
    const first = 1 + layer * perLayer;
    return Object.fromEntries(shapes.slice(first, first + perLayer).map(([name], i) => [name, arrays[first + i]]));
  });
  return { settings, embed_tokens: arrays[0], layers, norm: arrays.at(-1), ...rotaryTable(settings) };
}

/** The model in the traits settings and weights of an explorable. */
function readLanguageModel(model) {
  return decodeModel(model.get("settings"), readBytes(model.get("weights")));
}

/**
 * Keys and values of the tokens read so far, and, where wanted, each head's weights:
 * attention[layer][head][query] has the weights of the keys 0…query.
 */
export function emptyCache({ settings: { context, hidden_dim, n_layers, n_heads, n_kv_heads } }) {
  const size = context * (hidden_dim / n_heads) * n_kv_heads, each = (length, make) => Array.from({ length }, make);
  return {
    length: 0,
    keys: each(n_layers, () => new Float64Array(size)), values: each(n_layers, () => new Float64Array(size)),
    attention: each(n_layers, () => each(n_heads, () => [])),
  };
}

/** Forget all tokens but the first `length`. */
export function rewind(cache, length) {
  cache.length = Math.min(cache.length, length);
  for (const rows of cache.attention.flat()) rows.length = cache.length;
}

/** Matrix (rows × columns) times x (columns). */
function multiply(matrix, x) {
  const columns = x.length, y = new Float64Array(matrix.length / columns);
  for (let row = 0, at = 0; row < y.length; row += 1, at += columns) {
    let sum = 0;
    for (let i = 0; i < columns; i += 1) sum += matrix[at + i] * x[i];
    y[row] = sum;
  }
  return y;
}

/** RMSNorm: x divided by its root mean square, times a weight for each coordinate. */
function normalise(x, weight, eps) {
  let sum = 0;
  for (let i = 0; i < x.length; i += 1) sum += x[i] * x[i];
  const factor = 1 / Math.sqrt(sum / x.length + eps);
  return x.map((value, i) => value * factor * weight[i]);
}

/** Every head of x turned in place to a position: coordinate i is paired with i + headDim / 2. */
function rotate(x, headDim, position, { cos, sin }) {
  const pairs = headDim / 2;
  for (let start = 0; start < x.length; start += headDim) {
    for (let i = 0; i < pairs; i += 1) {
      const first = x[start + i], second = x[start + pairs + i], c = cos[position * pairs + i], s = sin[position * pairs + i];
      x[start + i] = first * c - second * s;
      x[start + pairs + i] = second * c + first * s;
    }
  }
  return x;
}

/** Numbers as shares of 1. */
export function softmax(scores) {
  const most = Math.max(...scores), shares = Float64Array.from(scores).map((score) => Math.exp(score - most));
  const sum = shares.reduce((a, b) => a + b, 0);
  return shares.map((share) => share / sum);
}

/** One head of one token: weights of all keys so far, and the mean of their values added to `out`. Keys of a later token are not there yet. */
function attend(queries, keys, values, { start, group, headDim, kvDim, count }, out) {
  const scores = new Float64Array(count);
  for (let key = 0; key < count; key += 1) {
    let sum = 0;
    for (let i = 0; i < headDim; i += 1) sum += queries[start + i] * keys[key * kvDim + group + i];
    scores[key] = sum / Math.sqrt(headDim);
  }
  const weights = softmax(scores);
  for (let key = 0; key < count; key += 1) {
    for (let i = 0; i < headDim; i += 1) out[start + i] += weights[key] * values[key * kvDim + group + i];
  }
  return weights;
}

/** Grouped attention of one layer for the token at position cache.length. */
function attention(model, cache, number, x, look) {
  const { hidden_dim, n_heads, n_kv_heads } = model.settings, layer = model.layers[number], position = cache.length;
  const headDim = hidden_dim / n_heads, kvDim = headDim * n_kv_heads, keys = cache.keys[number], values = cache.values[number];
  const queries = rotate(multiply(layer.q_proj, x), headDim, position, model), out = new Float64Array(hidden_dim);
  keys.set(rotate(multiply(layer.k_proj, x), headDim, position, model), position * kvDim);
  values.set(multiply(layer.v_proj, x), position * kvDim);
  for (let head = 0; head < n_heads; head += 1) {
    const group = Math.floor((head * n_kv_heads) / n_heads) * headDim; // neighbouring heads share keys and values
    const weights = attend(queries, keys, values, { start: head * headDim, group, headDim, kvDim, count: position + 1 }, out);
    if (look) cache.attention[number][head].push(weights);
  }
  return multiply(layer.o_proj, out);
}

/** SwiGLU: an MLP whose inner values are multiplied by a gate. */
function gatedMlp({ gate_proj, up_proj, down_proj }, x) {
  const up = multiply(up_proj, x);
  return multiply(down_proj, multiply(gate_proj, x).map((gate, i) => (gate / (1 + Math.exp(-gate))) * up[i]));
}

/**
 * Read one more token; logits (vocab_size) of the next one. The cache must come from emptyCache of this model.
 * @param {boolean} look whether cache.attention gets a row for each head: for all tokens of a cache, or for none
 */
export function step(model, cache, id, look = false) {
  const { hidden_dim, vocab_size, context, eps } = model.settings;
  if (!(id >= 0 && id < vocab_size)) throw new RangeError(`id ${id}`);
  if (cache.length >= context) throw new RangeError(`context ${context}`);
  const x = Float64Array.from(model.embed_tokens.subarray(id * hidden_dim, (id + 1) * hidden_dim));
  const add = (part) => { for (let i = 0; i < hidden_dim; i += 1) x[i] += part[i]; };
  model.layers.forEach((layer, number) => {
    add(attention(model, cache, number, normalise(x, layer.input_layernorm, eps), look));
    add(gatedMlp(layer, normalise(x, layer.post_attention_layernorm, eps)));
  });
  cache.length += 1;
  return multiply(model.embed_tokens, normalise(x, model.norm, eps));
}
