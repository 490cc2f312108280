// Kept galleries: in pieces, by several tabs, in few written bytes, in a file.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { Composer, Table } from "../dist/columns.js";
import { FULL, idsOf, plan, stretches } from "../dist/kept.js";
import { MadeGallery } from "../dist/made.js";
import { remove } from "../dist/store.js";
import { packTar, unpackTar } from "../dist/tar.js";
import { alone, imageOf } from "../dist/thumbnails.js";
import { Engine } from "./fake-engine.mjs";
import { folder } from "./fixtures.mjs";
import { disk } from "./opfs.mjs";

const signal = new AbortController().signal;
const NAMES = ["red", "green", "blue", "white", "black"];

/** A tab: a gallery in an engine of its own, and what it was told. */
async function tab(context, options = {}, engine = new Engine()) {
  const told = [];
  const listener = { heard: (news) => told.push(news), changed: () => told.push("changed") };
  const made = await MadeGallery.open(engine, { name: "mine", ...options }, listener);
  context.after(() => made.close());
  return { made, told, engine };
}

let counter = 0;
function add({ made }, key) {
  const blocks = Float32Array.from({ length: 32 }, (_, at) => Math.sin(counter++ + at));
  made.pieces.add({ item: { key, metadata: { name: key } }, sha256: "00", blocks }, alone(new Blob([`\xff\xd8\xff of ${key}`])));
}

const keys = ({ made }) => Array.from({ length: made.pieces.size }, (_, row) => made.pieces.item(row).key);
const question = Float32Array.from({ length: 16 }, (_, at) => Math.cos(at));
const best = async ({ made }, k = 10) => (await made.pieces.search("captions", question, k)).map(({ index, score }) => [index, score]);

test("tar files go to and from the program tar", async (context) => {
  const root = await folder(context);
  const content = { "manifest.json": new Blob(["{}"]), "embeddings.safetensors": new Blob([new Uint8Array(513).fill(7)]), "empty": new Blob([]) };
  await writeFile(join(root, "ours.tar"), Buffer.from(await packTar(content).arrayBuffer()));
  execFileSync("tar", ["xf", "ours.tar"], { cwd: root });
  execFileSync("tar", ["cf", "theirs.tar", "./manifest.json", "./embeddings.safetensors", "empty"], { cwd: root });
  const { openAsBlob } = await import("node:fs");
  const back = await unpackTar(await openAsBlob(join(root, "theirs.tar")));
  assert.deepEqual(Object.keys(back), Object.keys(content));
  for (const [name, blob] of Object.entries(content)) assert.equal(await back[name].text(), await blob.text(), name);
  const whole = packTar(content);
  for (const broken of [new Blob(["no tar at all"]), whole.slice(0, 700), new Blob([new Uint8Array(2000).fill(65)])]) {
    await assert.rejects(unpackTar(broken), { code: "format" });
  }
});

test("rows are taken out of files and put together as the engine would write them", async () => {
  const engine = new Engine();
  const blocks = (row) => Float32Array.from({ length: 32 }, (_, at) => row + at / 32);
  const gallery = (rows) => {
    const handle = engine.createGallery("images");
    for (const row of rows) engine.add(handle, blocks(row), { key: `${row}` }, "00");
    return engine.galleryFiles(handle);
  };
  const [first, second] = [new Table(gallery([0, 1, 2, 3])), new Table(gallery([4, 5]))];
  const composer = new Composer(first, 4);
  composer.put(first, 1, 3);
  composer.put(second);
  const files = await composer.finish();
  const handle = engine.openGallery(files);
  assert.deepEqual([0, 1, 2, 3].map((row) => engine.item(handle, row).key), ["1", "2", "4", "5"]);
  [1, 2, 4, 5].forEach((row, at) => assert.deepEqual(engine.rowBlocks(handle, at), blocks(row)));
  assert.throws(() => new Table({ ...files, embeddings: files.embeddings.subarray(0, 300) }), { code: "format" });
  assert.throws(() => new Table({ ...files, items: files.items.subarray(1, 9) }), { code: "format" });
});

