// Several instances on one page, many one after the other, and what stays behind.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, PATIENCE, until, workers } from "./support/browser.mjs";
import { collectGarbage, rendererBytes } from "./support/memory.mjs";
import { site } from "./support/server.mjs";

test("two instances on one page do not disturb each other", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  const seen = await page.evaluate(async () => {
    const { Avse } = await avseWeb();
    const [tiny, emoji] = await Promise.all([Avse.load("/tiny/", { device: "wasm" }), Avse.load("/data/", { device: "wasm" })]);
    const [patterns, drawings] = await Promise.all([tiny.openGallery("/tiny/pictures/"), emoji.openGallery("/data/pictures/")]);
    const both = await Promise.all([tiny.searchText(patterns, "a picture"), emoji.searchText(drawings, "a cat")]);
    const mixed = await failure(tiny.searchText(drawings, "a cat"));
    tiny.dispose();
    const late = await failure(tiny.searchText(patterns, "a picture"));
    const still = await emoji.searchText(drawings, "a cat");
    return { sizes: both.map(({ hits }) => hits.length), mixed, late, same: still.hits[0].key === both[1].hits[0].key };
  });
  assert.deepEqual(seen.sizes, [10, 10]);
  assert.equal(seen.mixed?.code, "refused", "a gallery of one instance was searched by another one");
  assert.equal(seen.late?.code, "disposed");
  assert.equal(seen.same, true, "disposing one instance changed the other");
  await until(() => workers(page) === 1, () => `${workers(page)} workers, where one instance is left`, 10_000);
});

test("two elements share one model, which goes half a minute after the last of them", { timeout: 2 * PATIENCE }, async (t) => {
  const element = (id, gallery) =>
    `<avse-search id="${id}" model="/tiny/" gallery="/tiny/${gallery}/" device="wasm" placeholder="Find ${gallery}" k="4"></avse-search>`;
  const both = `<!doctype html><html lang="en"><meta charset="utf-8"><title>two</title><link rel="icon" href="data:,">
    <script type="module" src="/avse-web/element.js"></script>${element("one", "pictures")}${element("two", "captions")}</html>`;
  const server = await site(t, { pages: { "two.html": both } });
  const page = await open(t, `${server.url}pages/two.html`);
  const found = await page.evaluate(async () => {
    const elements = [...document.querySelectorAll("avse-search")];
    await Promise.all(elements.map((element) => element.load()));
    const results = await Promise.all(elements.map((element) => element.search("a picture")));
    return results.map(({ hits }) => hits.length);
  });
  assert.deepEqual(found, [4, 4]);
  assert.equal(server.requests.filter((path) => path === "/tiny/model/model.safetensors").length, 1, "the model came twice");
  assert.equal(workers(page), 1, "two elements with one model have more than one worker");
  await page.evaluate(() => document.getElementById("one").remove());
  const still = await page.evaluate(async () => (await document.getElementById("two").search("another picture")).hits.length);
  assert.equal(still, 4, "the element that stays lost its model");
  await page.evaluate(() => document.getElementById("two").remove());
  await until(() => workers(page) === 0, "the worker outlived the last element by far more than half a minute");
  assert.deepEqual(page.complaints, []);
});

test("twenty times create, use and dispose: no worker and no memory stays", { timeout: 3 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  const rounds = async (count) => {
    const hits = await page.evaluate(async (count) => {
      const { Avse } = await avseWeb();
      let hits = 0;
      for (let round = 0; round < count; round++) {
        const avse = await Avse.load("/data/", { device: "wasm" });
        const gallery = await avse.openGallery("/data/pictures/");
        hits += (await avse.searchText(gallery, "a cat")).hits.length;
        avse.dispose();
      }
      return hits;
    }, count);
    assert.equal(hits, 10 * count);
    await until(() => workers(page) === 0, () => `${workers(page)} workers are still there`, 10_000);
    await collectGarbage(page);
    return rendererBytes();
  };
  // The first rounds fill what the browser keeps for good: compiled code, decoded scripts, its allocator's reserve.
  const before = await rounds(4);
  const after = await rounds(20);
  if (before === null) return t.diagnostic("the browser's memory cannot be read on this system");
  const grown = (after - before) / 2 ** 20;
  t.diagnostic(`memory of the page's process: ${(before / 2 ** 20).toFixed(0)} MiB, after 20 more rounds ${(after / 2 ** 20).toFixed(0)} MiB (${grown.toFixed(1)} MiB more)`);
  // One instance alone takes some 30 MiB, so a leak of all twenty would be far beyond this.
  assert.ok(grown < 100, `20 rounds left ${grown.toFixed(1)} MiB behind`);
});
