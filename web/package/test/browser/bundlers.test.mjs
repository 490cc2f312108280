// The example apps of other bundlers: built with the packed package, opened, and asked once in both ways.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { add, install, run, Unreachable } from "../../../tools/examples.mjs";
import { serve } from "../../../tools/serve.mjs";
import { folder, write } from "../fixtures.mjs";
import { browserTests } from "./chromium.mjs";
import { pack } from "./pack.mjs";

const it = browserTests();
/** A program that a package of the example brings. */
const tool = (example, path, args, env) => run(process.execPath, [join(example, "node_modules", path), ...args], example, env);

/** Installs an example, or says loudly that it was left out; on a build server that is a failure. */
async function example(context, name) {
  try {
    const place = await install(name);
    await add(await pack(it), place);
    return place;
  } catch (error) {
    if (!(error instanceof Unreachable) || ["true", "1"].includes(process.env.CI)) throw error;
    const line = `*** LEFT OUT: ${error.message} ***\n`;
    process.stderr.write(`\n${line}`);
    if (process.env.AVSE_LEFT_OUT) appendFileSync(process.env.AVSE_LEFT_OUT, line);
    context.skip(error.message);
    return null;
  }
}

/** Asks the app for a picture and its element for a caption. */
async function works(page) {
  await page.getByText(/^5 pictures$/).waitFor({ timeout: 20_000 });
  await page.getByRole("searchbox", { name: "Describe a picture" }).fill("green");
  await page.keyboard.press("Enter");
  await page.locator("ol > li").first().getByText("a green square").waitFor();
  await page.getByRole("searchbox", { name: "Find captions" }).fill("blue");
  await page.waitForFunction(() => /something blue/.test(document.querySelector("avse-search").shadowRoot.querySelector(".item")?.textContent));
  assert.deepEqual(page.errors.filter((text) => !/404/.test(text)), []);
}

/** A server of an app that was built into a folder, under the strict policy. */
async function served(context, place, options = {}) {
  await cp(join(it.root, "export"), join(place, "data"), { recursive: true });
  const server = await serve({ root: place, ...options });
  context.after(() => server.close());
  return server;
}

const TRUSTED = "require-trusted-types-for 'script'; trusted-types avse-web vue";

/** Opens an app whose page is of one origin and whose scripts are of another one, with Trusted Types. */
async function worksFromElsewhere(context, place) {
  const other = await served(context, place, { cors: true });
  const page = moved(await readFile(join(place, "index.html"), "utf8"), other.url);
  const own = await folder(context);
  await write(own, { "index.html": page });
  const csp = `default-src 'self'; script-src ${other.url} 'wasm-unsafe-eval'; connect-src 'self' ${other.url}; worker-src blob:; img-src blob:; ${TRUSTED}`;
  const server = await served(context, own, { csp });
  await works(await it.page(context, server.url));
  assert.deepEqual(server.requests.filter((path) => !/^\/(data\/.*|favicon\.ico)?$/.test(path)), [], "scripts are the other one's affair");
}

/** Gives the page's script, which names its own folder, the address of another origin. */
const moved = (html, url) => html.replace(/<script ([^>]*)src="\.?\/?([^"]+)"/, `<script crossorigin $1src="${url}$2"`);

/** Browsers run the scripts of a page from disk where they are no modules; both ways have to say why it ends there. */
async function saysWhyNotFromDisk(context, place) {
  const page = await it.page(context, pathToFileURL(join(place, "index.html")).href);
  const reason = /opened from disk/;
  await page.locator("#status").getByText(reason).waitFor();
  await page.locator("avse-search").getByRole("alert").getByText(reason).waitFor();
}

/**
 * One test of an example that is built into static files: under the strict policy, then from another origin and, where
 * its script is no module, from disk.
 */
function builtApp(name, build, { csp, elsewhere = true, disk = false } = {}) {
  test(`${name} bundles the package`, async (context) => {
    const place = await example(context, name);
    if (!place) return;
    await build(place);
    const dist = join(place, "dist");
    const server = await served(context, dist, { csp });
    await works(await it.page(context, server.url));
    if (elsewhere) await worksFromElsewhere(context, dist);
    if (disk) await saysWhyNotFromDisk(context, dist);
  });
}

