// Files that want to do harm, or are no pictures at all.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { open, PATIENCE } from "./support/browser.mjs";
import { write } from "./support/files.mjs";
import { nativeSearch } from "./support/native.mjs";
import { scratchFolder } from "./support/paths.mjs";
import { bomb, drawing, oriented, png } from "./support/pictures.mjs";
import { site } from "./support/server.mjs";
import { tiny } from "./support/tiny.mjs";

const SVG = Buffer.from(
  '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="globalThis.ran=1">' +
    '<script>globalThis.ran=1;try{fetch("/ran")}catch{}</script><image href="/ran" width="9" height="9"/></svg>',
);

/** A JPEG file of the browser's own encoder. */
async function jpegOf(page, picture, quality = 0.95) {
  const content = await page.evaluate(
    async ([picture, quality]) => {
      const bitmap = await createImageBitmap(file(picture, "x.png", "image/png"));
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg", quality })).arrayBuffer());
      return btoa(String.fromCharCode(...bytes));
    },
    [picture.toString("base64"), quality],
  );
  return Buffer.from(content, "base64");
}

test("hostile and broken pictures are typed errors, and the page lives on", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  const jpeg = await jpegOf(page, drawing(2, 64, 48));
  const whole = png(64, 64, (x, y) => [(x * 37) & 255, (y * 91) & 255, (x * y) & 255]);
  const files = {
    "bomb.png": bomb(),
    "tall.png": bomb(0x7fffffff),
    "nothing-wide.png": bomb(0),
    "cut.jpg": jpeg.subarray(0, jpeg.length >> 1),
    "cut.png": whole.subarray(0, whole.length >> 1),
    "script.svg": SVG,
    "script.png": SVG,
    "empty.png": Buffer.alloc(0),
    "words.png": Buffer.from("These are words and no picture.\n"),
    "header.png": whole.subarray(0, 8),
    "header.jpg": Buffer.from("ffd8ffe0", "hex"),
  };
  const contents = Object.fromEntries(Object.entries(files).map(([name, content]) => [name, content.toString("base64")]));
  const seen = await page.evaluate(async (contents) => {
    const avse = await load();
    const gallery = await avse.openGallery("/tiny/captions/");
    const types = { svg: "image/svg+xml", png: "image/png", jpg: "image/jpeg" };
    const errors = {};
    for (const [name, content] of Object.entries(contents)) {
      const began = performance.now();
      const error = await failure(avse.searchImage(gallery, file(content, name, types[name.split(".")[1]])));
      errors[name] = error && { ...error, time: performance.now() - began };
    }
    const after = plain(await avse.searchText(await avse.openGallery("/tiny/pictures/"), "a picture")).length;
    return { errors, after, ran: globalThis.ran ?? null };
  }, contents);
  for (const [name, error] of Object.entries(seen.errors)) {
    assert.ok(error, `${name}: no error, it was taken for a picture`);
    assert.deepEqual([error.name, error.code], ["AvseError", "image"], `${name}: ${error.message}`);
    assert.ok(error.message.includes(name), `${name} is not named: ${error.message}`);
    assert.ok(error.time < 20_000, `${name} kept the engine for ${Math.round(error.time)} ms`);
  }
  assert.match(seen.errors["bomb.png"].message, /60000 x 60000/, "the bomb is refused by its size, not after decoding");
  assert.equal(seen.after, 10, "the engine answers no more");
  assert.equal(seen.ran, null, "the script in the SVG ran");
  assert.deepEqual(server.requests.filter((path) => path === "/ran"), [], "the SVG fetched something");
});

