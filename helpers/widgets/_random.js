// Random numbers that the browser and Python have in common. Joined after _common.js where wanted.

/** Numbers from 0 to 1: the generator mulberry32. */
export function uniforms(seed, count) {
  const numbers = new Float64Array(count);
  let state = seed;
  for (let i = 0; i < count; i += 1) { // a loop: many times faster than Float64Array.from with a function
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    numbers[i] = ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  return numbers;
}
