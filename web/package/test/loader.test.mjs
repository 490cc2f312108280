// Downloads against a server on this machine that can misbehave, with a cache in memory.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { serve } from "../../tools/serve.mjs";
import { AvseError } from "../dist/errors.js";
import { Loader } from "../dist/loader.js";
import { candidates, fileOf } from "../dist/manifest.js";
import { monotonic } from "../dist/progress.js";
import { sha256 } from "../dist/hash.js";
import { fetchThumbnails } from "../dist/thumbnails.js";
import { bundle, described, folder, write } from "./fixtures.mjs";

const NAMES = ["config.json", "model.safetensors", "tokenizer.json"];

/** As much of the browser's caches as the loader uses. */
class FakeCaches {
  entries = new Map();

  async open() {
    const { entries } = this;
    return {
      match: async (key) => entries.get(String(key))?.clone(),
      put: async (key, response) => void entries.set(String(key), response),
      delete: async (key) => entries.delete(key.url ?? String(key)),
      keys: async (url) => [...entries.keys()].filter((key) => key.split("?")[0] === url.split("?")[0]).map((key) => ({ url: key })),
    };
  }
}

/** A server with a bundle, and a way to load it. */
async function setup(context, intercept) {
  const root = await folder(context);
  await write(root, bundle("model/"));
  const faults = { intercept };
  const server = await serve({ root, intercept: (request) => faults.intercept?.(request) });
  let open = true;
  const close = () => open && ((open = false), server.close());
  context.after(close);
  const caches = new FakeCaches();
  const load = async (options = {}) => {
    const reports = [];
    const loader = new Loader(
      { fetch: options.fetch ?? fetch, caches },
      { cache: true, onProgress: monotonic((progress) => reports.push(progress)), ...options },
    );
    const manifest = await loader.manifest(candidates(`${server.url}model`, ["manifest.json"]));
    const files = NAMES.map((name) => fileOf(manifest, name));
    loader.plan(files);
    const used = [];
    const contents = await loader.files(files, async (contents, hashed) => {
      used.push({ contents, hashed });
      // As the engine does, which believes who says that the hashes are right.
      if (hashed) return contents;
      for (const [at, content] of contents.entries()) {
        if ((await sha256(content)) !== files[at].sha256) throw Object.assign(new Error(`${NAMES[at]} is wrong`), { code: "format" });
      }
      return contents;
    });
    await loader.finish();
    return { contents, reports, used, total: loader.total };
  };
  return { root, server, faults, caches, load, close };
}

const fails = (code, name) => (error) => {
  assert.ok(error instanceof AvseError, String(error));
  assert.equal(error.code, code, error.message);
  assert.ok(error.message.includes(name) && error.url.includes(name), `${error.message} (${error.url})`);
  return true;
};

test("progress knows the whole from the first report on, only grows, and ends complete", async (context) => {
  const { load } = await setup(context, ({ path }) => (path.endsWith("safetensors") ? { pause: 20 } : undefined));
  const { reports, total, contents } = await load();
  assert.equal(total, contents.reduce((sum, { length }) => sum + length, 0));
  assert.ok(reports.length >= 3);
  assert.ok(reports.every((report) => report.total === total && !report.fromCache));
  assert.ok(reports.every(({ loaded }, at) => at === 0 || loaded >= reports[at - 1].loaded));
  assert.deepEqual([reports.at(-1).loaded, reports.at(-1).what], [total, "model.safetensors"]);
});

test("the second time everything but the manifest comes from the cache", async (context) => {
  const { load, server } = await setup(context);
  await load();
  server.requests.length = 0;
  const { reports, total } = await load();
  assert.deepEqual(server.requests, ["/model/manifest.json"]);
  assert.ok(reports.every(({ fromCache }) => fromCache));
  assert.equal(reports.at(-1).loaded, total);
});

test("without a network the cache has it all", async (context) => {
  const { load, close } = await setup(context);
  const { contents } = await load();
  await close();
  assert.deepEqual((await load()).contents, contents);
});

test("with cache: false nothing is kept", async (context) => {
  const { load, caches, close } = await setup(context);
  await load({ cache: false });
  assert.equal(caches.entries.size, 0);
  await close();
  await assert.rejects(load({ cache: false }), fails("network", "manifest.json"));
});

/** As on a page that came over plain http: the browser does not hash there. */
function withoutHashing(context) {
  const { crypto } = globalThis;
  Object.defineProperty(globalThis, "crypto", { value: undefined, configurable: true, writable: true });
  context.after(() => Object.defineProperty(globalThis, "crypto", { value: crypto, configurable: true, writable: true }));
}

