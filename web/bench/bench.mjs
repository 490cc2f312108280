// The browser package beside onnxruntime-web, in one run of one Chromium.
//
//   node web/bench/bench.mjs --site SITE --graphs GRAPHS --made FOLDER --json FILE [--quick] [--backends wasm,webgpu]
//
// SITE has the package (`avse-web/`) and an export (`data/`), as `cargo xtask web build` makes them; GRAPHS is what
// bench/peers/export_onnx.py wrote of the same model, with the galleries that `--list` prints; synthetic galleries
// are written to FOLDER. A peer that cannot be measured is named and left out; without ours there is no report.

import { cpus, loadavg, totalmem } from "node:os";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { launch, open } from "./browser.mjs";
import { make } from "./galleries.mjs";
import { rounds } from "./rounds.mjs";
import { serve } from "./server.mjs";
import * as sizes from "./sizes.mjs";
import { freeze, visits } from "./visits.mjs";
import { GALLERIES, plan } from "./plan.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({
  options: {
    site: { type: "string" },
    graphs: { type: "string" },
    made: { type: "string" },
    json: { type: "string" },
    quick: { type: "boolean" },
    backends: { type: "string", default: "wasm,webgpu" },
    list: { type: "boolean" },
  },
});
if (options.list) {
  console.log(GALLERIES.map((parts) => parts.join(":")).join(" "));
  process.exit();
}

const ort = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
const { version } = JSON.parse(readFileSync(join(ort, "../package.json")));
const rows = [];
const add = (row) => {
  rows.push(row);
  const against = row.ratio ? `, ${row.ratio.toFixed(2)} times as good as ${row.peer}` : "";
  console.log(`${row.work}: ${row.ours_s ? `${row.ours_s.toPrecision(3)} s` : `${row.bytes_brotli} bytes`}${against}`);
};
const missing = (what, error) => console.error(`\n!!! bench: ${what} is MISSING from this report: ${error.message}\n`);

const mounts = {
  "/bench/": join(here, "pages"),
  "/site/": options.site,
  "/graphs/": options.graphs,
  "/made/": options.made,
  "/ort/": ort,
};
make(join(options.site, "data"), options.made, GALLERIES);
const server = await serve(mounts);
const browser = await launch();
const load_before = loadavg()[0];

/** All timed works of a backend, ours and the peer side by side. */
async function backend(name, works, load) {
  const peer = `onnxruntime-web ${version}, ${name === "wasm" ? "wasm, one thread" : "WebGPU"}`;
  const page = await open(await browser.newContext(), `${server.origin}/bench/run.html`);
  const start = (side) => page.evaluate((side) => bench.start(side), side);
  const sides = [`ours-${name}`, `peer-${name}`];
  await start(sides[0]);
  try {
    await start(sides[1]);
  } catch (error) {
    missing(peer, error);
    sides.pop();
  }
  const everySide = async (method, gallery) => {
    for (const side of sides) {
      await page.evaluate(([method, ...rest]) => bench[method](...rest), [method, side, gallery]);
    }
  };
  for (const work of works) {
    try {
      // One gallery at a time is in memory.
      if (work.gallery) await everySide("open", work.gallery);
      add(await rounds(page, { ...work, work: `${work.work}-${name}`, backend: name }, sides, peer));
      if (work.gallery) await everySide("close", work.gallery);
    } catch (error) {
      missing(`${work.work}-${name}`, error);
    }
  }
  await page.context().close();
  const { gallery } = load;
  const { query } = JSON.parse(readFileSync(join(options.made, gallery, "query.json")));
  const { shape } = JSON.parse(readFileSync(join(options.made, gallery, "manifest.json")));
  const [first] = JSON.parse(readFileSync(join(options.graphs, "queries.json")));
  const visit = { ...load, backend: name, query: first, shape: [query.length / shape.width, shape.width] };
  for (const row of await visits(browser, server.origin, visit, sides, peer)) add(row);
  if (name === "wasm") add(await freeze(browser, server.origin, visit));
}

let measured = true;
for (const [name, { works, load }] of Object.entries(plan(options.quick))) {
  if (!options.backends.split(",").includes(name)) continue;
  try {
    await backend(name, works, load);
  } catch (error) {
    missing(`our ${name} backend`, error);
    measured &&= name !== "wasm";
  }
}
const browser_version = browser.version();
await browser.close();
server.close();
// Compressing takes minutes, and the sizes do not depend on how often anything is measured.
if (!options.quick) {
  for (const row of await sizes.code(join(options.site, "avse-web"), ort, version)) add(row);
  add(await sizes.data(join(options.site, "data")));
}

if (options.json && measured) {
  writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
  const machine = {
    benchmark: "web",
    unix_time: Math.floor(Date.now() / 1000),
    machine: {
      platform: `${process.platform} ${process.arch}`,
      cpu: cpus()[0].model,
      cores: cpus().length,
      memory_bytes: totalmem(),
      load_average: load_before,
    },
    load_average_after: loadavg()[0],
    browser: `Chromium ${browser_version}`,
    webgpu: "SwiftShader, on the processor",
    peers: { "onnxruntime-web": version },
  };
  writeFileSync(options.json.replace(/\.json$/, ".machine.json"), `${JSON.stringify(machine, null, 2)}\n`);
}
process.exitCode = measured ? 0 : 1;
