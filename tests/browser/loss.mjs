// A lost GPU, and a worker that dies: the session goes on.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, PATIENCE, until, workers } from "./support/browser.mjs";
import { site } from "./support/server.mjs";

// Every kernel is compiled anew in each worker, which takes a software adapter many seconds. So these tests encode
// sentences alone, and the last one loses both devices before they have computed anything.

test("a lost GPU: a fresh worker answers the call, with the galleries as they were", { timeout: 3 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  const seen = await page.evaluate(async () => {
    const { Gallery } = await avseWeb();
    const avse = await load("/tiny/", { device: "webgpu" });
    const events = [];
    for (const event of ["devicelost", "restarted"]) avse.on(event, () => events.push(event));
    const gallery = await avse.openGallery("/tiny/pictures/");
    const mine = await Gallery.create(avse, { kind: "captions" });
    await mine.add("words of mine");
    const before = plain(await avse.searchText(gallery, "a picture"));
    await avse.loseDevice();
    const after = plain(await avse.searchText(gallery, "a picture"));
    const own = plain(await avse.searchText(mine, "a picture"));
    return { before, after, own, events, device: avse.info.device };
  });
  assert.deepEqual(seen.events, ["devicelost", "restarted"]);
  assert.equal(seen.device, "webgpu", "after a first loss it runs on a GPU again");
  assert.deepEqual(seen.after, seen.before, "the fresh worker answers differently");
  assert.deepEqual(seen.own.map(({ key }) => key), ["words of mine"], "what was added is gone");
  await until(() => workers(page) === 1, () => `${workers(page)} workers after the loss, not one`, 10_000);
});

test("a second loss within moments: the CPU takes over and says so", { timeout: 3 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  const seen = await page.evaluate(async () => {
    const avse = await load("/tiny/", { device: "webgpu" });
    const gallery = await avse.openGallery("/tiny/pictures/");
    const times = [];
    avse.on("devicelost", () => times.push(performance.now()));
    // The fresh worker loses its GPU before it has done anything, ahead of the call that is repeated there.
    const stop = avse.on("restarted", () => {
      stop();
      void avse.loseDevice();
    });
    await avse.loseDevice();
    const { hits } = await avse.searchText(gallery, "a picture");
    return { hits: hits.length, losses: times.length, between: times[1] - times[0], device: avse.info.device, fallback: avse.info.fallback };
  });
  assert.deepEqual([seen.hits, seen.losses], [10, 2], "one call has to survive both losses");
  // On a machine that takes longer than that to start again, both losses count as first ones.
  if (seen.between > 10_000) return t.diagnostic(`${Math.round(seen.between / 1000)} s lay between both losses: too long to see the CPU take over`);
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
