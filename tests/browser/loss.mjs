// A lost GPU, and a worker that dies: the session goes on.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, PATIENCE, until, workers } from "./support/browser.mjs";
import { drawing } from "./support/pictures.mjs";
import { site } from "./support/server.mjs";

test("a lost GPU: a fresh worker answers the call, with the galleries as they were", { timeout: 3 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  const content = drawing(3).toString("base64");
  const seen = await page.evaluate(async (content) => {
    const { Gallery } = await avseWeb();
    const avse = await load("/tiny/", { device: "webgpu" });
    const events = [];
    for (const event of ["devicelost", "restarted"]) avse.on(event, () => events.push(event));
    const gallery = await avse.openGallery("/tiny/pictures/");
    const mine = await Gallery.create(avse);
    await mine.add(file(content, "mine.png"));
    const before = plain(await avse.searchText(gallery, "a picture"));
    await avse.loseDevice();
    const after = plain(await avse.searchText(gallery, "a picture"));
    const own = plain(await avse.searchText(mine, "a picture"));
    return { before, after, own, events, device: avse.info.device };
  }, content);
  assert.deepEqual(seen.events, ["devicelost", "restarted"]);
  assert.equal(seen.device, "webgpu", "after a first loss it runs on a GPU again");
  assert.deepEqual(seen.after.map(({ key }) => key), seen.before.map(({ key }) => key), "the fresh worker answers differently");
  assert.deepEqual(seen.own.map(({ key }) => key), ["mine.png"], "pictures that were added are gone");
  await until(() => workers(page) === 1, () => `${workers(page)} workers after the loss, not one`, 10_000);
});

test("a second loss within moments: the CPU takes over and says so", { timeout: 3 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  const seen = await page.evaluate(async () => {
    const avse = await load("/tiny/", { device: "webgpu" });
    const gallery = await avse.openGallery("/tiny/pictures/");
    const keys = [];
    const times = [];
    for (let loss = 0; loss < 2; loss++) {
      await avse.loseDevice();
      times.push(performance.now());
      keys.push((await avse.searchText(gallery, "a picture")).hits[0].key);
    }
    return { keys, device: avse.info.device, fallback: avse.info.fallback, between: times[1] - times[0] };
  });
  assert.equal(seen.keys[0], seen.keys[1]);
  // On a machine that takes longer than that to start again, both losses count as first ones.
  if (seen.between > 9_000) return t.diagnostic(`${Math.round(seen.between / 1000)} s lay between both losses: nothing to see`);
  assert.equal(seen.device, "cpu");
  assert.match(seen.fallback, /lost twice/);
});

test("a worker that is ended from outside: the next call says so or is answered", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  const found = await page.evaluate(async () => {
    // The first worker's script fails in the middle of the session, as an out-of-memory kill does.
    let made = 0;
    const { Avse } = await avseWeb();
    const worker = () => {
      const fresh = new Worker("/avse-web/worker.js", { type: "module" });
      if (made++ === 0) globalThis.first = fresh;
      return fresh;
    };
    const avse = await Avse.load("/tiny/", { device: "wasm", worker });
    const gallery = await avse.openGallery("/tiny/pictures/");
    first.terminate();
    first.dispatchEvent(new ErrorEvent("error", { message: "killed" }));
    return { hits: plain(await avse.searchText(gallery, "a picture")).length, made };
  });
  assert.deepEqual(found, { hits: 10, made: 2 });
});
