// Sizes of code and data as they are and after brotli at its best, as a server that compresses once would send them.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";

// Of pylate-rs only the raw size is known, from an earlier measurement (4.05 MB): the npm package that its README
// names could not be had (the registry answered 404).
const PYLATE_RS = { peer: "pylate-rs, CPU only (size noted earlier, npm package not to be had)", peer_bytes: 4_050_000 };

const BUILDS = {
  cpu: { ours: ["wasm/cpu/avse_web.js", "wasm/cpu/avse_web_bg.wasm"], peer: ["wasm", "ort-wasm-simd-threaded.wasm"] },
  gpu: { ours: ["wasm/gpu/avse_web.js", "wasm/gpu/avse_web_bg.wasm"], peer: ["webgpu", "ort-wasm-simd-threaded.asyncify.wasm"] },
};

async function compressed(content) {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_LGWIN]: 24,
    [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
  };
  return (await promisify(brotliCompress)(content, { params })).length;
}

async function measure(paths) {
  const contents = paths.map((path) => readFileSync(path));
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const small = await Promise.all(contents.map(compressed));
  return { bytes: sum(contents.map((content) => content.length)), bytes_brotli: sum(small) };
}

/** All files below a folder. */
function files(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
}

/** Rows about the code: each build of ours with the package's own JavaScript, without types. */
export async function code(dist, ort, version) {
  const glue = readdirSync(dist).filter((name) => name.endsWith(".js"));
  const rows = [];
  for (const [build, { ours, peer: [bundle, wasm] }] of Object.entries(BUILDS)) {
    const bundled = join(ort, `ort.${bundle}.bundle.min.mjs`);
    const [own, theirs] = await Promise.all([
      measure([...glue, ...ours].map((path) => join(dist, path))),
      measure([bundled, join(ort, wasm)]),
    ]);
    rows.push({
      work: `size-${build}`,
      ...own,
      peer: `onnxruntime-web ${version}, ${bundle}`,
      peer_bytes: theirs.bytes,
      peer_bytes_brotli: theirs.bytes_brotli,
      ratio: theirs.bytes_brotli / own.bytes_brotli,
    });
    if (build === "cpu") {
      rows.push({ work: "size-cpu", ...own, ...PYLATE_RS, ratio: PYLATE_RS.peer_bytes / own.bytes });
    }
  }
  return rows;
}

/** A row about an export: model, galleries and thumbnails. */
export const data = async (folder) => ({ work: "size-data", ...(await measure(files(folder))) });
