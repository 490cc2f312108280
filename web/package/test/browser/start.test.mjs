// Where and how the worker starts: sandboxed frames, Trusted Types, scripts that lie elsewhere, frozen pages.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { STRICT_CSP } from "../../../tools/serve.mjs";
import { write } from "../fixtures.mjs";
import { browserTests } from "./chromium.mjs";

const it = browserTests();
const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));
const BOTH = ["green.png", "blue.png"];

/** Searches with a program and with an element; what they found becomes the title, of the page around it too. */
const USE = `
  const { place, attributes } = JSON.parse(document.currentScript.dataset.use);
  const script = (name) => new URL(name, new URL(place, location.href)).href;
  const data = script("/export/");
  async function program() {
    const { Avse } = await import(script(place + "index.js"));
    const avse = await Avse.load(data, { device: "wasm", workerUrl: attributes["worker-url"], wasmUrl: attributes["wasm-url"] });
    const gallery = await avse.openGallery(data + "pictures/");
    return (await avse.searchText(gallery, "green")).hits[0].key;
  }
  async function element() {
    await import(script(place + "element.js"));
    const element = document.createElement("avse-search");
    for (const [name, value] of Object.entries({ model: data, device: "wasm", ...attributes })) element.setAttribute(name, value);
    document.body.append(element);
    return new Promise((resolve, reject) => {
      element.addEventListener("avse-results", ({ detail }) => resolve(detail.hits[0].key));
      element.addEventListener("avse-error", ({ detail }) => reject(detail));
      void element.search("blue");
    });
  }
  Promise.allSettled([program(), element()]).then((ends) => {
    const said = ends.map(({ value, reason }) => value ?? reason.code + ": " + reason.message);
    document.title = JSON.stringify(said);
    parent.postMessage(said, "*");
  });
`;

/**
 * What both found on a page that takes the package from `place`, or what the page answers to `ask` afterwards. `before`
 * is what it does first; it may report errors only where something is `refused`.
 */
async function found(context, server, options = {}) {
  const { place = "/avse-web/", attributes = {}, sandbox, before = "", refused = false, ask = "JSON.parse(document.title)" } = options;
  const use = JSON.stringify({ place, attributes });
  await write(it.root, {
    "use.js": USE,
    "before.js": before,
    "use.html": `<!doctype html><meta charset=utf-8><title></title><body><script src="before.js"></script><script src="use.js" data-use='${use}'></script>`,
    "listen.js": "addEventListener('message', ({ data }) => (document.title = JSON.stringify(data)));",
    "frame.html": `<!doctype html><meta charset=utf-8><title></title><script src="listen.js"></script><iframe sandbox="${sandbox}" src="use.html"></iframe>`,
  });
  const page = await it.page(context, `${server.url}${sandbox === undefined ? "use" : "frame"}.html`);
  await page.waitForFunction(() => document.title !== "");
  if (!refused) assert.deepEqual(page.errors.filter((text) => !/404/.test(text)), []);
  return page.evaluate(ask);
}

test("in a sandboxed frame, which is of no origin", async (context) => {
  const csp = STRICT_CSP.replace("worker-src 'self'", "worker-src blob:");
  // Such a frame may read what comes from its own server only where that allows every origin.
  const server = await it.serve(context, { cors: true, csp });
  assert.deepEqual(await found(context, server, { sandbox: "allow-scripts" }), BOTH);
  const own = await it.serve(context);
  assert.deepEqual(await found(context, own, { sandbox: "allow-scripts allow-same-origin" }), BOTH, "with its origin it needs neither");
});

const TRUSTED = "require-trusted-types-for 'script'; trusted-types avse-web";

test("on a page that asks for Trusted Types", async (context) => {
  const server = await it.serve(context, { csp: `${STRICT_CSP}; ${TRUSTED}` });
  assert.deepEqual(await found(context, server), BOTH);
  assert.deepEqual(await found(context, server, { attributes: { "worker-url": "/avse-web/worker.js" } }), BOTH);
});

test("on a page that asks for Trusted Types, from another origin", async (context) => {
  const other = await it.serve(context, { cors: true });
  const csp = `default-src 'self' ${other.url}; script-src 'self' ${other.url} 'wasm-unsafe-eval'; worker-src blob:; img-src blob:; ${TRUSTED}`;
  assert.deepEqual(await found(context, await it.serve(context, { csp }), { place: `${other.url}avse-web/` }), BOTH);
});

test("where the page's Trusted Types leave the package out, the error names its policy", async (context) => {
  const server = await it.serve(context, { csp: `${STRICT_CSP}; require-trusted-types-for 'script'; trusted-types others` });
  const [program, element] = await found(context, server, { refused: true });
  assert.match(program, /^unsupported: .*trusted-types avse-web/);
  assert.equal(element, program);
});

test("where the worker's script lies elsewhere: workerUrl and worker-url", async (context) => {
  const intercept = ({ path }) => (path === "/avse-web/worker.js" ? { status: 404 } : undefined);
  const mounts = { "/avse-web/wasm/": join(it.root, "wasm"), "/engine/wasm/": join(it.root, "wasm"), "/avse-web/": DIST, "/engine/": DIST };
  const server = await it.serve(context, { intercept, mounts });
  const lost = await found(context, server, { refused: true });
  assert.match(lost[0], /^network: .*worker/);
  assert.deepEqual(await found(context, server, { attributes: { "worker-url": "/engine/worker.js" } }), BOTH);
  assert.ok(server.requests.includes("/engine/wasm/manifest.json"), "the engine is looked for beside the worker");
  // Also on another origin.
  const other = await it.serve(context, { cors: true });
  const csp = `default-src 'self' ${other.url}; script-src 'self' ${other.url} 'wasm-unsafe-eval'; worker-src blob:; img-src blob:`;
  const page = await it.serve(context, { csp, intercept });
  assert.deepEqual(await found(context, page, { attributes: { "worker-url": `${other.url}avse-web/worker.js` } }), BOTH);
});

test("where the engine is not where it was built to be, the error names the way out", async (context) => {
  const intercept = ({ path }) => (path === "/avse-web/wasm/manifest.json" ? { body: "export default {};" } : undefined);
  const mounts = { "/avse-web/wasm/": join(it.root, "wasm"), "/engine/": join(it.root, "wasm"), "/avse-web/": DIST };
  const server = await it.serve(context, { intercept, mounts });
  const [program, element] = await found(context, server, { refused: true });
  assert.match(program, /^format: .*manifest.json: is no JSON .*wasmUrl/);
  assert.equal(element, program);
  assert.deepEqual(await found(context, server, { attributes: { "wasm-url": "/engine/" } }), BOTH);
});

test("where the page has frozen Worker, and it is as it was where it has not", async (context) => {
  const server = await it.serve(context);
  const before = "Object.defineProperty(globalThis, 'Worker', { writable: false, configurable: false });";
  assert.deepEqual(await found(context, server, { before }), BOTH);
  const watched = `
    const native = Worker;
    globalThis.started = [];
    globalThis.Worker = class Watched extends native { constructor(...asked) { super(...asked); started.push(this.constructor.name); } };
    globalThis.watched = Worker;`;
  const said = await found(context, server, { before: watched, ask: "[Worker === watched, started].flat()" });
  assert.deepEqual(said, [true, "Watched", "Watched"], "the page's own class starts both");
});
