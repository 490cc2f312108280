// Small parts, and that the package can be imported where there is no browser.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";

import { asAvseError, AvseError, fromRecord, toRecord } from "../dist/errors.js";
import { plain } from "../dist/hash.js";
import { Queue } from "../dist/queue.js";
import { alone, endsOf, imageOf, pack, Thumbnails } from "../dist/thumbnails.js";

test("importing needs no window and does nothing", async () => {
  const before = Object.keys(globalThis);
  const index = await import("../dist/index.js");
  const element = await import("../dist/element.js");
  assert.deepEqual(Object.keys(index).sort(), ["Avse", "AvseError", "Gallery"]);
  assert.ok(element.AvseSearchElement);
  assert.deepEqual(Object.keys(globalThis), before);
});

test("loading where there are no workers says so", async () => {
  const { Avse } = await import("../dist/index.js");
  await assert.rejects(Avse.load("http://localhost/model/"), { name: "AvseError", code: "unsupported" });
  await assert.rejects(Avse.load("no address"), { code: "refused" });
  await assert.rejects(Avse.load("http://localhost/", { signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("SHA-256 without the browser's help", () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 70_000]) {
    const bytes = new Uint8Array(randomBytes(length + 3)).subarray(3);
    assert.equal(Buffer.from(plain(bytes)).toString("hex"), createHash("sha256").update(bytes).digest("hex"), `${length} bytes`);
  }
});

test("errors keep code, message and address on their way", () => {
  const error = fromRecord(structuredClone(toRecord(new AvseError("network", "gone", { url: "http://localhost/x" }))));
  assert.deepEqual([error.name, error.code, error.message, error.url], ["AvseError", "network", "gone", "http://localhost/x"]);
  assert.equal(asAvseError(Object.assign(new Error("e"), { code: "weights" })).code, "weights");
  assert.equal(asAvseError(Object.assign(new Error("e"), { code: "ENOENT" })).code, "internal");
  assert.equal(asAvseError(new RangeError("Array buffer allocation failed")).code, "out-of-memory");
  assert.equal(asAvseError("text", "image").message, "text");
});

test("the queue keeps the order and leaves out what was aborted", async () => {
  const queue = new Queue();
  const done = [];
  const controller = new AbortController();
  const work = (name, time) => async () => {
    await new Promise((end) => setTimeout(end, time));
    done.push(name);
  };
  const first = queue.run(work("first", 20));
  const second = queue.run(work("second", 0), controller.signal);
  const failing = queue.run(() => Promise.reject(new Error("no")));
  const last = queue.run(work("last", 0));
  controller.abort();
  await assert.rejects(second, { name: "AbortError" });
  await assert.rejects(failing, /no/);
  await Promise.all([first, last]);
  assert.deepEqual(done, ["first", "last"]);
});

test("thumbnails come back as they were packed", async () => {
  const webp = new Uint8Array([..."RIFF", 0, 0, 0, 0, ..."WEBP"].map((part) => (typeof part === "string" ? part.charCodeAt(0) : part)));
  const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 1);
  const { blob, ends, packed } = pack([alone(new Blob([webp])), null, alone(new Blob([png]))]);
  assert.deepEqual(ends, [12, 12, 17]);
  const again = pack([packed[2], packed[0], null]);
  assert.deepEqual([again.ends, await imageOf(again.packed[0]).text()], [[5, 17, 17], await new Blob([png]).text()]);
  const thumbnails = new Thumbnails(new Uint8Array(await blob.arrayBuffer()), ends);
  assert.equal(thumbnails.row(0).type, "image/webp");
  assert.equal(thumbnails.row(1), null);
  assert.deepEqual(new Uint8Array(await thumbnails.row(2).arrayBuffer()), png);
  assert.equal(thumbnails.row(2).type, "image/png");
  assert.equal(thumbnails.row(3), null);
  const list = (ends) => ({ url: "thumbnails.json", content: { format: "avse-thumbnails", version: 1, ends } });
  assert.deepEqual(endsOf(list([1, 2]), 2), [1, 2]);
  for (const wrong of [[1], [2, 1], [1, 2.5], [-1, 2], "12"]) assert.throws(() => endsOf(list(wrong), 2), { code: "format" });
});