for (const native of [true, false]) {
  const where = native ? "" : ", also where the browser does not hash";

  test(`a corrupt file is asked for twice, then named, and never kept${where}`, async (context) => {
    if (!native) withoutHashing(context);
    const { load, server, caches } = await setup(context, ({ path }) => (path.endsWith("safetensors") ? { corrupt: true } : undefined));
    await assert.rejects(load(), fails("format", "model.safetensors"));
    assert.equal(server.requests.filter((path) => path.endsWith("safetensors")).length, 2);
    assert.equal(server.requests.filter((path) => path.endsWith("tokenizer.json")).length, 1);
    assert.equal(caches.entries.size, 0);
  });

  test(`a file that is corrupt once is mended without the caller noticing${where}`, async (context) => {
    if (!native) withoutHashing(context);
    const { root, load } = await setup(context, ({ path, count }) => (path.endsWith("safetensors") && count === 1 ? { corrupt: true } : undefined));
    const { used, contents, reports, total } = await load();
    // What is wrong never comes to the engine, or the engine finds it.
    assert.deepEqual(used.map(({ hashed }) => hashed), native ? [true] : [false, false]);
    assert.deepEqual(Buffer.from(contents[1]), await readFile(join(root, "model/model.safetensors")));
    assert.equal(reports.at(-1).loaded, total);
    assert.ok(reports.every(({ loaded }, at) => at === 0 || loaded >= reports[at - 1].loaded));
  });
}

test("a corrupt file in the cache is fetched anew and replaced there", async (context) => {
  const { load, caches, server } = await setup(context);
  await load();
  const key = [...caches.entries.keys()].find((key) => key.includes("model.safetensors"));
  caches.entries.set(key, new Response(new Uint8Array(300_000)));
  server.requests.length = 0;
  await load();
  assert.deepEqual(server.requests, ["/model/manifest.json", "/model/model.safetensors"]);
  server.requests.length = 0;
  await load();
  assert.deepEqual(server.requests, ["/model/manifest.json"]);
});

test("a shorter file in the cache counts as none", async (context) => {
  const { load, caches } = await setup(context);
  await load();
  const key = [...caches.entries.keys()].find((key) => key.includes("config.json"));
  caches.entries.set(key, new Response(new Uint8Array(1)));
  assert.equal((await load()).used.length, 1);
});

test("a new version replaces the old one in the cache", async (context) => {
  const { load, caches, root } = await setup(context);
  await load();
  const before = caches.entries.size;
  await write(root, bundle("model/", { newer: true }));
  await load();
  assert.equal(caches.entries.size, before);
  const { sha256: hash } = described(Buffer.from(JSON.stringify({ newer: true })));
  assert.ok([...caches.entries.keys()].some((key) => key.includes(`config.json?sha256=${hash}`)));
});

test("a file of the wrong length is named", async (context) => {
  const { load } = await setup(context, ({ path }) => (path.endsWith("safetensors") ? { truncate: 1000 } : undefined));
  await assert.rejects(load(), (error) => fails("format", "model.safetensors")(error) && /1000 bytes.*300000/.test(error.message));
});

test("a file that is longer than it should be is not read to its end", async (context) => {
  const { load } = await setup(context, ({ path }) => (path.endsWith("config.json") ? { body: "x".repeat(1_000_000) } : undefined));
  await assert.rejects(load(), fails("format", "config.json"));
});

test("a connection that breaks off is a network error with the place", async (context) => {
  const { load } = await setup(context, ({ path }) => (path.endsWith("safetensors") ? { breakAfter: 131_072 } : undefined));
  await assert.rejects(load(), (error) => fails("network", "model.safetensors")(error) && /of 300000 bytes/.test(error.message));
});

test("a missing file is named with its status, and the other downloads end", async (context) => {
  const { load } = await setup(context, ({ path }) =>
    path.endsWith("tokenizer.json") ? { status: 404 } : path.endsWith("safetensors") ? { pause: 2000 } : undefined);
  const began = performance.now();
  await assert.rejects(load(), (error) => fails("network", "tokenizer.json")(error) && /HTTP 404/.test(error.message));
  assert.ok(performance.now() - began < 1500);
});

test("of two downloads at once the one that failed is named by both", async (context) => {
  const { server } = await setup(context, ({ path }) =>
    path.endsWith("tokenizer.json") ? { status: 404 } : path.endsWith("safetensors") ? { pause: 2000 } : undefined);
  const loader = new Loader({ fetch }, { cache: false });
  const manifest = await loader.manifest([`${server.url}model/manifest.json`]);
  const [slow, missing] = ["model.safetensors", "tokenizer.json"].map((name) => [fileOf(manifest, name)]);
  loader.plan([...slow, ...missing]);
  const both = await Promise.allSettled([loader.files(slow, () => {}), loader.files(missing, () => {})]);
  for (const { reason } of both) fails("network", "tokenizer.json")(reason);
});

