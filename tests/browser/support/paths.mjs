// Where the things under test lie. `cargo xtask web test` names them; without it the places that a plain build uses.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after } from "node:test";

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
/** The binary that the browser is compared with. */
export const AVSE = process.env.AVSE_BIN ?? join(ROOT, "target/release/avse");
/** The site that `cargo xtask web build` makes: the demo page, `avse-web/` and `data/`. */
export const SITE = process.env.AVSE_SITE ?? join(ROOT, "target/web/site");
/** The npm package. */
export const PACKAGE = join(ROOT, "web/package");

const NEEDED = {
  [AVSE]: "cargo build --release (or AVSE_BIN=…)",
  [join(SITE, "index.html")]: "cargo xtask web build (or AVSE_SITE=…)",
  [join(SITE, "avse-web/wasm/manifest.json")]: "cargo xtask web build",
  [join(SITE, "data/avse.json")]: "cargo xtask web build",
  [join(ROOT, "web/node_modules/playwright-core")]: "npm ci --prefix web",
};
for (const [path, remedy] of Object.entries(NEEDED)) {
  if (!existsSync(path)) throw new Error(`${path} is missing, which the browser tests need: ${remedy}`);
}

let scratch;
const removeScratch = () => {
  if (scratch) rmSync(scratch, { recursive: true, force: true });
};
// A hook that is made inside of a test belongs to that test alone, so it is made here. A signal runs no hooks, but on
// exit the browser goes as well.
after(removeScratch);
process.once("exit", removeScratch);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

/** A folder of this run, gone when it ends. */
export function scratchFolder() {
  scratch ??= mkdtempSync(join(tmpdir(), "avse-browser-tests-"));
  return scratch;
}