test("what a save writes: the new rows, and small segments before them", () => {
  const kept = (rows, gone = 0) => ({ rows, gone });
  const fresh = (rows) => ({ rows, gone: null });
  assert.deepEqual(plan([kept(FULL), kept(4), kept(1), fresh(1)]), [[2, 3]]);
  assert.deepEqual(plan([kept(FULL), kept(4), kept(2), kept(1), fresh(1)]), [[1, 2, 3, 4]]);
  assert.deepEqual(plan([kept(300), fresh(FULL), fresh(FULL), fresh(20)]), [[1], [2], [3]]);
  assert.deepEqual(plan([kept(FULL), kept(200, 312), kept(100), kept(0, 5)]), [[1], [3]]);
  assert.deepEqual(plan([kept(FULL, 1)]), []);
  // Row by row, each row is written a few times and the segments stay few.
  let [segments, written] = [[], 0];
  for (let row = 0; row < 5000; row++) {
    const parts = [...segments.map((rows) => kept(rows)), fresh(1)];
    const [group] = plan(parts);
    const rows = group.reduce((sum, at) => sum + parts[at].rows, 0);
    segments = [...segments.slice(0, group[0]), rows];
    written += rows;
  }
  assert.ok(written <= 5000 * (Math.log2(FULL) + 1), `${written} rows were written`);
  assert.ok(segments.length <= 5000 / FULL + 2 * Math.log2(FULL), `${segments.length} segments`);
  assert.deepEqual(stretches([3, 4, 5, 9]), [[3, 3], [9, 1]]);
  assert.deepEqual(idsOf({ file: "", ids: [[3, 3], [9, 1]], gone: [4] }), [3, null, 5, 9]);
});

test("two tabs add, remove and save: nothing of either is lost", async (context) => {
  const store = disk();
  const one = await tab(context);
  for (const key of ["a", "b", "c"]) add(one, key);
  await one.made.save();
  const other = await tab(context);
  assert.deepEqual(keys(other), ["a", "b", "c"]);
  for (const key of ["one 1", "one 2"]) add(one, key);
  for (let row = 0; row < 11; row++) add(other, `other ${row}`);
  one.made.remove(0);
  other.made.remove(2);
  await one.made.save();
  await other.made.save();
  const both = ["b", "one 1", "one 2", ...Array.from({ length: 11 }, (_, row) => `other ${row}`)];
  assert.deepEqual(keys(other), both);
  await one.made.refresh();
  assert.deepEqual(keys(one), both, "the first tab does not see what the other one has saved");
  assert.ok(one.told.includes("changed") && other.told.includes("changed"));
  assert.deepEqual(await best(one), await best(other));
  const third = await tab(context);
  assert.deepEqual(keys(third), both);
  assert.equal(await imageOf(third.made.pieces.locate(2).piece.rows[2].thumbnail).text(), "ÿØÿ of one 2");
  // Nothing new: nothing is written.
  store.written = 0;
  await third.made.save();
  assert.equal(store.written, 0);
});

test("rows that another tab has removed go here too, and all of them", async (context) => {
  disk();
  const one = await tab(context);
  for (let row = 0; row < 2 * FULL + 30; row++) add(one, `${row}`);
  await one.made.save();
  const other = await tab(context);
  for (let row = FULL - 1; row >= 10; row--) one.made.remove(row);
  await one.made.save();
  add(other, "new");
  other.made.remove(0);
  await other.made.save();
  const left = [...Array.from({ length: 9 }, (_, row) => `${row + 1}`), ...Array.from({ length: FULL + 30 }, (_, row) => `${FULL + row}`), "new"];
  assert.deepEqual(keys(other), left);
  await one.made.refresh();
  assert.deepEqual(keys(one), left);
  one.made.clear();
  await one.made.save();
  await other.made.refresh();
  assert.deepEqual([keys(one), keys(other), keys(await tab(context))], [[], [], []]);
});

test("a save writes what is new, not what is there", async (context) => {
  const store = disk();
  const one = await tab(context);
  for (let row = 0; row < 4000; row++) add(one, `${row}`);
  await one.made.save();
  const all = store.written;
  let most = 0;
  for (const change of [() => add(one, "new"), () => one.made.remove(1000), () => add(one, "another"), () => one.made.remove(7)]) {
    store.written = 0;
    change();
    await one.made.save();
    most = Math.max(most, store.written);
  }
  assert.ok(most < all / 100, `${most} bytes for one row, ${all} for 4,000`);
});