builtApp("webpack", async (place) => {
  await tool(place, "webpack/bin/webpack.js", ["build", "--mode", "production"]);
  await cp(join(place, "index.html"), join(place, "dist/index.html"));
}, { disk: true });

builtApp("rspack", async (place) => {
  await tool(place, "@rspack/cli/bin/rspack.js", ["build", "--mode", "production"]);
  await cp(join(place, "index.html"), join(place, "dist/index.html"));
}, { disk: true });

builtApp("esbuild", (place) => run(process.execPath, ["build.mjs"], place));

builtApp("vue", (place) => tool(place, "vite/bin/vite.js", ["build", "--base", "./", "--logLevel", "warn"]));

builtApp("parcel", async (place) => {
  await run(process.execPath, ["copy-engine.mjs"], place);
  await tool(place, "parcel/lib/bin.js", ["build", "index.html", "--no-cache", "--public-url", "./"]);
  // Its page has an inline import map, which the strict policy would have to name by its hash.
}, { csp: null, elsewhere: false });

const NEXT = "next/dist/bin/next";
const QUIET = { NEXT_TELEMETRY_DISABLED: "1" };

/** Next's own server, once it says where it is; it ends with the test. */
async function nextServer(context, place, args) {
  const env = { ...process.env, ...QUIET };
  const server = spawn(process.execPath, [join(place, "node_modules", NEXT), ...args, "--port", "0"], { cwd: place, env });
  const ended = new Promise((done) => server.once("exit", done));
  context.after(async () => {
    server.kill();
    await ended;
  });
  return new Promise((resolve, reject) => {
    let said = "";
    const hear = (text) => {
      said += text;
      const url = /Local:\s+(http:\S+)/.exec(said);
      if (url && /Ready/.test(said)) resolve(url[1]);
    };
    server.stdout.on("data", hear);
    server.stderr.on("data", hear);
    ended.then(() => reject(new Error(`Next's server ended: ${said}`)));
  });
}

for (const [name, ...flags] of [["webpack"], ["Turbopack", "--turbopack"]]) {
  test(`Next bundles the package with ${name}`, async (context) => {
    const place = await example(context, "next");
    if (!place) return;
    await cp(join(it.root, "export"), join(place, "public/data"), { recursive: true });
    await tool(place, NEXT, ["build", ...flags], QUIET);
    await works(await it.page(context, await nextServer(context, place, ["start"])));
  });
}

test("Next's development server runs the package", async (context) => {
  const place = await example(context, "next");
  if (!place) return;
  await cp(join(it.root, "export"), join(place, "public/data"), { recursive: true });
  await works(await it.page(context, await nextServer(context, place, ["dev", "--turbopack"])));
});

test("the README's components are those of the examples, and its declarations make the element known", async (context) => {
  const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
  const examples = new URL("../../../examples/", import.meta.url);
  for (const [kind, path] of [["jsx", "next/app/search.jsx"], ["vue", "vue/src/Search.vue"]]) {
    const source = await readFile(new URL(path, examples), "utf8");
    assert.ok(readme.includes(`\`\`\`${kind}\n${source}\`\`\``), `${path} is not what the README shows`);
  }
  const place = await example(context, "next");
  if (!place) return;
  const declarations = /```ts\n(import type[^]*?)```/.exec(readme)[1];
  const compile = async (use) => {
    await write(place, { "types/avse-web.d.ts": declarations, "types/use.tsx": `import "avse-web/element";\nexport const use = ${use};\n` });
    const options = ["--noEmit", "--strict", "--jsx", "react-jsx", "--module", "nodenext", "--types", "react"];
    const tsc = fileURLToPath(new URL("../../../node_modules/typescript/bin/tsc", import.meta.url));
    await run(process.execPath, [tsc, "--ignoreConfig", ...options, "types/avse-web.d.ts", "types/use.tsx"], place);
  };
  await compile('<avse-search model="data/" />');
  await assert.rejects(compile("<avse-search model={5} />"), /is not assignable/);
});