test("an aborted download stops, rejects with the reason, and keeps nothing", async (context) => {
  const controller = new AbortController();
  const { load, caches } = await setup(context, ({ path }) => (path.endsWith("safetensors") ? { pause: 1000 } : undefined));
  const reason = new Error("enough");
  setTimeout(() => controller.abort(reason), 50);
  const began = performance.now();
  await assert.rejects(load({ signal: controller.signal }), (error) => error === reason);
  assert.ok(performance.now() - began < 700);
  assert.equal(caches.entries.size, 0);
});

test("aborted before it begins: nothing is fetched", async (context) => {
  const { load, server } = await setup(context);
  await assert.rejects(load({ signal: AbortSignal.abort() }), { name: "AbortError" });
  assert.deepEqual(server.requests, []);
});

test("a server in trouble is stood in for by the cache; a manifest that is gone is gone", async (context) => {
  const { load, faults } = await setup(context);
  await load();
  faults.intercept = ({ path }) => (path.endsWith("manifest.json") ? { status: 503 } : undefined);
  await load();
  faults.intercept = ({ path }) => (path.endsWith("manifest.json") ? { status: 404 } : undefined);
  await assert.rejects(load(), fails("network", "manifest.json"));
});

test("a manifest that is no manifest is a format error", async (context) => {
  const { load, faults } = await setup(context, () => ({ body: "<!doctype html>" }));
  await assert.rejects(load(), fails("format", "manifest.json"));
  faults.intercept = ({ path }) => (path.endsWith("manifest.json") ? { body: '{"files":{"config.json":{"bytes":-1}}}' } : undefined);
  await assert.rejects(load(), fails("format", "manifest.json"));
});

test("an HTML page in the place of a file is called one", async (context) => {
  const page = { body: "\n<!doctype html><title>The site</title>", type: "text/html" };
  // As a server of single-page applications answers: every address that it does not know is the page.
  const missing = new Set(["manifest.json", "avse.json"]);
  const { server, load } = await setup(context, ({ path }) => (missing.has(path.split("/").at(-1)) ? page : undefined));
  const loader = new Loader({ fetch }, { cache: false });
  const both = loader.manifest([`${server.url}nowhere/manifest.json`, `${server.url}nowhere/avse.json`]);
  await assert.rejects(both, (error) => fails("format", "manifest.json")(error) && /HTML page.*so it does for avse\.json/.test(error.message) && !/nor is there/.test(error.message));
  // One of both places is missing in one way and one in the other.
  missing.delete("avse.json");
  await assert.rejects(loader.manifest([`${server.url}nowhere/manifest.json`, `${server.url}nowhere/avse.json`]), /manifest\.json: .*HTML page.*; nor is there avse\.json/);
  missing.clear();
  for (const name of ["model.safetensors", "tokenizer.json"]) {
    missing.add(name);
    await assert.rejects(load(), (error) => fails("format", name)(error) && /HTML page/.test(error.message));
    missing.clear();
  }
  // A gallery without thumbnails has none, whatever is sent in their place.
  missing.add("thumbnails.json");
  assert.equal(await fetchThumbnails(`${server.url}model/manifest.json`, 5, new Loader({ fetch }, { cache: false })), null);
});

test("several places for a manifest", async (context) => {
  const { server } = await setup(context);
  const loader = new Loader({ fetch }, { cache: true });
  const found = await loader.manifest([`${server.url}avse.json`, `${server.url}model/manifest.json`]);
  assert.equal(found.content.format, "avse-bundle");
  await assert.rejects(loader.manifest([`${server.url}manifest.json`, `${server.url}avse.json`]), /manifest\.json: HTTP 404.*nor is there avse\.json/);
  assert.deepEqual(candidates("http://localhost/a?b=1", ["manifest.json", "avse.json"]), [
    "http://localhost/a/manifest.json?b=1",
    "http://localhost/a/avse.json?b=1",
  ]);
  assert.deepEqual(candidates("http://localhost/a/avse.json", ["manifest.json"]), ["http://localhost/a/avse.json"]);
});

test("data addresses are read without fetching", async () => {
  const fetch = () => assert.fail("fetched");
  const text = JSON.stringify({ a: "ü" });
  for (const url of [`data:application/json,${encodeURIComponent(text)}`, `data:application/json;base64,${btoa(unescape(encodeURIComponent(text)))}`]) {
    assert.deepEqual((await new Loader({ fetch }, { cache: false }).manifest([url])).content, { a: "ü" });
  }
});
