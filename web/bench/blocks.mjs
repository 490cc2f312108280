// Random embeddings: unit blocks, always the same, and their forms in a gallery's file.

/** Numbers in [-1, 1), by mulberry32. */
function randoms(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

function normalise(values, width) {
  for (let start = 0; start < values.length; start += width) {
    const block = values.subarray(start, start + width);
    const norm = Math.sqrt(block.reduce((sum, value) => sum + value * value, 0));
    for (let at = 0; at < width; at++) block[at] /= norm;
  }
  return values;
}

/** `rows` embeddings of `blocks` blocks of `width` numbers. */
export function embeddings(rows, { blocks, width }) {
  const random = randoms(rows);
  return normalise(Float32Array.from({ length: rows * blocks * width }, random), width);
}

/** What is nearer to an embedding than to all others: `blocks` of its blocks (again and again, where it has
 * fewer) with noise. */
export function queryNear(embedding, blocks, width) {
  const random = randoms(embedding.length);
  const noisy = (_, at) => embedding[at % embedding.length] + random() / Math.sqrt(width);
  return normalise(Float32Array.from({ length: blocks * width }, noisy), width);
}

/** Blocks in 8 bits, as core/src/similarity/quantised.rs makes them. */
export function quantise(values, width) {
  const count = values.length / width;
  const integers = new Int8Array(values.length);
  const [scales, residuals] = [new Float32Array(count), new Float32Array(count)];
  for (let block = 0; block < count; block++) {
    const start = block * width;
    let most = 0;
    for (let at = start; at < start + width; at++) most = Math.max(most, Math.abs(values[at]));
    scales[block] = most / 127;
    let missing = 0;
    for (let at = start; at < start + width; at++) {
      integers[at] = Math.round(values[at] / scales[block]);
      missing += (values[at] - scales[block] * integers[at]) ** 2;
    }
    // A bound: rounded up.
    residuals[block] = Math.sqrt(missing) * (1 + 1e-6) + 1e-12;
  }
  return { integers, scales, residuals };
}

/** Numbers below 1 rounded to f16, as bits; changes `values` to what they are then. */
export function half(values) {
  const bits = new Uint16Array(values.length);
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    // Steps of 2^-24 below 2^-14, of 2^-11 of the power of two above.
    const exponent = Math.max(Math.floor(Math.log2(Math.abs(value) || 1e-30)), -14);
    const step = 2 ** (exponent - 10);
    // Rounding up to the next power of two carries into the exponent, as it should.
    const units = Math.round(Math.abs(value) / step);
    bits[at] = (value < 0 ? 0x8000 : 0) | (exponent === -14 ? units : ((exponent + 14) << 10) + units);
    values[at] = Math.sign(value) * units * step;
  }
  return bits;
}
