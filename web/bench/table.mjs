// Rewrites the measured part of bench/README.md from bench/web.json and bench/web.machine.json.
//
//   node web/bench/table.mjs [--json bench/web.json] [--readme bench/README.md]

import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

const BEGIN = "<!-- web: written by web/bench/table.mjs -->";
const END = "<!-- end of web -->";

/** Limits of ours, in seconds or bytes, or of the ratio. */
const TARGETS = {
  "size-cpu": { bytes_brotli: 1_048_576 },
  "size-gpu": { bytes_brotli: 2_097_152 },
  "size-data": { bytes_brotli: 12 * 1_048_576 },
  "query-text-2000-images-wasm": { ours_s: 0.03 },
  "search-images-2000-wasm": { ours_s: 0.003 },
  "encode-text-wasm": { ratio: 1 },
  "encode-image-wasm": { ratio: 1 },
  "longest-main-thread-task-wasm": { ours_s: 0.05 },
};

const seconds = (value) => {
  const digits = (number) => (number >= 100 ? number.toFixed(0) : number.toPrecision(3));
  return value < 1 ? `${digits(value * 1000)} ms` : `${digits(value)} s`;
};
const megabytes = (value) => `${(value / 1e6).toPrecision(3)} MB`;
const span = (median, range) => `${seconds(median)} (${range.map(seconds).join(" to ")})`;

function target(row) {
  const limit = TARGETS[row.work];
  if (!limit) return "";
  const [[key, value]] = Object.entries(limit);
  const met = key === "ratio" ? row.ratio >= value : row[key] <= value;
  const text = { ratio: () => `ratio ${value}`, ours_s: () => seconds(value), bytes_brotli: () => megabytes(value) }[key]();
  // A ratio without a peer has not been missed.
  return key === "ratio" && !row.ratio ? text : met ? text : `${text}, **missed**`;
}

const timed = ({ work, ours_s, ours_range_s, peer, peer_s, peer_range_s, ratio, runs, ...rest }) => [
  work,
  span(ours_s, ours_range_s),
  peer_s ? span(peer_s, peer_range_s) : "",
  ratio ? ratio.toFixed(2) : "",
  runs,
  target({ work, ours_s, ratio, ...rest }),
];

const sized = (row) => [
  row.work,
  `${megabytes(row.bytes_brotli)} (${megabytes(row.bytes)})`,
  row.peer ?? "",
  row.peer_bytes ? `${row.peer_bytes_brotli ? megabytes(row.peer_bytes_brotli) : "–"} (${megabytes(row.peer_bytes)})` : "",
  row.ratio ? row.ratio.toFixed(2) : "",
  target(row),
];

const table = (head, rows) =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const { values: options } = parseArgs({
  options: {
    json: { type: "string", default: "bench/web.json" },
    readme: { type: "string", default: "bench/README.md" },
  },
});
const rows = JSON.parse(readFileSync(options.json));
const about = JSON.parse(readFileSync(options.json.replace(/\.json$/, ".machine.json")));
const { machine, peers } = about;
const day = new Date(about.unix_time * 1000).toISOString().slice(0, 10);
const text = `${day}, ${about.browser}, headless, ${machine.cpu}, ${machine.cores} cores, load average
${machine.load_average.toFixed(2)} before and ${about.load_average_after.toFixed(2)} after; onnxruntime-web ${peers["onnxruntime-web"]}; WebGPU: ${about.webgpu}.

${table(
  ["work", "ours (min to max)", "onnxruntime-web (min to max)", "ratio", "runs", "target"],
  rows.filter((row) => row.ours_s !== undefined).map(timed),
)}

${table(
  ["download", "ours, brotli (raw)", "peer", "peer, brotli (raw)", "ratio", "target"],
  rows.filter((row) => row.bytes !== undefined).map(sized),
)}`;

const readme = readFileSync(options.readme, "utf8");
const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
if (begin < 0 || end < begin) throw new Error(`${options.readme} has no part between "${BEGIN}" and "${END}"`);
writeFileSync(options.readme, `${readme.slice(0, begin)}${BEGIN}\n${text}\n${readme.slice(end)}`);
