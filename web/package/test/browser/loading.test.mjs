// Caches, broken files and abort, in a real browser, with the fake engine.

import assert from "node:assert/strict";
import { test } from "node:test";

import { browserTests } from "./chromium.mjs";

const it = browserTests();

test("a second visit needs no network", async (context) => {
  const { page, server } = await it.ready(context);
  await page.evaluate(async () => {
    const avse = await load();
    await (await avse.openGallery("/export/pictures/")).thumbnail(0);
    avse.dispose();
  });
  const asked = server.requests.length;
  const found = await page.evaluate(async () => {
    const reports = [];
    const avse = await load("/export/", { onProgress: (progress) => reports.push(progress) });
    await avse.openGallery("/export/pictures/");
    return reports.every(({ fromCache }) => fromCache);
  });
  assert.equal(found, true);
  assert.deepEqual(server.requests.slice(asked).filter((path) => /\.(wasm|safetensors|bin)$/.test(path)), []);
  // The data alone: the page itself is a service worker's affair.
  await page.context().route(/export|wasm\/manifest\.json|\.wasm$/, (route) => route.abort());
  const offline = await page.evaluate(async () => {
    const avse = await load();
    const gallery = await avse.openGallery("/export/pictures/");
    return [(await avse.searchText(gallery, "red")).hits[0].key, (await gallery.thumbnail(0)).type];
  });
  assert.deepEqual(offline, ["red.png", "image/png"]);
});

test("missing and corrupt files are typed errors with their address", async (context) => {
  let fault = {};
  const { page } = await it.ready(context, { intercept: ({ path }) => fault[Object.keys(fault).find((end) => path.endsWith(end))] });
  const attempt = async (faults, url = "/export/model/") => {
    fault = faults;
    return page.evaluate((url) => failure(load(url, { cache: false })), url);
  };
  const cases = [
    [{ "model.safetensors": { corrupt: true } }, "format", "model.safetensors"],
    [{ "model.safetensors": { truncate: 10 } }, "format", "model.safetensors"],
    [{ "model.safetensors": { breakAfter: 70_000 } }, "network", "model.safetensors"],
    [{ "tokenizer.json": { status: 404 } }, "network", "tokenizer.json"],
    [{ "manifest.json": { status: 404 } }, "network", "manifest.json"],
    [{ "avse_web_bg.wasm": { corrupt: true } }, "format", "avse_web_bg.wasm"],
    [{ "avse_web.js": { status: 404 } }, "network", "avse_web.js"],
    [{ "worker.js": { status: 404 } }, "network", "worker"],
  ];
  for (const [faults, code, name] of cases) {
    const error = await attempt(faults);
    assert.deepEqual([error.name, error.code], ["AvseError", code], JSON.stringify(faults));
    assert.ok(error.message.includes(name), error.message);
    if (name !== "worker") assert.ok(error.url.includes(name), error.url);
  }
  assert.equal(await attempt({}), "no failure");
  assert.equal((await attempt({}, "/nowhere/")).code, "network");
});

test("aborting a download stops it at once; dispose ends what is pending", async (context) => {
  const { page } = await it.ready(context, { intercept: ({ path }) => (path.endsWith("safetensors") ? { pause: 3000 } : undefined) });
  const [aborted, time] = await page.evaluate(async () => {
    const began = performance.now();
    const error = await failure(load("/export/", { signal: AbortSignal.timeout(100) }));
    return [error, performance.now() - began];
  });
  assert.equal(aborted.name, "TimeoutError");
  assert.ok(time < 1000);
  const { page: other } = await it.ready(context);
  const ends = await other.evaluate(async () => {
    const avse = await load();
    const gallery = await avse.openGallery("/export/pictures/");
    const controller = new AbortController();
    const slow = failure(avse.encodeText("slow"));
    const dropped = failure(avse.encodeText("slow and dropped", { signal: controller.signal }));
    const after = avse.encodeText("red");
    const began = performance.now();
    controller.abort();
    const first = [await dropped, performance.now() - began < 100];
    await after;
    // The dropped call never ran: only the one before it took its time.
    const order = performance.now() - began < 550;
    await slow;
    const pending = failure(avse.encodeText("slow"));
    avse.dispose();
    return { first, order, pending: await pending, late: await failure(avse.encodeText("x")), gallery: await failure(gallery.item(0)) };
  });
  assert.deepEqual([ends.first[0].name, ends.first[1], ends.order], ["AbortError", true, true]);
  assert.deepEqual([ends.pending.code, ends.late.code, ends.gallery.code], ["disposed", "disposed", "disposed"]);
});

test("galleries come with the model where that is asked for, and a failure there is told when they are opened", async (context) => {
  let fault;
  const { page, server } = await it.ready(context, { intercept: ({ path }) => (path.endsWith("pictures/embeddings.safetensors") ? fault : undefined) });
  const opened = (options) =>
    page.evaluate(async (options) => {
      const avse = await load("/export/", { cache: false, ...options });
      const reports = [];
      const gallery = await avse.openGallery(options.address ?? "/export/pictures/", { onProgress: (progress) => reports.push(progress) }).catch((error) => error);
      const found = gallery.code ?? (await avse.searchText(gallery, "blue")).hits[0].key;
      const { loaded, total } = reports.at(-1) ?? {};
      avse.dispose();
      return { found, complete: loaded > 0 && loaded === total, code: gallery.code, url: gallery.url };
    }, options);
  const asked = () => server.requests.splice(0).filter((path) => path.startsWith("/export/pictures/") && !path.includes("thumbnails"));
  const files = ["/export/pictures/manifest.json", "/export/pictures/embeddings.safetensors", "/export/pictures/items.jsonl"];
  const early = await opened({ galleries: ["images"] });
  assert.deepEqual([early.found, early.complete], ["blue.png", true]);
  assert.deepEqual(asked().sort(), files.toSorted(), "it was fetched more than once");
  for (const address of ["/export/pictures", "/export/pictures/manifest.json"]) {
    assert.equal((await opened({ galleries: ["images"], address })).found, "blue.png");
    assert.deepEqual(asked().sort(), files.toSorted(), `${address}: it was fetched more than once`);
  }
  // The other kind is not fetched before it is opened; this one is, by the old way.
  assert.equal((await opened({ galleries: ["captions"] })).found, "blue.png");
  assert.deepEqual(asked().sort(), files.toSorted());
  for (const wrong of [{ status: 404 }, { corrupt: true }]) {
    fault = wrong;
    const failed = await opened({ galleries: ["images"] });
    assert.equal(failed.code, wrong.status ? "network" : "format");
    assert.match(failed.url, /pictures\/embeddings\.safetensors$/);
  }
  // Without being opened.
  fault = undefined;
  server.requests.length = 0;
  await page.evaluate(() => load("/export/", { cache: false, galleries: ["images"] }).then((avse) => avse.dispose()));
  assert.ok(asked().length > 0, "nothing was fetched with the model");
});
