// node run.mjs SCALAR.wasm SIMD.wasm ROWS RUNS
//
// One int8 query among ROWS images, by both modules in turn, RUNS times each after a warm-up, on one
// thread. Prints a row as `avse bench similarity --rows` reads it.
import { readFile } from "node:fs/promises";

const [scalarPath, simdPath, rows, runs] = process.argv.slice(2);

async function load(path) {
  const { instance } = await WebAssembly.instantiate(await readFile(path), {});
  if (instance.exports.prepare(Number(rows)) !== 0) throw new Error(`${path}: no gallery`);
  return instance.exports.search_int8;
}

function timed(search) {
  const begun = performance.now();
  const sum = search();
  return { seconds: (performance.now() - begun) / 1000, sum };
}

const median = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const last = sorted.length - 1;
  return (sorted[Math.floor(last / 2)] + sorted[Math.ceil(last / 2)]) / 2;
};

const [scalar, simd] = await Promise.all([load(scalarPath), load(simdPath)]);
const [ours, peer] = [[], []];
for (let run = 0; run <= Number(runs); run++) {
  const [fast, slow] = [timed(simd), timed(scalar)];
  // Also refuses NaN.
  if (!(Math.abs(fast.sum - slow.sum) < 1e-4)) throw new Error(`found ${fast.sum} and ${slow.sum}`);
  if (run === 0) continue;
  ours.push(fast.seconds);
  peer.push(slow.seconds);
}
const [ours_s, peer_s] = [median(ours), median(peer)];
const range = (values) => [Math.min(...values), Math.max(...values)];
const size = rows % 1000 === 0 ? `${rows / 1000}k` : rows;
const row = {
  work: `wasm-query-${size}-int8`,
  ours_s,
  peer: "scalar wasm",
  peer_s,
  ratio: peer_s / ours_s,
  ours_range_s: range(ours),
  peer_range_s: range(peer),
  runs: ours.length,
  flops: 2 * rows * 8 * 4 * 256,
  bytes: rows * (8 * 256 + 8 * 8),
  adapter: `WebAssembly, one thread, node ${process.version}`,
};
console.log(JSON.stringify(row));