test("small and transparent pictures score as natively", { timeout: 2 * PATIENCE }, async (t) => {
  const { folder } = await tiny();
  const server = await site(t);
  const page = await open(t, server.empty);
  const files = {
    "one.png": png(1, 1, () => [200, 30, 90]),
    "thin.png": png(400, 1, (x) => [x & 255, 0, 255 - (x & 255)]),
    "half.png": png(24, 24, (x, y) => [10 * x, 200, 10 * y, x < 12 ? 0 : 255]),
  };
  for (const [name, content] of Object.entries(files)) {
    const path = await write(join(scratchFolder(), "small", name), content);
    const native = await nativeSearch(folder, "captions", { image: path }, 60);
    const found = await page.evaluate(async ([content, name]) => {
      globalThis.avse ??= await load();
      globalThis.gallery ??= await avse.openGallery("/tiny/captions/");
      return plain(await avse.searchImage(gallery, file(content, name, "image/png"), { k: 60 }));
    }, [content.toString("base64"), name]);
    assertClose(found, native, 1e-3, name);
  }
});

test("the orientation that a camera wrote is respected", { timeout: 2 * PATIENCE }, async (t) => {
  const { folder } = await tiny();
  const server = await site(t);
  const page = await open(t, server.empty);
  // Smooth, and all its parts different: turned the wrong way it would score otherwise.
  const plainJpeg = await jpegOf(page, png(64, 48, (x, y) => [4 * x, 5 * y, 255 - 2 * x - 2 * y]));
  const scores = {};
  for (const orientation of [1, 3, 6, 8]) {
    const content = oriented(plainJpeg, orientation);
    const path = await write(join(scratchFolder(), "turned", `${orientation}.jpg`), content);
    const native = await nativeSearch(folder, "captions", { image: path }, 60);
    const found = await page.evaluate(async (content) => {
      globalThis.avse ??= await load();
      globalThis.gallery ??= await avse.openGallery("/tiny/captions/");
      return plain(await avse.searchImage(gallery, file(content, "turned.jpg", "image/jpeg"), { k: 60 }));
    }, content.toString("base64"));
    // Not 1e-3: two JPEG decoders may differ by a step or two in every pixel (rounding of the cosine transform and of
    // the colours, upsampling), and the network is fed what they give.
    assertClose(found, native, 2e-2, `orientation ${orientation}`);
    scores[orientation] = Object.fromEntries(found.map(({ key, score }) => [key, score]));
  }
  const turned = Object.entries(scores[1]).map(([key, score]) => Math.abs(score - scores[6][key]));
  assert.ok(Math.max(...turned) > 4e-2, "the turned picture scores like the plain one, so this test could not fail");
});

/** Fails unless every row scores as natively; rows whose scores are equal may stand in any order. */
function assertClose(found, native, tolerance, what) {
  const scores = new Map(native.map(({ key, score }) => [key, score]));
  assert.equal(found.length, native.length, `${what}: another number of hits`);
  for (const { key, score } of found) {
    const apart = Math.abs(score - scores.get(key));
    assert.ok(apart <= tolerance, `${what}: ${key} scores ${score}, natively ${scores.get(key)} (${apart} apart)`);
  }
}

test("halves of characters in texts, names and metadata are mended, not refused", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  const seen = await page.evaluate(async (content) => {
    const { Gallery } = await avseWeb();
    const half = "a \ud800 cat";
    const avse = await load();
    const sentences = await Gallery.create(avse, { kind: "captions", name: half });
    await sentences.add(half);
    await sentences.add("\ud800");
    const pictures = await Gallery.create(avse);
    await pictures.add(file(content, "picture.png"), { key: half, metadata: { [half]: [half, "\u{1f408}"] } });
    const cyclic = {};
    cyclic.self = cyclic;
    await sentences.save();
    return {
      items: [await sentences.item(0), await sentences.item(1), await pictures.item(0)].map(({ key, metadata }) => ({ key, metadata })),
      hit: (await avse.searchText(sentences, half)).hits.length,
      names: await Gallery.names(),
      refused: await failure(pictures.add(file(content, "picture.png"), { metadata: cyclic })),
    };
  }, drawing(1).toString("base64"));
  const mended = "a \ufffd cat";
  assert.deepEqual(seen.items.map(({ key }) => key), [mended, "\ufffd", mended]);
  assert.deepEqual(seen.items[2].metadata, { [mended]: [mended, "\u{1f408}"] });
  assert.deepEqual([seen.hit, seen.names, seen.refused.code], [2, [mended], "refused"]);
  assert.match(seen.refused.message, /metadata/);
});