test("a save that fails has lost nothing, neither here nor in the store", async (context) => {
  const store = disk();
  const one = await tab(context);
  for (let row = 0; row < 5; row++) add(one, `${row}`);
  await one.made.save();
  add(one, "more");
  one.made.remove(0);
  const files = async () => [...(await store.folder("mine")).entries_.keys()].sort();
  const before = await files();
  // Each of the two files in turn finds no room.
  for (const room of [100, 4000]) {
    store.limit = store.written + room;
    await assert.rejects(one.made.save(), { code: "storage", message: /is full/ });
    assert.deepEqual(await files(), before);
    assert.deepEqual(keys(await tab(context)), ["0", "1", "2", "3", "4"]);
  }
  store.limit = Infinity;
  await one.made.save();
  assert.deepEqual(keys(one), ["1", "2", "3", "4", "more"]);
  assert.deepEqual(keys(await tab(context)), keys(one));
});

test("a list that was cut off does not count", async (context) => {
  const store = disk();
  const one = await tab(context);
  add(one, "a");
  await one.made.save();
  const half = await (await store.folder("mine")).getFileHandle("list-7.json", { create: true });
  half.content = new Blob(['{"format":"avse-kept","version":1,"sta']);
  assert.deepEqual(keys(await tab(context)), ["a"]);
});

test("galleries that former versions kept are read, and changed by two tabs", async (context) => {
  const store = disk();
  const one = await tab(context);
  add(one, "first");
  await one.made.save();
  const engine = new Engine();
  const handle = engine.createGallery("images");
  for (const key of NAMES) engine.add(handle, new Float32Array(32).fill(1), { key }, "00");
  const { manifest, embeddings, items } = engine.galleryFiles(handle);
  const kept = await store.folder("mine");
  for await (const name of kept.keys()) await kept.removeEntry(name);
  const state = await kept.getDirectoryHandle("7", { create: true });
  const ends = NAMES.map((_, row) => 4 * (row + 1));
  const files = {
    "manifest.json": manifest, "embeddings.safetensors": embeddings, "items.jsonl": items,
    "thumbnails.json": JSON.stringify({ format: "avse-thumbnails", version: 1, ends }), "thumbnails.bin": "\x89PNG".repeat(5).slice(0, 20),
  };
  const sizes = Object.fromEntries(Object.entries(files).map(([name, content]) => [name, new Blob([content]).size]));
  for (const [name, content] of Object.entries({ ...files, "complete.json": JSON.stringify(sizes) })) {
    (await state.getFileHandle(name, { create: true })).content = new Blob([content]);
  }
  const [two, three] = [await tab(context), await tab(context)];
  assert.deepEqual(keys(two), NAMES);
  add(two, "two");
  three.made.remove(0);
  add(three, "three");
  await two.made.save();
  await three.made.save();
  assert.deepEqual(keys(three), [...NAMES.slice(1), "two", "three"]);
  assert.deepEqual(keys(await tab(context)), keys(three));
});

test("deleted in one tab, the rows of another one stay, and a save keeps them anew", async (context) => {
  disk();
  const one = await tab(context);
  for (let row = 0; row < FULL + 3; row++) add(one, `${row}`);
  await one.made.save();
  one.made.remove(1);
  const expected = keys(one);
  await remove("mine");
  const other = await tab(context);
  assert.equal(other.made.pieces.size, 0);
  add(other, "other");
  await other.made.save();
  // Whether it has been told of the deletion or not.
  await one.made.save();
  assert.deepEqual(keys(one), ["other", ...expected]);
  assert.deepEqual(keys(await tab(context)), keys(one));
});

test("a fresh worker makes it again: what is kept is read there, the rest is brought along", async (context) => {
  disk();
  const one = await tab(context);
  for (let row = 0; row < 20; row++) add(one, `kept ${row}`);
  await one.made.save();
  one.made.remove(3);
  for (let row = 0; row < FULL + 20; row++) add(one, `new ${row}`);
  one.made.remove(19 + 2);
  const expected = keys(one);
  const snapshot = structuredClone(one.made.snapshot(1));
  // In proportion: blobs live elsewhere, and of the rest there are at most the rows of a piece.
  const rows = snapshot.pieces.reduce((sum, { added }) => sum + (added?.length ?? 0), 0);
  assert.ok(rows <= FULL, `${rows} rows go along in memory`);
  const again = await MadeGallery.restore(new Engine(), snapshot, { heard() {}, changed() {} });
  context.after(() => again.close());
  assert.deepEqual(keys({ made: again }), expected);
  assert.deepEqual(await best({ made: again }), await best(one));
  assert.equal(again.version, snapshot.version, "the page is told of rows that have not moved");
  await again.save();
  assert.deepEqual(keys(await tab(context)), expected);

  const other = await tab(context);
  other.made.remove(0);
  await other.made.save();
  const told = [];
  const third = await MadeGallery.restore(new Engine(), structuredClone(again.snapshot(1)), { heard() {}, changed: () => told.push(1) });
  context.after(() => third.close());
  assert.deepEqual([keys({ made: third }), third.version, told], [expected.slice(1), again.version + 1, [1]]);
});

