// The example pages with the packed package: installed from its tarball, bundled by Vite, served under the strict policy.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { serve } from "../../../tools/serve.mjs";
import { folder, write } from "../fixtures.mjs";
import { browserTests } from "./chromium.mjs";
import { pack } from "./pack.mjs";

const it = browserTests();
const WEB = fileURLToPath(new URL("../../../", import.meta.url));

/** The Vite example with the package installed from its tarball. */
async function viteProject(context) {
  const tarball = await pack(it);
  const project = await folder(context);
  await cp(join(WEB, "examples/vite"), project, { recursive: true, filter: (path) => !path.includes("node_modules") });
  const description = JSON.parse(await readFile(join(project, "package.json"), "utf8"));
  description.dependencies["avse-web"] = `file:${tarball}`;
  // The bundler itself is the one that is installed here.
  description.devDependencies = {};
  await writeFile(join(project, "package.json"), JSON.stringify(description));
  const install = ["install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"];
  execFileSync("npm", install, { cwd: project, shell: process.platform === "win32" });
  await cp(join(it.root, "export"), join(project, "public/data"), { recursive: true });
  return project;
}

async function works(page) {
  await page.waitForFunction(() => /pictures, on/.test(document.getElementById("status").textContent), null, { timeout: 15000 });
  assert.match(await page.locator("#status").innerText(), /^5 pictures, on the processor$/);
  await page.locator("#text").fill("green");
  await page.waitForFunction(() => document.querySelector("#results li")?.textContent.includes("a green square"));
  await page.waitForFunction(() => [...document.querySelectorAll("#results img")].every((image) => image.naturalWidth === 8));
  await page.getByRole("searchbox", { name: "Find captions" }).fill("blue");
  await page.waitForFunction(() => /something blue/.test(document.querySelector("avse-search").shadowRoot.querySelector(".item")?.textContent));
}

test("the tarball holds what is used and nothing else", async (context) => {
  const names = execFileSync("tar", ["-tzf", await pack(it)], { encoding: "utf8" }).trim().split("\n");
  for (const name of ["package.json", "README.md", "LICENSE", "dist/index.js", "dist/index.d.ts", "dist/element.js", "dist/worker.js", "element/package.json", "dist/wasm/cpu/avse_web_bg.wasm"]) {
    assert.ok(names.includes(`package/${name}`), name);
  }
  assert.deepEqual(names.filter((name) => /\/(src|test|node_modules)\//.test(name)), []);
  const { scripts, dependencies } = JSON.parse(await readFile(join(WEB, "package/package.json"), "utf8"));
  assert.deepEqual(Object.keys(scripts).filter((name) => /install|prepare/.test(name)), []);
  assert.equal(dependencies, undefined);
});

test("bundled by Vite, under the strict policy", async (context) => {
  const project = await viteProject(context);
  const { build } = await import("vite");
  await build({ root: project, configFile: join(project, "vite.config.js"), logLevel: "error" });
  const server = await serve({ root: join(project, "dist") });
  context.after(() => server.close());
  const page = await it.page(context, server.url);
  await works(page);
  assert.deepEqual(page.errors.filter((text) => !/404/.test(text)), []);
  assert.equal(page.workers().length, 2, "one of the page, one of the element");
});

test("in Vite's development server", async (context) => {
  const project = await viteProject(context);
  const { createServer } = await import("vite");
  const server = await createServer({ root: project, configFile: join(project, "vite.config.js"), logLevel: "error", server: { port: 0, host: "127.0.0.1" } });
  await server.listen();
  try {
    const page = await it.page(context, server.resolvedUrls.local[0]);
    await works(page);
  } finally {
    // Before its folder goes, which it watches.
    await server.close();
  }
});

/** Asks the plain page once. */
async function plainWorks(page) {
  await page.getByRole("searchbox", { name: "Describe a drawing" }).fill("red");
  await page.waitForFunction(() => /a red square/.test(document.querySelector("avse-search").shadowRoot.querySelector(".item")?.textContent));
  assert.deepEqual(page.errors.filter((text) => !/404/.test(text)), []);
}

test("the plain page with the tarball's files on another origin", async (context) => {
  const place = await folder(context);
  execFileSync("tar", ["-xzf", await pack(it), "-C", place]);
  const other = await serve({ root: join(place, "package/dist"), cors: true, csp: null });
  context.after(() => other.close());
  const page = await readFile(join(WEB, "examples/plain/index.html"), "utf8");
  await write(place, { "page/index.html": page.replace('src="avse-web/', `src="${other.url}`) });
  const csp = `default-src 'self'; script-src ${other.url} 'wasm-unsafe-eval'; connect-src 'self' ${other.url}; worker-src blob: ${other.url}; img-src blob:`;
  const own = await serve({ root: join(place, "page"), mounts: { "/data/": join(it.root, "export") }, csp });
  context.after(() => own.close());
  await plainWorks(await it.page(context, own.url));
  assert.ok(other.requests.includes("/worker.js"));
});

test("the plain page: one script tag, one element", async (context) => {
  const server = await it.serve(context, {
    mounts: { "/plain/avse-web/wasm/": join(it.root, "wasm"), "/plain/avse-web/": join(WEB, "package/dist"), "/plain/data/": join(it.root, "export"), "/plain/": join(WEB, "examples/plain") },
  });
  const page = await it.page(context, `${server.url}plain/`);
  await plainWorks(page);
});
