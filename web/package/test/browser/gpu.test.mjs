// What happens around WebGPU, with the browser's software adapter and the fake engine.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { bundle, png, write } from "../fixtures.mjs";
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

test("auto takes a GPU only where it computes rightly and sooner than the processor", async (context) => {
  const trials = { sooner: { slow: "cpu" }, later: { slow: "webgpu" }, wrong: { slow: "cpu", wrong: 0.2 }, nan: { slow: "cpu", wrong: null } };
  for (const [name, config] of Object.entries(trials)) await write(it.root, bundle(`trial-${name}/`, config));
  // As if the adapter were none of software.
  const code = await readFile(new URL("../../dist/code.js", import.meta.url), "utf8");
  assert.match(code, /!software &&/);
  const server = await it.serve(context, { intercept: ({ path }) => (path.endsWith("/code.js") ? { body: code.replace("!software &&", "false &&") } : undefined) });
  const page = await it.page(context, server.url);
  const infos = await page.evaluate(async (names) => {
    const { Avse } = await import("/avse-web/index.js");
    const infos = {};
    for (const name of names) {
      const { info } = await Avse.load(`/trial-${name}/`, { device: "auto" });
      infos[name] = [info.device, info.fallback ?? ""];
    }
    // Who asks for it gets it.
    infos.asked = [(await Avse.load("/trial-later/", { device: "webgpu" })).info.device];
    return infos;
  }, Object.keys(trials));
  assert.deepEqual(infos.sooner, ["webgpu", ""]);
  assert.equal(infos.later[0], "cpu");
  assert.match(infos.later[1], /slower here than WebAssembly \(\d/);
  for (const name of ["wrong", "nan"]) assert.deepEqual(infos[name], ["cpu", "the WebGPU adapter computes wrong numbers"]);
  assert.deepEqual(infos.asked, ["webgpu"]);
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
