// The npm package as others get it: packed, installed from the tarball, bundled by Vite, and imported by plain Node.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { open, PATIENCE, until } from "./support/browser.mjs";
import { PACKAGE, ROOT, scratchFolder } from "./support/paths.mjs";
import { STRICT_CSP, site } from "./support/server.mjs";

const execute = promisify(execFile);
const run = (program, args, cwd) => execute(program, args, { cwd, timeout: 2 * PATIENCE, maxBuffer: 1 << 24 });
const TOOLS = join(ROOT, "web/node_modules");

/** A project with the package installed from its tarball; made once. */
let made;
function project() {
  made ??= make();
  return made;
}

async function make() {
  const folder = await mkdtemp(join(scratchFolder(), "vite-"));
  const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], PACKAGE);
  const [{ filename, files, unpackedSize }] = JSON.parse(stdout);
  await cp(join(ROOT, "web/examples/vite"), folder, { recursive: true, filter: (path) => !/node_modules|dist$/.test(path) });
  const description = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  // Vite itself is there already, and a test asks no registry.
  description.dependencies["avse-web"] = `file:${filename}`;
  delete description.devDependencies;
  await writeFile(join(folder, "package.json"), JSON.stringify(description));
  await rm(join(folder, "package-lock.json"), { force: true });
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts"], folder);
  for (const tool of await readdir(TOOLS)) {
    if (!tool.startsWith(".")) await symlink(join(TOOLS, tool), join(folder, "node_modules", tool)).catch(() => {});
  }
  return { folder, files: files.map(({ path }) => path), unpackedSize };
}

test("the tarball holds what is needed, and installs without running anything", { timeout: 3 * PATIENCE }, async (t) => {
  const { folder, files, unpackedSize } = await project();
  t.diagnostic(`${files.length} files, ${(unpackedSize / 1e6).toFixed(1)} MB unpacked`);
  for (const path of ["package.json", "README.md", "LICENSE", "dist/index.js", "dist/index.d.ts", "dist/element.js", "dist/worker.js",
    "dist/wasm/manifest.json", "dist/wasm/cpu/avse_web_bg.wasm", "dist/wasm/gpu/avse_web_bg.wasm"]) {
    assert.ok(files.includes(path), `${path} is not in the tarball`);
  }
  assert.deepEqual(files.filter((path) => /^(src|test|node_modules)\//.test(path)), [], "the tarball holds sources or tests");
  const installed = JSON.parse(await readFile(join(folder, "node_modules/avse-web/package.json"), "utf8"));
  assert.deepEqual(Object.keys(installed.dependencies ?? {}), [], "the package has runtime dependencies");
  for (const hook of ["preinstall", "install", "postinstall", "prepare"]) assert.equal(installed.scripts?.[hook], undefined, hook);
});

test("importing the package in plain Node is safe", { timeout: 3 * PATIENCE }, async () => {
  const { folder } = await project();
  const script = `
    const before = new Set(Object.keys(globalThis));
    const { Avse, AvseError, Gallery } = await import("avse-web");
    await import("avse-web/element");
    const added = Object.keys(globalThis).filter((key) => !before.has(key));
    const error = await Avse.load("https://example.invalid/model/").catch((error) => error);
    console.log(JSON.stringify({ added, kinds: [Avse, AvseError, Gallery].map((it) => typeof it), code: error.code, ours: error instanceof AvseError }));`;
  const { stdout, stderr } = await run(process.execPath, ["--input-type=module", "-e", script], folder);
  assert.deepEqual(JSON.parse(stdout), { added: [], kinds: ["function", "function", "function"], code: "unsupported", ours: true });
  assert.equal(stderr, "");
});

test("the Vite example builds and works under the strict policy", { timeout: 4 * PATIENCE }, async (t) => {
  const { folder } = await project();
  const { tiny } = await import("./support/tiny.mjs");
  await run(process.execPath, [join(TOOLS, "vite/bin/vite.js"), "build", "--logLevel", "warn"], folder);
  const built = join(folder, "dist");
  await mkdir(join(built, "data"), { recursive: true });
  await cp((await tiny()).folder, join(built, "data"), { recursive: true });
  const server = await site(t, { mounts: { "/app/": built }, csp: STRICT_CSP });
  const page = await open(t, `${server.url}app/`);
  const results = page.locator("#results li");
  const field = page.locator("#text");
  await page.waitForFunction(() => /pictures/.test(document.getElementById("status").textContent));
  await field.pressSequentially("a picture", { delay: 20 });
  await until(async () => (await results.count()) === 8, async () => `no results: ${await page.locator("#status").innerText()}`);
  // The element loads when it is seen.
  const element = page.locator("avse-search");
  await element.scrollIntoViewIfNeeded();
  await element.getByRole("searchbox").fill("a picture");
  await until(async () => (await element.getByRole("group", { name: "Results" }).getByRole("button").count()) > 0, "the element found nothing");
  assert.deepEqual(page.complaints.filter((text) => !text.includes("favicon")), []);
  assert.deepEqual(page.foreign, []);
});
