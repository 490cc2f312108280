// Makes one script of the page and one of its worker, in place of the many modules that the compiler has made: a visitor
// waits for each wave of imports.
//
//   node web/tools/bundle.mjs SITE
//
// In the folder lie the page's modules, and the package in `avse-web/`. Its other modules stay, for pages that use them.

import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { rolldown } from "rolldown";

const PACKAGE = "avse-web";

/** The package's modules name their neighbours relative to themselves; in the page's script, from the folder above. */
const moved = {
  name: "moved",
  transform(code, id) {
    if (id.startsWith(join(site, PACKAGE))) return { code: code.replaceAll(/(new URL\(\s*["'])\.\//g, `$1./${PACKAGE}/`), map: null };
  },
};

async function bundle(script, plugins = []) {
  const input = join(site, script);
  const build = await rolldown({ input, plugins, logLevel: "warn" });
  // One file: what is imported later on in some pages would be a second one.
  const { output } = await build.generate({ format: "es", codeSplitting: false, comments: false });
  await build.close();
  const [{ code, imports }, ...others] = output;
  if (others.length > 0 || imports.length > 0) throw new Error(`${input}: more than one file came out`);
  await writeFile(input, code);
  return code;
}

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error("bundle.mjs: the site's folder is missing");
  process.exit(2);
}
const site = resolve(folder);
const page = await bundle("main.js", [moved]);
await bundle(join(PACKAGE, "worker.js"));
if (!page.includes(`"./${PACKAGE}/worker.js"`)) throw new Error("the page's script does not name the worker's");
