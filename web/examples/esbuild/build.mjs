import { cp } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

// esbuild does not see the worker and the engine, so they are named here: both are looked for beside the script.
const worker = fileURLToPath(import.meta.resolve("avse-web/worker"));
await build({
  entryPoints: ["src/index.js", worker],
  entryNames: "[name]",
  bundle: true,
  format: "esm",
  minify: true,
  outdir: "dist",
});
await cp(new URL("wasm/", import.meta.resolve("avse-web/worker")), "dist/wasm", { recursive: true });
await cp("index.html", "dist/index.html");
