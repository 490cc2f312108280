// Sizes and hashes of the engine's builds: writes package/dist/wasm/manifest.json, and fails when
// a build, compressed as servers do it, is larger than web/budget.json allows.
//
//   node web/tools/sizes.mjs            check
//   node web/tools/sizes.mjs --record   write the present sizes into the budget

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

const web = new URL("..", import.meta.url);
const wasm = new URL("package/dist/wasm/", web);
const budgetFile = new URL("budget.json", web);
const { version } = JSON.parse(readFileSync(new URL("package/package.json", web)));
const budget = JSON.parse(readFileSync(budgetFile));
const record = process.argv.includes("--record");

/** Length after brotli at its best, in bytes. */
function compressed(content) {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_LGWIN]: 24,
    [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
  };
  return brotliCompressSync(content, { params }).length;
}

const manifest = { version, builds: {} };
let within = true;
for (const build of ["cpu", "gpu"]) {
  const [js, module] = [`${build}/avse_web.js`, `${build}/avse_web_bg.wasm`];
  const content = readFileSync(new URL(module, wasm));
  const glue = readFileSync(new URL(js, wasm));
  const sha256 = createHash("sha256").update(content).digest("hex");
  manifest.builds[build] = { js, wasm: module, bytes: content.length, sha256 };
  const brotli = compressed(content) + compressed(glue);
  const allowed = budget[build].bytes_brotli;
  console.log(`${build}: ${content.length} bytes, ${brotli} with brotli (budget ${allowed})`);
  if (record) {
    budget[build].bytes_brotli = Math.ceil(brotli * 1.02);
  } else if (brotli > allowed) {
    console.error(`${build}: the code has outgrown its budget. If that is wanted: node web/tools/sizes.mjs --record`);
    within = false;
  }
}
writeFileSync(new URL("manifest.json", wasm), `${JSON.stringify(manifest, null, 2)}\n`);
if (record) writeFileSync(budgetFile, `${JSON.stringify(budget, null, 2)}\n`);
process.exitCode = within ? 0 : 1;
