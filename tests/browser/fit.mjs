// What the page says of hits that hardly fit, and where its bounds come from.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, PATIENCE, until } from "./support/browser.mjs";
import { pictures, ready } from "./support/demo.mjs";
import { site } from "./support/server.mjs";

/** About what no drawing of the collection shows. */
const STRANGE = [
  "quarterly tax report", "the second law of thermodynamics", "a contract between two parties", "parliamentary democracy", "how do I reset my password",
  "interest rates", "philosophical idealism", "a podcast about economics", "the meaning of life", "lorem ipsum dolor sit amet", "bureaucracy", "xyzzy",
];

test("demo page: the bounds of a weak match are what the collection's own sentences say", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  const { WEAK, TAIL, sentences, strange } = await page.evaluate(async (strange) => {
    const { WEAK, TAIL } = await import("/fit.js");
    const avse = await load("/data/");
    const gallery = await avse.openGallery("/data/pictures/");
    const captions = await avse.openGallery("/data/captions/");
    const best = avse.info.captionBlocks;
    const ask = async (text, right) => {
      const { hits } = await avse.searchText(gallery, text, { k: 24 });
      const at = hits.findIndex(({ key }) => key === right);
      return { share: hits[0].score / best, first: at === 0, ofBest: at < 0 ? null : hits[at].score / hits[0].score };
    };
    const sentences = [];
    for (let row = 0; row < captions.size; row += 10) {
      const { caption, metadata } = await captions.item(row);
      sentences.push(await ask(caption, metadata.image));
    }
    return { WEAK, TAIL, sentences, strange: await Promise.all(strange.map((text) => ask(text, ""))) };
  }, STRANGE);
  const share = (list, holds) => list.filter(holds).length / list.length;
  const [below, above] = [sentences.filter((one) => one.share < WEAK), sentences.filter((one) => one.share >= WEAK)];
  assert.ok(share(below, ({ first }) => first) < 0.4, `below: ${share(below, ({ first }) => first)} are right`);
  assert.ok(share(above, ({ first }) => first) > 0.55, `above: ${share(above, ({ first }) => first)} are right`);
  assert.ok(below.length < 0.3 * sentences.length, `${below.length} of ${sentences.length} sentences count as weak`);
  assert.ok(share(strange, (one) => one.share < WEAK) > 0.7, `${share(strange, (one) => one.share < WEAK)} of the strange sentences count as weak`);
  const right = sentences.filter(({ ofBest }) => ofBest !== null);
  assert.ok(share(right, ({ ofBest }) => ofBest < TAIL) < 0.08, `${share(right, ({ ofBest }) => ofBest < TAIL)} of the right pictures are faded`);
});

test("demo page: it says when nothing fits, and fades what hardly does", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  await ready(page);
  const field = page.getByLabel("Describe a picture");
  await field.fill("parliamentary democracy");
  await until(() => pictures(page), "no pictures");
  await page.getByText("Perhaps nothing here fits.").waitFor();
  await field.fill("a broken heart");
  await until(async () => (await pictures(page))?.[0] === "broken heart", "no broken heart");
  assert.equal(await page.getByText("Perhaps nothing here fits.").count(), 0);
  const faint = await page.locator("#found .tile").evaluateAll((tiles) => tiles.map((tile) => tile.classList.contains("faint")));
  assert.equal(faint[0], false);
  assert.equal(faint.at(-1), true, "the last of 24 is as clear as the first");
  assert.deepEqual(faint, [...faint].sort((a, b) => a - b), "what is faded does not stand at the end");
});

test("demo page: on a phone six pictures stand above the fold, and the introduction comes back", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url, { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  await ready(page);
  const field = page.getByLabel("Describe a picture");
  const lede = page.locator(".lede");
  for (const text of ["an angry cat", "parliamentary democracy"]) {
    await field.fill(text);
    await until(async () => (await pictures(page)) && (await page.locator("#found").getAttribute("aria-busy")) === "false", "no pictures");
    const above = await page.locator("#found .tile .paper").evaluateAll((papers) => papers.filter((paper) => paper.getBoundingClientRect().bottom <= innerHeight).length);
    assert.ok(above >= 6, `${text}: ${above} pictures above the fold`);
    assert.equal(await lede.isVisible(), false);
  }
  await field.fill("");
  await lede.waitFor();
});

test("demo page: the explanation begins with the picture and its views; the pad says what it sees", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  await ready(page);
  const field = page.getByLabel("Describe a picture");
  await field.fill("an angry cat");
  await until(() => pictures(page), "no pictures");
  await page.locator("#found .tile").first().click();
  const dialog = page.getByRole("dialog", { name: "Why it matches" });
  await dialog.locator(".views img").first().waitFor();
  assert.match(await dialog.innerText(), /fits the sentence/);
  assert.equal(await dialog.getByRole("heading", { name: /^Score/ }).isVisible(), false, "numbers come first");
  await dialog.getByText("In numbers").click();
  await dialog.getByRole("heading", { name: /^Score/ }).waitFor();
  await page.keyboard.press("Escape");

  await page.getByRole("button", { name: "Draw one" }).click();
  assert.match(await field.getAttribute("placeholder"), /draw/);
  assert.equal(await page.locator("input[name=colour]:checked").getAttribute("value"), "#212121", "the first ink is not dark");
  // It opens with a movement.
  const pad = await until(async () => {
    const before = await page.locator("canvas.canvas").boundingBox();
    await page.waitForTimeout(300);
    const after = await page.locator("canvas.canvas").boundingBox();
    return before.y === after.y && after;
  }, "the pad does not come to rest");
  const guess = page.locator("#guess");
  await page.mouse.move(pad.x + 40, pad.y + 40);
  await page.mouse.down();
  await page.mouse.move(pad.x + 200, pad.y + 200, { steps: 5 });
  await page.mouse.up();
  await until(async () => (await guess.locator("b, span:not(.line)").count()) === 3, "the best three sentences do not stand at the pad");
  const [best] = await page.locator("#found ol.sentences .words").allInnerTexts();
  assert.equal(await guess.locator("b").innerText(), best);
  assert.deepEqual(await page.locator("canvas.canvas").boundingBox(), pad, "the pad moved under the pen");
  await field.fill("a cat");
  assert.doesNotMatch(await field.getAttribute("placeholder"), /draw/);
});
