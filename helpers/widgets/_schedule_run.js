// A learning-rate schedule and the run of a small network under it, in double precision: pure functions.
// A run is { shape, peak, warmup, seed }. Rows of inputs stand one after the other, as do rows of weights.

const SIZES = [49, 64, 64, 10], STEPS = 300, BATCH = 32; // these and LIMIT as in _schedule_run.py
const LIMIT = 1000; // a run whose loss passes it is stopped

/** The factor on the peak after `done` of `left` steps; a shape that ends at zero gets there after the last one. */
const SHAPES = {
  constant: () => 1,
  linear: (done, left) => 1 - done / left,
  cosine: (done, left) => (1 + Math.cos((Math.PI * done) / left)) / 2,
  step: (done, left, steps) => [0.6, 0.8].reduce((factor, share) => (done + steps - left < Math.round(share * steps) ? factor : factor / 10), 1),
};

/** The learning rate of each step: `steps` numbers. Step s of W warm-up steps has (s + 1) / W of the peak. */
export function learningRates({ shape, peak, warmup }, steps) {
  const rise = Math.floor(warmup * steps + 0.5), left = steps - rise;
  const factor = (step) => (step < rise ? (step + 1) / rise : SHAPES[shape](step - rise, left, steps));
  return Float64Array.from({ length: steps }, (_, step) => peak * (shape === "one_cycle" ? oneCycle(step, steps, warmup || 0.3) : factor(step)));
}

/** From 1/25 up to 1 and down to 1/250,000, by half cosines, as torch's OneCycleLR with its defaults. */
function oneCycle(step, steps, share) {
  const low = 1 / 25, end = low / 1e4, top = share * steps - 1; // top: where the peak lies
  const between = (from, to, part) => to + ((from - to) / 2) * (1 + Math.cos(Math.PI * part));
  return step <= top ? between(low, 1, step / top) : between(1, end, (step - top) / (steps - 1 - top));
}

/** Where the weights and the biases of each layer stand in the list of all parameters. */
function layersOf(sizes) {
  let at = 0;
  return sizes.slice(1).map((outputs, i) => {
    const inputs = sizes[i], layer = { inputs, outputs, at, bias: at + inputs * outputs };
    at = layer.bias + outputs;
    return layer;
  });
}

/** All parameters, layer by layer: weights (outputs × inputs) uniform within ±√(6 / inputs), biases zero. */
export function firstParameters(seed, sizes) {
  const layers = layersOf(sizes), last = layers.at(-1);
  const parameters = new Float64Array(last.bias + last.outputs);
  const numbers = uniforms(2 * seed, layers.reduce((sum, { inputs, outputs }) => sum + inputs * outputs, 0));
  let next = 0;
  for (const { inputs, at, bias } of layers) {
    const bound = Math.sqrt(6 / inputs);
    for (let i = at; i < bias; i += 1) parameters[i] = (2 * numbers[next++] - 1) * bound;
  }
  return parameters;
}

/** Row numbers of each batch, one batch after the other: every epoch in a new order, its last rows left out. */
export function batchOrder(seed, count, batch, steps) {
  const full = Math.floor(count / batch) * batch, epochs = Math.ceil((steps * batch) / full);
  const keys = uniforms(2 * seed + 1, epochs * count), order = [];
  for (let epoch = 0; epoch < epochs; epoch += 1) {
    const key = keys.subarray(epoch * count, (epoch + 1) * count);
    order.push(...Array.from(key, (_, row) => row).sort((a, b) => key[a] - key[b]).slice(0, full));
  }
  return Int32Array.from(order.slice(0, steps * batch));
}

/** Input, hidden units after ReLU, logits: for each a list of rows. */
function forward(parameters, layers, inputs) {
  const rows = inputs.length / layers[0].inputs, values = [inputs];
  layers.forEach((layer, depth) => {
    const below = values[depth], above = new Float64Array(rows * layer.outputs), last = depth === layers.length - 1;
    for (let row = 0; row < rows; row += 1) for (let unit = 0; unit < layer.outputs; unit += 1) {
      const from = row * layer.inputs, weights = layer.at + unit * layer.inputs;
      let sum = parameters[layer.bias + unit];
      for (let i = 0; i < layer.inputs; i += 1) sum += parameters[weights + i] * below[from + i];
      above[row * layer.outputs + unit] = last || sum > 0 || Number.isNaN(sum) ? sum : 0;
    }
    values.push(above);
  });
  return values;
}

/** Of one row of logits: the probabilities, and the logarithm of the one at `label`. */
function softmax(logits, label) {
  const most = logits.reduce((a, b) => Math.max(a, b)), powers = logits.map((logit) => Math.exp(logit - most));
  const sum = powers.reduce((a, b) => a + b);
  return { probabilities: powers.map((power) => power / sum), logarithm: logits[label] - most - Math.log(sum) };
}

