// Downloads: how they are told of, and how they are given up.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, PATIENCE, until, workers } from "./support/browser.mjs";
import { pictures, ready } from "./support/demo.mjs";
import { drawing } from "./support/pictures.mjs";
import { site } from "./support/server.mjs";

const MODEL = /\/model\.safetensors$/;

test("progress never falls, and ends at the total that it named first", { timeout: 2 * PATIENCE }, async (t) => {
  // Slow enough that there is something to report.
  const server = await site(t, { intercept: ({ path }) => (MODEL.test(path) ? { pause: 5 } : undefined) });
  const page = await open(t, server.empty);
  const { model, gallery, info } = await page.evaluate(async () => {
    const [model, gallery] = [[], []];
    const avse = await load("/data/", { onProgress: (progress) => model.push(progress) });
    await avse.openGallery("/data/pictures/", { onProgress: (progress) => gallery.push(progress) });
    return { model, gallery, info: avse.info };
  });
  for (const [what, reports] of Object.entries({ model, gallery })) {
    assert.ok(reports.length > 0, `${what}: no report at all`);
    const { total } = reports[0];
    assert.ok(reports.every((report) => report.total === total), `${what}: the total changed`);
    assert.ok(reports.every(({ loaded }, at) => at === 0 || loaded >= reports[at - 1].loaded), `${what}: progress fell`);
    assert.equal(reports.at(-1).loaded, total, `${what}: did not end at the total`);
  }
  assert.ok(model.length >= 5, `only ${model.length} reports of a slow download`);
  assert.equal(model[0].total, info.bytes.code + info.bytes.model, "code and model are the total");
});

test("a download that is given up rejects with AbortError, and its requests end", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t, { intercept: ({ path }) => (MODEL.test(path) ? { pause: 2000 } : undefined) });
  const page = await open(t, server.empty);
  const error = await page.evaluate(async () => {
    const controller = new AbortController();
    const onProgress = ({ what }) => what.includes("safetensors") && controller.abort();
    const loading = failure(load("/data/", { signal: controller.signal, onProgress }));
    return loading;
  });
  assert.equal(error?.name, "AbortError", JSON.stringify(error));
  await until(() => server.aborted.some((path) => MODEL.test(path)), "the server still sends the model", 10_000);
  await until(() => workers(page) === 0, "the worker of the given-up load is still there", 10_000);
  // Nothing of it is kept, and another load succeeds.
  const asked = server.requests.filter((path) => MODEL.test(path)).length;
  assert.equal(asked, 1, "the model was asked for again by itself");
  const late = await page.evaluate(() => failure(load("/tiny/")));
  assert.equal(late, null, `a load after a given-up one failed: ${late?.message}`);
});

test("an aborted signal starts nothing", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  const before = server.requests.length;
  const error = await page.evaluate(async () => {
    await avseWeb();
    return failure(load("/tiny/", { signal: AbortSignal.abort() }));
  });
  assert.equal(error?.name, "AbortError");
  assert.deepEqual(server.requests.slice(before).filter((path) => path.startsWith("/tiny/")), []);
});

test("a running search is given up at once, and the next one is answered", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  // Large enough that decoding and encoding take their time.
  const content = drawing(1, 1800, 1500).toString("base64");
  const seen = await page.evaluate(async (content) => {
    const avse = await load("/data/");
    const gallery = await avse.openGallery("/data/pictures/");
    const expected = plain(await avse.searchText(gallery, "a cat"));
    const controller = new AbortController();
    let settled = false;
    const running = failure(avse.searchImage(gallery, file(content, "large.png"), { signal: controller.signal })).finally(() => (settled = true));
    const queued = failure(avse.searchText(gallery, "never asked", { signal: controller.signal }));
    await new Promise((done) => setTimeout(done, 0));
    const early = settled;
    controller.abort();
    const errors = await Promise.all([running, queued]);
    return { early, errors, expected, after: plain(await avse.searchText(gallery, "a cat")) };
  }, content);
  assert.equal(seen.early, false, "the search was over before it could be given up: the test shows nothing");
  assert.deepEqual(seen.errors.map((error) => error?.name), ["AbortError", "AbortError"]);
  assert.deepEqual(seen.after, seen.expected, "the search after a given-up one answers differently");
});

test("demo page: a question that takes its time is said to be under way, can be stopped, and is not lost on the way to another device", { timeout: 3 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  await ready(page);
  const field = page.getByLabel("Describe a picture");
  const waiting = page.locator("#waiting");
  await field.fill("birthday cake");
  const first = await until(() => pictures(page), "no pictures");
  assert.equal(await waiting.isVisible(), false, "a quick question is said to be slow");
  // As with an adapter that takes long.
  await page.evaluate(() => {
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message, ...rest) {
      if (message.name === "encode") setTimeout(() => post.call(this, message, ...rest), 7000);
      else post.call(this, message, ...rest);
    };
  });
  await field.fill("ghost");
  await until(async () => /Looking/.test(await waiting.innerText()), "nothing says that the question is under way", 5000);
  await waiting.getByRole("button", { name: "Stop" }).click();
  assert.match(await waiting.innerText(), /no answer/);
  await waiting.getByRole("button", { name: "Ask again" }).click();
  // The question that is under way goes with the visitor, not the one before.
  await page.locator("#facts label", { hasText: "WebAssembly" }).click();
  const next = await until(async () => {
    const now = await pictures(page);
    return now && now.join() !== first.join() && now;
  }, "the question was lost with the change of the device");
  assert.equal(next[0], "ghost");
  assert.equal(await waiting.isVisible(), false);
});
