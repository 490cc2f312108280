// The static server: compressed contents and their headers.

import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";

import { encodingFor } from "../../tools/compress.mjs";
import { serve } from "../../tools/serve.mjs";
import { folder, write } from "./fixtures.mjs";

const TEXT = "a cat that laughs\n".repeat(5000);

/** An answer as it comes over the wire. */
function get(url, headers = {}, method = "GET") {
  return new Promise((done, failed) => {
    request(url, { headers, method }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => done({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
    }).on("error", failed).end();
  });
}

async function served(context, files, options = {}) {
  const root = await folder(context);
  await write(root, files);
  const server = await serve({ root, ...options });
  context.after(() => server.close());
  return { root, url: server.url };
}

test("browsers get brotli or gzip, others the file as it is", async (context) => {
  const { url } = await served(context, { "items.jsonl": TEXT, "engine.wasm": Buffer.alloc(50_000, "wasm"), "picture.png": Buffer.alloc(50_000), "small.js": "1" });
  const [br, gzip, plain] = await Promise.all(["gzip, deflate, br, zstd", "gzip;q=0.5, br;q=0", undefined].map((accepted) =>
    get(`${url}items.jsonl`, accepted ? { "accept-encoding": accepted } : {})));
  assert.deepEqual([br, gzip, plain].map(({ headers }) => headers["content-encoding"]), ["br", "gzip", undefined]);
  assert.deepEqual([brotliDecompressSync(br.body).toString(), gunzipSync(gzip.body).toString(), plain.body.toString()], [TEXT, TEXT, TEXT]);
  assert.ok(br.body.length < TEXT.length / 50, `${br.body.length} bytes`);
  for (const { headers, body } of [br, gzip, plain]) {
    assert.deepEqual([headers.vary, Number(headers["content-length"])], ["Accept-Encoding", body.length]);
  }
  // Each representation has a tag of its own: a shared cache would mix them up.
  assert.equal(new Set([br, gzip, plain].map(({ headers }) => headers.etag)).size, 3);
  const all = { "accept-encoding": "br" };
  const wasm = await get(`${url}engine.wasm`, all);
  assert.deepEqual([wasm.headers["content-encoding"], wasm.headers["content-type"]], ["br", "application/wasm"]);
  for (const name of ["picture.png", "small.js"]) {
    const { headers } = await get(url + name, all);
    assert.deepEqual([headers["content-encoding"], headers.vary], [undefined, undefined], name);
  }
});

test("tags, ranges, heads and faults go with compression", async (context) => {
  const { root, url } = await served(context, { "a.json": TEXT, "b.json": TEXT }, { intercept: ({ path }) => (path === "/b.json" ? { truncate: 9 } : undefined) });
  const all = { "accept-encoding": "br" };
  const first = await get(`${url}a.json`, all);
  const again = await get(`${url}a.json`, { ...all, "if-none-match": first.headers.etag });
  assert.deepEqual([again.status, again.headers.etag, again.headers.vary, again.body.length], [304, first.headers.etag, "Accept-Encoding", 0]);
  // The same tag says nothing of the file as it is.
  assert.equal((await get(`${url}a.json`, { "if-none-match": first.headers.etag })).status, 200);
  assert.equal((await get(`${url}a.json`, { ...all, range: "bytes=0-9" })).headers["content-encoding"], undefined);
  const head = await get(`${url}a.json`, all, "HEAD");
  assert.deepEqual([head.headers["content-encoding"], head.headers["content-length"], head.body.length], ["br", String(first.body.length), 0]);
  const faulty = await get(`${url}b.json`, all);
  assert.deepEqual([faulty.headers["content-encoding"], faulty.body.toString()], [undefined, TEXT.slice(0, 9)]);
  // A new version is compressed anew.
  await write(root, { "a.json": `${TEXT}more` });
  assert.equal(brotliDecompressSync((await get(`${url}a.json`, all)).body).toString(), `${TEXT}more`);
});

test("what a browser takes", () => {
  for (const [accepted, best] of [["", null], ["identity", null], ["deflate", null], ["*", "br"], ["br;q=0, *", "gzip"], ["GZIP", "gzip"], ["gzip;q=0", null]]) {
    assert.equal(encodingFor(accepted), best, accepted);
  }
});
