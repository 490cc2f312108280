// Sites on which something is missing or wrong: an error that names the file, and a way back.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, PATIENCE } from "./support/browser.mjs";
import { site } from "./support/server.mjs";

/** What goes wrong, with which code, and which file the error names. */
const CASES = [
  ["a missing model file", { "/tiny/model/model.safetensors": { status: 404 } }, "network", "model.safetensors"],
  ["a missing vocabulary", { "/tiny/model/tokenizer.json": { status: 404 } }, "network", "tokenizer.json"],
  ["a missing list of the model", { "/tiny/model/manifest.json": { status: 404 } }, "network", "manifest.json"],
  ["a server in trouble", { "/tiny/model/config.json": { status: 503 } }, "network", "config.json"],
  ["a flipped byte in the weights", { "/tiny/model/model.safetensors": { corrupt: true } }, "format", "model.safetensors"],
  ["a flipped byte in the vocabulary", { "/tiny/model/tokenizer.json": { corrupt: true } }, "format", "tokenizer.json"],
  ["weights that end early", { "/tiny/model/model.safetensors": { truncate: 1000 } }, "format", "model.safetensors"],
  ["no weights at all", { "/tiny/model/model.safetensors": { body: "" } }, "format", "model.safetensors"],
  ["a list that is no JSON", { "/tiny/model/manifest.json": { body: "<html>" } }, "format", "manifest.json"],
  ["a list of something else", { "/tiny/model/manifest.json": { body: '{"format":"avse-gallery","version":1}' } }, "format", "manifest.json"],
  ["a list of a later version", { "/tiny/avse.json": { body: '{"format":"avse-web","version":2}' } }, "format", "avse.json"],
  ["a connection that breaks off", { "/tiny/model/model.safetensors": { breakAfter: 5000 } }, "network", "model.safetensors"],
  ["a flipped byte in the code", { "/avse-web/wasm/cpu/avse_web_bg.wasm": { corrupt: true } }, "format", "avse_web_bg.wasm"],
  ["missing code", { "/avse-web/wasm/cpu/avse_web_bg.wasm": { status: 404 } }, "network", "avse_web_bg.wasm"],
  ["missing glue", { "/avse-web/wasm/cpu/avse_web.js": { status: 404 } }, "network", "avse_web.js"],
];

for (const cache of [false, true]) {
  test(`every broken file is named, and a retry succeeds (${cache ? "with" : "without"} cache)`, { timeout: 3 * PATIENCE }, async (t) => {
    let faults = {};
    const server = await site(t, { intercept: ({ path }) => faults[path] });
    // With the cache a sample will do, since what is broken never gets there.
    // A page each time: what a page could not import once it will not ask for again.
    for (const [what, wrong, code, name] of CASES.filter((_, at) => !cache || at % 4 === 0)) {
      const page = await open(t, server.empty);
      faults = wrong;
      const error = await page.evaluate((cache) => failure(load("/tiny/", { cache })), cache);
      assert.ok(error, `${what}: loading succeeded`);
      assert.deepEqual([error.name, error.code], ["AvseError", code], `${what}: ${error.message}`);
      assert.ok(error.message.includes(name) && error.url?.includes(name), `${what}: ${name} is not named: ${error.message} (${error.url})`);
      faults = {};
      const again = await page.evaluate(async (cache) => failure(load("/tiny/", { cache }).then((avse) => avse.encodeText("a picture"))), cache);
      assert.equal(again, null, `${what}: the retry failed: ${again?.message}`);
      await page.context().close();
    }
  });
}

test("galleries with broken files are named, the model goes on, and a retry succeeds", { timeout: 2 * PATIENCE }, async (t) => {
  const CASES = [
    [{ "/tiny/pictures/embeddings.safetensors": { corrupt: true } }, "format", "embeddings.safetensors"],
    [{ "/tiny/pictures/items.jsonl": { truncate: 40 } }, "format", "items.jsonl"],
    [{ "/tiny/pictures/items.jsonl": { status: 404 } }, "network", "items.jsonl"],
    [{ "/tiny/pictures/manifest.json": { body: "[]" } }, "format", "manifest.json"],
  ];
  let faults = {};
  const server = await site(t, { intercept: ({ path }) => faults[path] });
  const page = await open(t, server.empty);
  await page.evaluate(async () => (globalThis.avse = await load()));
  for (const [wrong, code, name] of CASES) {
    faults = wrong;
    const error = await page.evaluate(() => failure(avse.openGallery("/tiny/pictures/")));
    assert.deepEqual([error?.name, error?.code], ["AvseError", code], `${name}: ${error?.message}`);
    assert.ok(error.message.includes(name), `${name} is not named: ${error.message}`);
  }
  faults = {};
  const hits = await page.evaluate(async () => plain(await avse.searchText(await avse.openGallery("/tiny/pictures/"), "a picture")).length);
  assert.equal(hits, 10);
  const foreign = await page.evaluate(() => failure(avse.openGallery("/data/pictures/")));
  assert.equal(foreign?.name, "AvseError", "a gallery of another model was opened");
  assert.notEqual(foreign.code, "internal", foreign.message);
});

test("a server that goes away and comes back", { timeout: 2 * PATIENCE }, async (t) => {
  let down = false;
  const server = await site(t, { intercept: ({ path }) => (down && path.startsWith("/data/") ? { breakAfter: 0 } : undefined) });
  const page = await open(t, server.empty);
  await page.evaluate(() => avseWeb());
  down = true;
  const error = await page.evaluate(() => failure(load("/data/", { cache: false })));
  assert.equal(error?.code, "network", JSON.stringify(error));
  assert.ok(/\/data\//.test(error.message), `no address in: ${error.message}`);
  down = false;
  assert.equal(await page.evaluate(() => failure(load("/data/", { cache: false }))), null);
});

test("a broken copy in the cache heals by itself", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  const seen = await page.evaluate(async () => {
    (await load()).dispose();
    const cache = await caches.open("avse-web-v1");
    const broken = [];
    for (const request of await cache.keys()) {
      if (!/sha256=/.test(request.url)) continue;
      const bytes = new Uint8Array(await (await cache.match(request)).arrayBuffer());
      bytes[bytes.length >> 1] ^= 0xff;
      await cache.put(request, new Response(bytes));
      broken.push(new URL(request.url).pathname);
    }
    const healed = await failure(load().then((avse) => avse.encodeText("a picture")));
    const reports = [];
    await load("/tiny/", { onProgress: (progress) => reports.push(progress) });
    return { broken, healed, fromCache: reports.every(({ fromCache }) => fromCache) };
  });
  assert.ok(seen.broken.length >= 4, `only ${seen.broken} were kept`);
  assert.equal(seen.healed, null, `a broken copy was not replaced: ${seen.healed?.message}`);
  assert.equal(seen.fromCache, true, "the third load found no sound copies");
  assert.equal(server.requests.filter((path) => path === "/tiny/model/model.safetensors").length, 2, "fetched once, and once more");
});
