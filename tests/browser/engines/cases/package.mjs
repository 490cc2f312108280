// The package as a module of a page, with the tiny model.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import { nativeSearch } from "../../support/native.mjs";
import { drawing } from "../../support/pictures.mjs";
import { PRELUDE } from "../../support/prelude.mjs";
import { SENTENCES, tiny } from "../../support/tiny.mjs";

const page = (title, content) => `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>${title}</title>${content}</html>`;
const FILES = {
  "package.html": page("package", `<script type="module" src="prelude.js"></script>`),
  "prelude.js": PRELUDE,
  // The worker with a way to break it: an error that nothing catches.
  "breakable.js": `import "/avse-web/worker.js";
    new BroadcastChannel("break").onmessage = () => { throw new Error("broken by the test"); };`,
};
const SEEDS = [31, 32, 33];

/** Scores of two engines may differ in the last digits; rows with equal scores may change places. */
function assertSame(found, expected, what) {
  assert.equal(found.length, expected.length, `${what}: another number of hits`);
  const scores = new Map(expected.map(({ key, score }) => [key, score]));
  for (const { key, score } of found) {
    assert.ok(Math.abs(score - scores.get(key)) <= 1e-3, `${what}: ${key} scores ${score}, natively ${scores.get(key)}`);
  }
}

/** What the native program finds, computed once for all engines. */
let expected;
const natively = () => (expected ??= search());

async function search() {
  const { folder, pictures } = await tiny();
  const sentences = [];
  for (const text of SENTENCES) sentences.push(await nativeSearch(folder, "pictures", { text }, 12));
  const picture = await nativeSearch(folder, "captions", { image: pictures[3] }, 60);
  return { sentences, picture, content: (await readFile(pictures[3])).toString("base64") };
}

