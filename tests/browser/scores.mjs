// The browser's scores and rankings are the native ones, on both devices.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { open, PATIENCE } from "./support/browser.mjs";
import { avse, nativeSearch } from "./support/native.mjs";
import { scratchFolder, SITE } from "./support/paths.mjs";
import { drawing } from "./support/pictures.mjs";
import { site } from "./support/server.mjs";
import { SENTENCES, tiny, tinyAs } from "./support/tiny.mjs";
import { write } from "./support/files.mjs";

/** The most by which a score may differ from the native one. */
const TOLERANCE = 1e-3;
const EMOJI = ["an angry cat", "a broken heart", "birthday cake with candles", "a flag", "zzgl unknown wörds!"];

/** Fails unless both lists name the same rows in the same order with the same scores. */
function assertSameHits(found, native, what) {
  const keys = (hits) => hits.map(({ key }) => key);
  assert.ok(native.length > 0, `${what}: the native search found nothing`);
  assert.deepEqual(keys(found), keys(native), `${what}: the ranking differs from that of avse search`);
  for (const [at, { score, key }] of found.entries()) {
    const apart = Math.abs(score - native[at].score);
    assert.ok(apart <= TOLERANCE, `${what}: ${key} scores ${score}, natively ${native[at].score} (${apart} apart)`);
  }
}

/** Asks the page everything that the binary is asked, on one device. */
async function compare(t, { folder, url, device, sentences, picture }) {
  const server = await site(t, { mounts: { [url]: folder } });
  const page = await open(t, server.empty);
  const content = (await readFile(picture)).toString("base64");
  const seen = await page.evaluate(
    async ({ url, device, sentences, content }) => {
      const avse = await load(url, { device });
      const pictures = await avse.openGallery(`${url}pictures/`);
      const captions = await avse.openGallery(`${url}captions/`);
      const texts = [];
      for (const text of sentences) texts.push(plain(await avse.searchText(pictures, text, { k: 20 })));
      const shown = file(content, "picture.png", "image/png");
      return {
        info: avse.info, texts,
        captions: plain(await avse.searchImage(captions, shown, { k: 20 })),
        similar: plain(await avse.searchImage(pictures, shown, { k: 20 })),
        alike: plain(await avse.searchText(captions, sentences[0], { k: 20 })),
      };
    },
    { url, device, sentences, content },
  );
  for (const [at, text] of sentences.entries()) {
    assertSameHits(seen.texts[at], await nativeSearch(folder, "pictures", { text }, 20), `"${text}" among pictures`);
  }
  assertSameHits(seen.captions, await nativeSearch(folder, "captions", { image: picture }, 20), "a picture among captions");
  assertSameHits(seen.similar, await nativeSearch(folder, "pictures", { image: picture }, 20), "a picture among pictures");
  assertSameHits(seen.alike, await nativeSearch(folder, "captions", { text: sentences[0] }, 20), "a sentence among captions");
  return seen.info;
}

test("WebAssembly, tiny model: the scores and rankings of avse search", { timeout: 2 * PATIENCE }, async (t) => {
  const { folder, pictures } = await tiny();
  const info = await compare(t, { folder, url: "/tiny/", device: "wasm", sentences: SENTENCES, picture: pictures[3] });
  assert.equal(info.device, "cpu");
  assert.equal(info.simd, true);
});

test("WebAssembly, emoji model: the scores and rankings of avse search", { timeout: 2 * PATIENCE }, async (t) => {
  // A picture that is in no gallery, at a size that has to be scaled.
  const picture = await write(join(scratchFolder(), "drawing.png"), drawing(4, 151, 118));
  const info = await compare(t, { folder: join(SITE, "data"), url: "/data/", device: "wasm", sentences: EMOJI, picture });
  assert.equal(info.device, "cpu");
});

test("WebGPU, tiny model: the scores and rankings of avse search", { timeout: 3 * PATIENCE }, async (t) => {
  const { folder, pictures } = await tiny();
  const info = await compare(t, { folder, url: "/tiny/", device: "webgpu", sentences: SENTENCES, picture: pictures[5] });
  assert.equal(info.device, "webgpu", "the engine did not run on the WebGPU adapter");
  t.diagnostic(`adapter: ${info.adapter}`);
});

