// How logits become the token that is drawn: pure functions. Joined after _common.js where wanted.

/** Places of the numbers, the largest first; equal ones stay in their order. */
export function descending(numbers) {
  return Array.from(numbers, (_, i) => i).sort((a, b) => numbers[b] - numbers[a]);
}

/**
 * helpers.generation.next_token_probabilities: divide by the temperature, keep the topK largest, of these the fewest that reach topP, all for 1.
 * @param {ArrayLike<number>} logits vocab_size of them
 * @param {{temperature?: number, topK?: number | null, topP?: number | null}} settings null: no cut
 * @returns {Float64Array} vocab_size probabilities, 0 where a token is cut
 */
export function nextTokenProbabilities(logits, { temperature = 1, topK = null, topP = null } = {}) {
  const greedy = temperature === 0, divisor = greedy ? 1 : temperature;
  const order = descending(logits).slice(0, greedy ? 1 : topK ?? logits.length), most = logits[order[0]] / divisor;
  const powers = order.map((i) => Math.exp(logits[i] / divisor - most));
  const probabilities = new Float64Array(logits.length), total = powers.reduce((sum, power) => sum + power, 0);
  const cuts = topP !== null && topP < 1; // a rounded sum may reach 1 before its last parts
  let reached = 0, kept = 0; // what all together have; what the kept ones have
  powers.forEach((power, rank) => {
    const probability = power / total;
    reached += probability;
    if (cuts && reached - probability >= topP) return; // the larger ones suffice
    probabilities[order[rank]] = probability;
    kept += probability;
  });
  return cuts ? probabilities.map((probability) => probability / kept) : probabilities;
}

/** The token that a random number from 0 to 1 falls on: each takes a piece as long as its probability. */
export function drawToken(probabilities, uniform) {
  let end = 0, last = 0;
  for (let i = 0; i < probabilities.length; i += 1) {
    if (probabilities[i] === 0) continue;
    end += probabilities[i];
    last = i;
    if (uniform < end) return i;
  }
  return last; // the sum may be a rounding below 1
}

/** Entropy in bits: the mean surprise −log₂ p of what is drawn. */
export function entropyBits(probabilities) {
  return probabilities.reduce((sum, p) => (p > 0 ? sum - p * Math.log2(p) : sum), 0);
}

const TOKEN_MARKS = { " ": "␣", "\n": "↵", "\t": "⇥" };

/** What a token shows: white space would not be seen. */
export function tokenName(token) {
  return token.replace(/[ \n\t]/g, (sign) => TOKEN_MARKS[sign]);
}
