// The second visit: it costs no network, and needs none.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, openIn, PATIENCE, until } from "./support/browser.mjs";
import { offlineReady, pictures, ready } from "./support/demo.mjs";
import { site } from "./support/server.mjs";

const LARGE = /\.(wasm|safetensors|bin|jsonl)$|tokenizer\.json$/;

test("demo page: the second visit fetches nothing large, and works without a network", { timeout: 4 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  const profile = page.context();
  await ready(page);
  await offlineReady(page);
  const ask = async (page, visit) => {
    await page.getByLabel("Describe a picture").fill("birthday cake");
    return until(() => pictures(page), `no pictures on the ${visit} visit`);
  };
  const first = await ask(page, "first");
  // Thumbnails follow in the background; the search has waited for none.
  await until(() => server.requests.some((path) => path.endsWith("thumbnails.bin")), "the thumbnails were never fetched");
  await page.waitForFunction(() => [...document.querySelectorAll("#found .tile img")].every((image) => image.naturalWidth > 0));
  await page.close();

  const before = server.requests.length;
  const again = await openIn(profile, server.url);
  await ready(again);
  assert.deepEqual(await ask(again, "second"), first);
  const large = server.requests.slice(before).filter((path) => LARGE.test(path));
  assert.deepEqual(large, [], "the second visit fetched again what it had");
  await again.close();

  // Both: the browser believes that it is offline, and there is nothing to be reached either.
  await profile.setOffline(true);
  await server.close();
  const offline = await openIn(profile, server.url);
  await ready(offline);
  assert.deepEqual(await ask(offline, "offline"), first);
  await offline.waitForFunction(() => {
    const images = [...document.querySelectorAll("#found .tile img")];
    return images.length > 0 && images.every((image) => image.naturalWidth > 0);
  });
});

test("demo page: what is kept for offline visits is asked for once, and exists", { timeout: 2 * PATIENCE }, async (t) => {
  const asked = new Map();
  const server = await site(t, {
    intercept: ({ path, headers }) => {
      // What the service worker asks of itself, and not for a page, names it as the referrer.
      if (headers.referer?.endsWith("/sw.js")) asked.set(path, (asked.get(path) ?? 0) + 1);
    },
  });
  const page = await open(t, server.url);
  await ready(page);
  await offlineReady(page);
  const all = new Map();
  for (const path of server.requests) all.set(path, (all.get(path) ?? 0) + 1);
  const often = (counts, most) => [...counts].filter(([, times]) => times > most).map(([path, times]) => `${path}: ${times} times`);
  assert.deepEqual(often(asked, 1), [], "the service worker asks more than once");
  // A script is asked for by the page and by its worker; a manifest by the page, for the sizes, and by the worker.
  assert.deepEqual(often(all, 2), [], "asked for again and again");
  const answers = await Promise.all([...all.keys()].map(async (path) => [path, (await fetch(new URL(path, server.url))).status]));
  assert.deepEqual(answers.filter(([, status]) => status !== 200), [], "asked for what is not there");
});

test("package: a model that is kept loads without a network", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  const search = () => page.evaluate(async () => {
    const reports = [];
    const avse = await load("/tiny/", { onProgress: (progress) => reports.push(progress) });
    const gallery = await avse.openGallery("/tiny/pictures/");
    const hits = plain(await avse.searchText(gallery, "a picture"));
    const thumbnail = (await gallery.thumbnail(0))?.size ?? 0;
    avse.dispose();
    return { hits, thumbnail, fromCache: reports.at(-1).fromCache };
  });
  const first = await search();
  assert.equal(first.fromCache, false);
  // The page's own scripts are not the package's affair: only what it fetches has to be there.
  await page.context().route(/\/tiny\/|\/wasm\/(manifest\.json|.*\.wasm)$/, (route) => route.abort());
  const before = server.requests.filter((path) => path.startsWith("/tiny/")).length;
  const second = await search();
  assert.deepEqual(second, { ...first, fromCache: true });
  assert.equal(server.requests.filter((path) => path.startsWith("/tiny/")).length, before, "something was fetched after all");
});