export const PACKAGE = {
  async setup({ site, open, mode }) {
    const server = await site({ pages: FILES });
    return { server, page: await open(`${server.url}pages/package.html`), open, mode };
  },
  rows: {
    async "a sentence finds pictures, a picture finds sentences"({ page }) {
      const { sentences, picture, content } = await natively();
      const found = await page.run(async (texts, content) => {
        globalThis.avse = await load();
        globalThis.pictures = await avse.openGallery("/tiny/pictures/");
        const captions = await avse.openGallery("/tiny/captions/");
        const sentences = [];
        for (const text of texts) sentences.push(plain(await avse.searchText(pictures, text, { k: 12 })));
        const picture = plain(await avse.searchImage(captions, file(content, "asked.png", "image/png"), { k: 60 }));
        const bitmap = await createImageBitmap(await pictures.thumbnail(sentences[0][0].index));
        return { sentences, picture, width: bitmap.width };
      }, SENTENCES, content);
      for (const [at, text] of SENTENCES.entries()) assertSame(found.sentences[at], sentences[at], text);
      assertSame(found.picture, picture, "the picture");
      assert.ok(found.width > 0, "the thumbnail is no picture");
    },

    async "why a hit matches"({ page }) {
      const { score, explained, blocks, views } = await page.run(async () => {
        const { hits, query } = await avse.searchText(pictures, "a picture");
        const { score, matrix, imageBlocks, captionBlocks, views } = await avse.explain(pictures, query, hits[0].index);
        return { score: hits[0].score, explained: score, blocks: [matrix.length, imageBlocks * captionBlocks], views: views.length };
      });
      assert.ok(Math.abs(score - explained) <= 1e-3, `the hit scores ${score}, its explanation ${explained}`);
      assert.equal(blocks[0], blocks[1]);
      assert.equal(views, 2);
    },

    async "a gallery of the visitor's own pictures"({ page }) {
      const contents = SEEDS.map((seed) => drawing(seed).toString("base64"));
      const seen = await page.run(async (contents) => {
        const { Gallery } = await avseWeb();
        globalThis.mine = await Gallery.create(avse, { name: "mine" });
        for (const [at, content] of contents.entries()) {
          await mine.add(file(content, `${at}.png`, "image/png"), { key: `own ${at}`, metadata: { at } });
        }
        await mine.remove(0);
        const { hits } = await avse.searchText(mine, "a picture");
        const bitmap = await createImageBitmap(await mine.thumbnail(1));
        return { keys: hits.map(({ key }) => key).sort(), size: mine.size, at: (await mine.item(1)).metadata.at, width: bitmap.width };
      }, contents);
      assert.deepEqual({ ...seen, width: seen.width > 0 }, { keys: ["own 1", "own 2"], size: 2, at: 2, width: true });
    },

    async "… saved, and reopened by another page"({ page, server }) {
      const saved = await page.run(() => failure(mine.save()));
      if (saved) {
        assert.ok(["unsupported", "storage"].includes(saved.code), `saving failed with ${saved.code}: ${saved.message}`);
        const hits = await page.run(async () => (await avse.searchText(mine, "a picture")).hits.length);
        assert.equal(hits, 2, "what could not be saved is gone");
        return "refused";
      }
      await page.go(`${server.url}pages/package.html`);
      const seen = await page.run(async () => {
        globalThis.avse = await load();
        globalThis.pictures = await avse.openGallery("/tiny/pictures/");
        const { Gallery } = await avseWeb();
        const mine = await Gallery.create(avse, { name: "mine" });
        const keys = plain(await avse.searchText(mine, "a picture")).map(({ key }) => key).sort();
        await Gallery.delete("mine");
        return { keys, names: await Gallery.names() };
      });
      assert.deepEqual(seen, { keys: ["own 1", "own 2"], names: [] });
    },

    async "… kept by two tabs, and neither loses what the other adds"({ page, server, open }) {
      const other = await open(`${server.url}pages/package.html`);
      const add = (tab, key, content) => tab.run(async (key, content) => {
        const { Gallery } = await avseWeb();
        globalThis.avse ??= await load();
        globalThis.shared = await Gallery.create(avse, { name: "shared" });
        await shared.add(file(content, "own.png", "image/png"), { key });
      }, key, content);
      await add(page, "of this tab", drawing(SEEDS[0]).toString("base64"));
      await add(other, "of the other", drawing(SEEDS[1]).toString("base64"));
      const saved = [];
      for (const tab of [page, other]) saved.push((await tab.run(() => failure(shared.save())))?.code ?? "saved");
      await other.close();
      if (saved.every((code) => code === "unsupported" || code === "storage")) return "refused";
      assert.deepEqual(saved, ["saved", "saved"]);
      const keys = await page.run(async () => {
        const { Gallery } = await avseWeb();
        const again = await Gallery.create(avse, { name: "shared" });
        const keys = [];
        for (let row = 0; row < again.size; row++) keys.push((await again.item(row)).key);
        await Gallery.delete("shared");
        return keys.sort();
      });
      assert.deepEqual(keys, ["of the other", "of this tab"]);
    },

    async "abort and dispose"({ page }) {
      const seen = await page.run(async () => {
        const own = await load();
        const gallery = await own.openGallery("/tiny/pictures/");
        const controller = new AbortController();
        const aborted = failure(own.searchText(gallery, "a picture", { signal: controller.signal }));
        controller.abort();
        const before = await failure(own.encodeText("a picture", { signal: AbortSignal.abort() }));
        const after = (await own.searchText(gallery, "a picture")).hits.length;
        const pending = failure(own.encodeText("another picture"));
        own.dispose();
        return { aborted: (await aborted)?.name, before: before?.name, after, pending: (await pending)?.code, late: (await failure(own.encodeText("late")))?.code };
      });
      assert.deepEqual(seen, { aborted: "AbortError", before: "AbortError", after: 10, pending: "disposed", late: "disposed" });
    },

    async "a worker that breaks is replaced, with unsaved pictures"({ page }) {
      const seen = await page.run(async (content) => {
        const { Gallery } = await avseWeb();
        const own = await load("/tiny/", { worker: () => new Worker("/pages/breakable.js", { type: "module" }) });
        const gallery = await own.openGallery("/tiny/pictures/");
        const mine = await Gallery.create(own);
        await mine.add(file(content, "own.png", "image/png"), { key: "own" });
        let restarted = 0;
        own.on("restarted", () => restarted++);
        const pending = failure(new Promise((_, reject) => {
          const ask = () => own.encodeText("a picture").then(ask, reject);
          ask();
        }));
        new BroadcastChannel("break").postMessage("now");
        const { code } = await pending;
        const hits = (await own.searchText(gallery, "a picture")).hits.length;
        const [hit] = (await own.searchText(mine, "a picture")).hits;
        own.dispose();
        return { code, hits, own: hit.key, restarted };
      }, drawing(SEEDS[0]).toString("base64"));
      assert.deepEqual(seen, { code: "internal", hits: 10, own: "own", restarted: 1 });
    },

    async "the model's files are kept for the next visit"({ page, server }) {
      await page.go(`${server.url}pages/package.html`);
      const before = server.requests.length;
      const hits = await page.run(async () => {
        const avse = await load();
        return (await avse.searchText(await avse.openGallery("/tiny/pictures/"), "a picture")).hits.length;
      });
      assert.equal(hits, 10);
      const again = server.requests.slice(before).filter((path) => /\.(safetensors|wasm)$/.test(path));
      return again.length === 0 ? undefined : "fetched again";
    },

    async "WebGPU, where `device: \"webgpu\"` asks for it"({ page, mode }) {
      const { sentences } = await natively();
      // Shaders on an adapter made of software take ten seconds to compile; one window is enough for that.
      const asked = mode === "private" ? null : SENTENCES[0];
      const seen = await page.run(async (text) => {
        const { Avse } = await avseWeb();
        const avse = await Avse.load("/tiny/", { device: "webgpu" }).catch((error) => ({ code: error.code, message: error.message }));
        if (avse.code) return avse;
        const hits = text && plain(await avse.searchText(await avse.openGallery("/tiny/pictures/"), text, { k: 12 }));
        const { device } = avse.info;
        avse.dispose();
        return { hits, device };
      }, asked);
      if (seen.code) {
        assert.equal(seen.code, "no-device", seen.message);
        return "no WebGPU";
      }
      assert.equal(seen.device, "webgpu");
      if (asked) assertSame(seen.hits, sentences[0], asked);
    },
  },
};
