// How long the page itself is kept busy. Reported; only what a visitor would take for a hang fails.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, PATIENCE, until } from "./support/browser.mjs";
import { pictures, ready, sentences } from "./support/demo.mjs";
import { drawing } from "./support/pictures.mjs";
import { site } from "./support/server.mjs";

/** A task of the main thread that is longer is a hang, in milliseconds. Times depend on the machine, so this is no budget. */
const HANG = 500;

test("the package never keeps the page busy for long", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  const content = drawing(6, 1600, 1200).toString("base64");
  const seen = await page.evaluate(async (content) => {
    // What the test itself does to have a picture is not counted.
    const picture = file(content, "large.png", "image/png");
    await new Promise((done) => setTimeout(done, 200));
    longest = 0;
    const avse = await load("/data/");
    const gallery = await avse.openGallery("/data/captions/");
    await avse.searchText(gallery, "a cat");
    await avse.searchImage(gallery, picture);
    await new Promise((done) => setTimeout(done, 200));
    return longest;
  }, content);
  t.diagnostic(`longest task of the page, package alone: ${seen === 0 ? "none above 50" : Math.round(seen)} ms`);
  assert.ok(seen < HANG, `the page hung for ${Math.round(seen)} ms`);
});

test("the demo page never hangs while it loads and answers", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  await ready(page);
  const loading = await page.evaluate(() => longest);
  await page.evaluate(() => (longest = 0));
  await page.getByLabel("Describe a picture").pressSequentially("an angry cat", { delay: 40 });
  await until(() => pictures(page), "no pictures");
  await page.locator("#pick").setInputFiles({ name: "pattern.png", mimeType: "image/png", buffer: drawing(2, 512, 512) });
  await until(() => sentences(page), "no sentences");
  const asking = await page.evaluate(() => longest);
  t.diagnostic(`longest task of the demo page: ${Math.round(loading)} ms loading, ${Math.round(asking)} ms asking`);
  assert.ok(Math.max(loading, asking) < HANG, `the page hung for ${Math.round(Math.max(loading, asking))} ms`);
});