/** More rows than the engine's `GPU_ROWS`: from there on a WebGPU device searches. */
const MANY = 10_500;

/** A gallery of many sentences beside the tiny export's own. */
async function manySentences(folder) {
  const [lines, words] = [[], ["picture", "of", "test", "train", "sentence", "dev"]];
  for (let row = 0; row < MANY; row++) {
    const word = (place) => words[Math.floor(row / words.length ** place) % words.length];
    lines.push(JSON.stringify({ caption: `${word(0)} ${row % 12} ${word(1)} ${word(2)} ${row % 5} ${word(3)} ${row % 7} ${word(4)}` }));
  }
  const list = await write(join(scratchFolder(), "many.jsonl"), lines.join("\n"));
  const where = ["--gallery", join(folder, "many"), "--model", join(folder, "model"), "--gpu-id", "cpu"];
  await avse("index", "build", "--items", list, ...where);
}

test("WebGPU, many rows: the device's own search gives the scores of avse search", { timeout: 3 * PATIENCE }, async (t) => {
  const { folder, pictures } = await tiny();
  await manySentences(folder);
  const server = await site(t, { mounts: { "/tiny/": folder } });
  const page = await open(t, server.empty);
  const content = (await readFile(pictures[2])).toString("base64");
  const seen = await page.evaluate(
    async ([sentence, content]) => {
      const avse = await load("/tiny/", { device: "webgpu" });
      const gallery = await avse.openGallery("/tiny/many/");
      const text = plain(await avse.searchText(gallery, sentence, { k: 20 }));
      const image = plain(await avse.searchImage(gallery, file(content, "picture.png"), { k: 20 }));
      return { device: avse.info.device, rows: gallery.size, text, image };
    },
    [SENTENCES[0], content],
  );
  assert.deepEqual([seen.device, seen.rows], ["webgpu", MANY]);
  for (const [found, question] of [[seen.text, { text: SENTENCES[0] }], [seen.image, { image: pictures[2] }]]) {
    const native = await nativeSearch(folder, "many", question, MANY);
    const scores = new Map(native.map(({ key, score }) => [key, score]));
    assert.ok(native[0].score - native[500].score > 10 * TOLERANCE, "the sentences are too much alike to prove anything");
    assert.equal(found.length, 20);
    for (const [at, { key, score }] of found.entries()) {
      // Sentences closer than rounding may change places.
      assert.ok(Math.abs(score - native[at].score) <= TOLERANCE, `place ${at}: ${score}, natively ${native[at].score}`);
      assert.ok(Math.abs(score - scores.get(key)) <= TOLERANCE, `${key}: ${score}, natively ${scores.get(key)}`);
    }
  }
});

test("8-bit weights: the scores and rankings of avse search", { timeout: 2 * PATIENCE }, async (t) => {
  const folder = await tinyAs("int8", "--precision", "int8");
  const { pictures } = await tiny();
  const info = await compare(t, { folder, url: "/int8/", device: "wasm", sentences: SENTENCES, picture: pictures[7] });
  assert.equal(info.precision, "int8");
});

test("a model for text alone finds pictures, and refuses to look at one", { timeout: 2 * PATIENCE }, async (t) => {
  const folder = await tinyAs("text", "--text-only");
  const server = await site(t, { mounts: { "/text/": folder } });
  const page = await open(t, server.empty);
  const seen = await page.evaluate(
    async ([text, content]) => {
      const avse = await load("/text/");
      const gallery = await avse.openGallery("/text/pictures/");
      const refused = await failure(avse.searchImage(gallery, file(content, "x.png")));
      return { hits: plain(await avse.searchText(gallery, text, { k: 20 })), tower: avse.info.hasImageTower, refused };
    },
    [SENTENCES[0], drawing(1).toString("base64")],
  );
  assertSameHits(seen.hits, await nativeSearch(folder, "pictures", { text: SENTENCES[0] }, 20), "a model without an image tower");
  assert.deepEqual([seen.tower, seen.refused?.code], [false, "refused"], seen.refused?.message);
});