test("a gallery goes into a file and comes back, all or nothing", async (context) => {
  disk();
  const one = await tab(context);
  for (let row = 0; row < FULL + 20; row++) add(one, `${row}`);
  one.made.remove(5);
  await one.made.save();
  add(one, "unsaved");
  const file = await one.made.asFile();
  const other = await tab(context, { name: "other" });
  add(other, "before");
  await other.made.addFile(file, signal);
  assert.deepEqual(keys(other), ["before", ...keys(one)]);
  assert.equal(await imageOf(other.made.pieces.locate(6).piece.rows[5].thumbnail).text(), await imageOf(one.made.pieces.locate(5).piece.rows[5].thumbnail).text());
  await other.made.save();
  assert.deepEqual(keys(await tab(context, { name: "other" })), keys(other));

  const size = other.made.pieces.size;
  const bytes = new Uint8Array(await file.arrayBuffer());
  bytes[60_000] ^= 1;
  const captions = await tab(context, { name: "captions", kind: "captions" });
  for (const [target, broken, code] of [
    [other, new Blob([bytes]), "format"], [other, new Blob(["no gallery"]), "format"], [other, packTar({ "manifest.json": new Blob(["{}"]) }), "format"],
    [captions, file, "refused"],
  ]) {
    await assert.rejects(target.made.addFile(broken, signal), { code });
  }
  assert.deepEqual([other.made.pieces.size, captions.made.pieces.size], [size, 0]);
  const empty = await tab(context, { name: "empty" });
  await other.made.addFile(await empty.made.asFile(), signal);
  assert.equal(other.made.pieces.size, size);
});

test("without a store a gallery lasts as long as the page, and a save says so", async (context) => {
  disk();
  for (const storage of [undefined, {}, { getDirectory: async () => { throw new DOMException("private", "SecurityError"); } }]) {
    globalThis.navigator.storage = storage;
    const one = await tab(context);
    add(one, "a");
    assert.deepEqual([one.made.canSave, keys(one)], [false, ["a"]]);
    await assert.rejects(one.made.save(), { code: "unsupported", message: /keeps no files/ });
    assert.deepEqual(keys(one), ["a"]);
  }
});

test("20,000 rows: the engine has as much to do for the last one as for the first", async (context) => {
  const store = disk();
  const engine = new Engine();
  // Rows that the engine writes, and how many of them it does at a time.
  let [written, most] = [0, 0];
  const { galleryFiles } = engine;
  engine.galleryFiles = (handle) => {
    const { items } = engine.galleryInfo(handle);
    written += items;
    most = Math.max(most, items);
    return galleryFiles.call(engine, handle);
  };
  const one = await tab(context, {}, engine);
  const thousands = [];
  for (let row = 0; row < 20_000; row++) {
    add(one, `${row}`);
    if ((row + 1) % 250 === 0) await one.made.save();
    if ((row + 1) % 1000 === 0) {
      thousands.push([written, store.written]);
      [written, store.written] = [0, 0];
    }
  }
  assert.equal(one.made.pieces.size, 20_000);
  assert.ok(most <= FULL, `${most} rows at a time`);
  const [rows, bytes] = [0, 1].map((which) => thousands.map((each) => each[which]));
  assert.ok(Math.max(...rows.slice(-5)) <= Math.max(...rows.slice(0, 5)) + FULL, `rows written for each thousand: ${rows}`);
  assert.ok(Math.max(...bytes.slice(-5)) <= 1.5 * Math.max(...bytes.slice(0, 5)), `bytes written for each thousand: ${bytes}`);
  const files = [...(await store.folder("mine")).entries_.keys()];
  assert.ok(files.length < 100, `${files.length} files`);
  assert.equal((await tab(context)).made.pieces.size, 20_000);
});