/** Cross-entropy summed over the rows, and the number of rows whose largest logit is at the label. */
export function scores(parameters, sizes, inputs, labels) {
  const logits = forward(parameters, layersOf(sizes), inputs).at(-1), classes = sizes.at(-1);
  let loss = 0, right = 0;
  labels.forEach((label, row) => {
    const own = logits.subarray(row * classes, (row + 1) * classes);
    loss -= softmax(own, label).logarithm;
    if (own.indexOf(Math.max(...own)) === label) right += 1;
  });
  return [loss, right];
}

/** Mean cross-entropy of a batch, and its gradient for all parameters. */
export function lossAndGradient(parameters, sizes, inputs, labels) {
  const layers = layersOf(sizes), values = forward(parameters, layers, inputs), rows = labels.length, classes = sizes.at(-1);
  const gradient = new Float64Array(parameters.length);
  let slopes = values.at(-1), loss = 0; // of the loss, for the outputs of a layer; they overwrite the logits
  labels.forEach((label, row) => {
    const { probabilities, logarithm } = softmax(slopes.subarray(row * classes, (row + 1) * classes), label);
    loss -= logarithm / rows;
    probabilities.forEach((probability, unit) => { slopes[row * classes + unit] = (probability - (unit === label)) / rows; });
  });
  for (let depth = layers.length - 1; depth >= 0; depth -= 1) slopes = backward(parameters, gradient, layers[depth], values[depth], slopes, depth);
  return { loss, gradient };
}

/** Adds the gradient of one layer; returns the slopes for its inputs, zero where ReLU gave zero. */
function backward(parameters, gradient, { inputs, outputs, at, bias }, below, slopes, depth) {
  const rows = slopes.length / outputs, lower = new Float64Array(depth ? rows * inputs : 0);
  for (let row = 0; row < rows; row += 1) for (let unit = 0; unit < outputs; unit += 1) {
    const slope = slopes[row * outputs + unit], from = row * inputs, weights = at + unit * inputs;
    gradient[bias + unit] += slope;
    for (let i = 0; i < inputs; i += 1) gradient[weights + i] += slope * below[from + i];
    if (depth) for (let i = 0; i < inputs; i += 1) lower[from + i] += slope * parameters[weights + i];
  }
  return lower.map((slope, i) => (below[i] > 0 ? slope : 0));
}

/** Bytes of pictures, or any part of them, as inputs: minus the mean, divided by the standard deviation. */
export function standardised(bytes, [mean, deviation]) {
  return Float64Array.from(bytes, (byte) => (byte - mean) / deviation);
}

/** Train in small parts: hands back the losses so far after each, and at last what _schedule_run.py calls an outcome. */
function* training({ inputs, labels, trainCount }, run) {
  const parameters = firstParameters(run.seed, SIZES), rates = learningRates(run, STEPS), losses = [];
  yield losses;
  const order = batchOrder(run.seed, trainCount, BATCH, STEPS), row = (i) => inputs.subarray(i * SIZES[0], (i + 1) * SIZES[0]);
  for (let step = 0; step < STEPS; step += 1) {
    const rows = order.subarray(step * BATCH, (step + 1) * BATCH), batch = new Float64Array(BATCH * SIZES[0]);
    rows.forEach((from, to) => batch.set(row(from), to * SIZES[0]));
    const { loss, gradient } = lossAndGradient(parameters, SIZES, batch, Array.from(rows, (i) => labels[i]));
    if (!(loss <= LIMIT)) return { run, losses, stopped: step + 1, parameters };
    losses.push(loss);
    for (let i = 0; i < parameters.length; i += 1) parameters[i] -= rates[step] * gradient[i];
    yield losses;
  }
  const sums = [[0, 0], [0, 0]]; // loss and right answers: of the training part, of the validation part
  for (let from = 0; from < labels.length;) {
    const part = from < trainCount ? 0 : 1, to = Math.min(from + BATCH, part ? labels.length : trainCount);
    const found = scores(parameters, SIZES, inputs.subarray(from * SIZES[0], to * SIZES[0]), labels.subarray(from, to));
    sums[part] = sums[part].map((sum, i) => sum + found[i]);
    from = to;
    yield losses;
  }
  const validationCount = labels.length - trainCount, train = sums[0][0] / trainCount, validation = sums[1][0] / validationCount;
  if (!(train <= LIMIT && validation <= LIMIT)) return { run, losses, stopped: STEPS, parameters };
  return { run, losses, stopped: null, parameters, training: train, validation, accuracy: sums[1][1] / validationCount };
}

/** A run from beginning to end. problem: bytes of all pictures, their labels, scale, and how many are to learn from. */
export function wholeRun({ bytes, labels, scale, trainCount }, run) {
  const parts = training({ inputs: standardised(bytes, scale), labels: Uint8Array.from(labels), trainCount }, run);
  for (;;) {
    const { done, value } = parts.next();
    if (done) return { ...value, parameters: Array.from(value.parameters) };
  }
}

/** Each number's mean with those before it, `window` numbers at most. */
export function smoothed(losses, window) {
  return losses.map((_, i) => {
    const recent = losses.slice(Math.max(0, i + 1 - window), i + 1);
    return recent.reduce((a, b) => a + b) / recent.length;
  });
}
