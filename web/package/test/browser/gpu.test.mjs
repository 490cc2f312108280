// What happens around WebGPU, with the browser's software adapter and the fake engine.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { bundle, described, png, write } from "../fixtures.mjs";
import { browserTests } from "./chromium.mjs";

const it = browserTests({ flags: ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"] });

test("auto leaves a software adapter alone; webgpu takes it", async (context) => {
  const server = await it.serve(context);
  const page = await it.page(context, server.url);
  const devices = await page.evaluate(async () => {
    const { Avse } = await import("/avse-web/index.js");
    const infos = [];
    for (const device of ["auto", "webgpu"]) infos.push((await Avse.load("/export/", { device })).info);
    return infos.map(({ device, fallback }) => [device, fallback]);
  });
  assert.deepEqual(devices, [["cpu", "the WebGPU adapter is made of software"], ["webgpu", undefined]]);
});

test("a lost GPU: a fresh worker answers the call, with every gallery as it was", async (context) => {
  const server = await it.serve(context);
  const page = await it.page(context, server.url);
  const red = png(8, 8, () => [255, 0, 0, 255]).toString("base64");
  const seen = await page.evaluate(async (red) => {
    const { Avse, Gallery } = await import("/avse-web/index.js");
    const avse = await Avse.load("/export/", { device: "webgpu" });
    const events = [];
    for (const event of ["devicelost", "restarted"]) avse.on(event, () => events.push(event));
    const gallery = await avse.openGallery("/export/pictures/");
    const mine = await Gallery.create(avse);
    const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${red}`).catch(() => null))?.blob() ?? new ImageData(1, 1));
    await mine.add(picture, { key: "one" });
    await avse.loseDevice();
    const found = await Promise.all([avse.searchText(gallery, "blue"), avse.searchImage(gallery, picture), mine.item(0)]);
    const device = avse.info.device;
    await avse.loseDevice();
    const second = await avse.searchText(gallery, "green");
    return {
      keys: [found[0].hits[0].key, found[1].hits[0].key, found[2].key, second.hits[0].key], events, device,
      after: [avse.info.device, avse.info.fallback], size: (await avse.searchText(mine, "white")).hits.length,
    };
  }, red);
  assert.equal(seen.keys[0], "blue.png");
  assert.deepEqual([seen.keys[2], seen.keys[3], seen.size], ["one", "green.png", 1]);
  assert.deepEqual(seen.events, ["devicelost", "restarted", "devicelost", "restarted"]);
  assert.equal(seen.device, "webgpu");
  assert.deepEqual(seen.after, ["cpu", "the GPU was lost twice within 10 seconds"]);
  await new Promise((done) => setTimeout(done, 100));
  assert.equal(page.workers().length, 1);
});

/** As if the adapter were none of software; `edits` change further scripts: [file, what, by what]. */
async function withGpu(context, ...edits) {
  const bodies = {};
  for (const [file, from, to] of [["code.js", "!software &&", "false &&"], ["gpu-trial.js", "2_000", "100"], ...edits]) {
    const text = await readFile(new URL(`../../dist/${file}`, import.meta.url), "utf8");
    assert.ok(text.includes(from), `${file} has no ${from}`);
    bodies[`/avse-web/${file}`] = { body: text.replace(from, to) };
  }
  return it.serve(context, { intercept: ({ path }) => bodies[path] });
}

/* In the page: a visit that asks, and waits for what becomes of the trial. */
const VISIT = `globalThis.visit = async (url, options = {}) => {
  const { Avse } = await import("/avse-web/index.js");
  const avse = await Avse.load(url, { device: "auto", ...options });
  const before = { ...avse.info };
  await avse.encodeText("red");
  for (let wait = 0; wait < 100 && avse.info.fallback === before.fallback && /tried after/.test(before.fallback ?? ""); wait++) await new Promise((done) => setTimeout(done, 50));
  const { device, fallback } = avse.info;
  // What was found is kept by now.
  await avse.encodeText("green");
  avse.dispose();
  return { first: before.device, why: before.fallback, device, fallback };
};`;

test("auto answers on the processor first, and takes a GPU on later visits only where it computes rightly and sooner", async (context) => {
  const trials = { sooner: { slow: "cpu" }, later: { slow: "webgpu" }, wrong: { slow: "cpu", wrong: 0.2 }, nan: { slow: "cpu", wrong: null } };
  // Breaks there alone.
  trials.trap = { broken: "trap", on: "webgpu" };
  for (const [name, config] of Object.entries(trials)) await write(it.root, bundle(`trial-${name}/`, config));
  const server = await withGpu(context);
  const page = await it.page(context, server.url);
  await page.evaluate(VISIT);
  const visits = await page.evaluate(async (names) => {
    const visits = {};
    for (const name of names) visits[name] = [await visit(`/trial-${name}/`), await visit(`/trial-${name}/`)];
    return visits;
  }, Object.keys(trials));
  for (const [name, [first, second]] of Object.entries(visits)) {
    assert.deepEqual([first.first, first.device], ["cpu", "cpu"], name);
    assert.match(first.why, /tried after the first answer/, name);
    // Remembered: nothing is tried again.
    assert.equal(second.why, second.fallback, name);
    assert.equal(second.device, name === "sooner" ? "webgpu" : "cpu", name);
    if (name !== "sooner") assert.equal(second.fallback, first.fallback, name);
  }
  assert.match(visits.sooner[0].fallback, /faster/);
  assert.match(visits.later[1].fallback, /slower here than WebAssembly \(\d/);
  for (const name of ["wrong", "nan"]) assert.equal(visits[name][1].fallback, "the WebGPU adapter computes wrong numbers");
  assert.match(visits.trap[1].fallback, /failed at the start.*panicked/);
  // Who asks for it gets it.
  const asked = await page.evaluate(async () => (await (await import("/avse-web/index.js")).Avse.load("/trial-later/", { device: "webgpu" })).info.device);
  assert.equal(asked, "webgpu");
  assert.equal(page.workers().length, 1, "a trial's worker was left behind");
});

test("a verdict is one of this model, adapter, and time; without a cache there is no trial", async (context) => {
  await write(it.root, bundle("verdict/", { slow: "cpu" }));
  const server = await withGpu(context);
  const page = await it.page(context, server.url);
  await page.evaluate(VISIT);
  const again = () => page.evaluate(async () => (await visit("/verdict/")).first);
  assert.deepEqual([await again(), await again()], ["cpu", "webgpu"]);
  // Another version of the model.
  await write(it.root, bundle("verdict/", { slow: "cpu", newer: true }));
  await write(it.root, { "verdict/model.safetensors": Buffer.alloc(300_000, 8) });
  const manifest = JSON.parse(await readFile(`${it.root}/verdict/manifest.json`, "utf8"));
  manifest.files["model.safetensors"] = described(Buffer.alloc(300_000, 8));
  await write(it.root, { "verdict/manifest.json": manifest });
  assert.deepEqual([await again(), await again()], ["cpu", "webgpu"]);
  // Too old, and from a clock that went wrong.
  for (const until of [Date.now() - 1, Date.now() + 1e12]) {
    const changed = await page.evaluate(async (until) => {
      const cache = await caches.open("avse-web-v1");
      const keys = (await cache.keys()).filter(({ url }) => url.includes("webgpu-trial"));
      for (const key of keys) await cache.put(key, new Response(JSON.stringify({ until, objection: null })));
      return keys.length;
    }, until);
    assert.equal(changed, 1);
    assert.deepEqual([await again(), await again()], ["cpu", "webgpu"]);
  }
  const uncached = await page.evaluate(async () => {
    const { Avse } = await import("/avse-web/index.js");
    const avse = await Avse.load("/verdict/", { cache: false });
    await avse.encodeText("red");
    await new Promise((done) => setTimeout(done, 500));
    return [avse.info.device, avse.info.fallback];
  });
  assert.deepEqual(uncached, ["cpu", "nothing is kept here, so it could not be tried"]);
});

test("a GPU that passed its trial and breaks later is not taken again", async (context) => {
  // The model's settings change and its weights do not: the verdict still holds.
  await write(it.root, bundle("later-trap/", { slow: "cpu" }));
  const server = await withGpu(context);
  const page = await it.page(context, server.url);
  await page.evaluate(VISIT);
  const again = async () => {
    let workers = 0;
    const count = () => (workers += 1);
    page.on("worker", count);
    const { first, why } = await page.evaluate(() => visit("/later-trap/"));
    page.off("worker", count);
    return [first, why?.split(":")[0], workers];
  };
  assert.equal((await again())[0], "cpu");
  assert.deepEqual(await again(), ["webgpu", undefined, 1]);
  await write(it.root, bundle("later-trap/", { broken: "trap", on: "webgpu" }));
  assert.deepEqual(await again(), ["cpu", "the start with WebGPU failed", 2]);
  assert.deepEqual(await again(), ["cpu", "the start with WebGPU failed", 1], "the next visit took it again");
});

test("where the cache takes nothing there is no trial", async (context) => {
  await write(it.root, bundle("full/", { slow: "cpu" }));
  const server = await withGpu(context, ["cache.js", "cache.put(key", "Promise.reject(key"]);
  const page = await it.page(context, server.url);
  await page.evaluate(VISIT);
  for (let visits = 0; visits < 2; visits++) {
    server.requests.length = 0;
    const { first, why } = await page.evaluate(() => visit("/full/"));
    assert.deepEqual([first, why], ["cpu", "nothing is kept here, so it could not be tried"]);
    assert.equal(server.requests.filter((path) => path === "/full/model.safetensors").length, 1);
  }
});

test("a model too large to be held twice goes to the GPU at once, which has to make sense by itself", async (context) => {
  const trials = { sound: {}, random: { wrong: null } };
  for (const [name, config] of Object.entries(trials)) await write(it.root, bundle(`large-${name}/`, config));
  const server = await withGpu(context, ["model.js", "100e6", "1000"]);
  const page = await it.page(context, server.url);
  await page.evaluate(VISIT);
  const found = await page.evaluate(async () => [await visit("/large-sound/"), await visit("/large-random/")]);
  assert.deepEqual(found.map(({ first }) => first), ["webgpu", "cpu"]);
  assert.equal(found[1].why, "the WebGPU adapter computes wrong numbers");
});

test("a GPU that stops without a word: all questions are answered on the CPU", async (context) => {
  // A fifth of a second instead of a minute.
  const watch = await readFile(new URL("../../dist/watch.js", import.meta.url), "utf8");
  assert.match(watch, /PATIENCE = 60_000/);
  const server = await it.serve(context, { intercept: ({ path }) => (path.endsWith("/watch.js") ? { body: watch.replace("60_000", "200") } : undefined) });
  const page = await it.page(context, server.url);
  const seen = await page.evaluate(async () => {
    const { Avse } = await import("/avse-web/index.js");
    const avse = await Avse.load("/export/", { device: "webgpu" });
    const gallery = await avse.openGallery("/export/pictures/");
    const all = Promise.all([avse.searchText(gallery, "stuck"), avse.searchText(gallery, "blue"), avse.searchText(gallery, "green")]);
    const late = new Promise((done) => setTimeout(done, 5000, null));
    const found = await Promise.race([all, late]);
    return [found?.slice(1).map(({ hits }) => hits[0].key), avse.info.device, avse.info.fallback];
  });
  assert.deepEqual(seen.slice(0, 2), [["blue.png", "green.png"], "cpu"]);
  assert.match(seen[2], /gave no answer/);
});

test("a start on the GPU that fails is an error where it was asked for", async (context) => {
  await write(it.root, bundle("nodevice/", { broken: "no-device" }));
  await write(it.root, bundle("trap/", { broken: "trap" }));
  const server = await it.serve(context);
  const page = await it.page(context, server.url);
  const codes = await page.evaluate(async () => {
    const { Avse } = await import("/avse-web/index.js");
    const codes = [];
    for (const url of ["/nodevice/", "/trap/"]) {
      const failed = await Avse.load(url, { device: "webgpu" }).catch((error) => error);
      codes.push([failed.code, failed.message]);
    }
    return codes;
  });
  assert.deepEqual(codes.map(([code]) => code), ["no-device", "internal"]);
  assert.match(codes[1][1], /panicked/);
});
