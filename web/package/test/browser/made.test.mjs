// Galleries that are made in the page, in a real browser, with the fake engine.

import assert from "node:assert/strict";
import { test } from "node:test";

import { png } from "../fixtures.mjs";
import { browserTests, PRELUDE } from "./chromium.mjs";

// A name that is no secure context, as any address with plain http.
const it = browserTests({ flags: ["--host-resolver-rules=MAP plain.test 127.0.0.1"] });

test("the visitor's own pictures are found, changed, kept, reopened and deleted", async (context) => {
  const { page } = await it.ready(context);
  const pictures = Object.fromEntries(
    [["red", [255, 0, 0, 255]], ["green", [0, 255, 0, 255]], ["blue", [0, 0, 255, 255]]].map(([name, colour]) => [
      name, png(400, 200, () => colour).toString("base64"),
    ]),
  );
  const first = await page.evaluate(async (pictures) => {
    const avse = await load();
    const mine = await Gallery.create(avse, { name: "my/pictures" });
    const rows = [];
    for (const [name, content] of Object.entries(pictures)) rows.push(await mine.add(file(content, `${name}.png`), { metadata: { name } }));
    const { hits } = await avse.searchText(mine, "green", { k: 1 });
    await mine.save();
    await mine.remove(0);
    const after = (await avse.searchText(mine, "green", { k: 1 })).hits[0].index;
    const thumbnail = await createImageBitmap(await mine.thumbnail(after));
    const refused = await failure(mine.add("a sentence"));
    const other = await avse.openGallery("/export/pictures/");
    return {
      rows, hit: hits[0], after, size: mine.size, thumbnail: [thumbnail.width, thumbnail.height], names: await Gallery.names(), refused,
      fixed: await failure(other.add(file(pictures.red, "x.png"))), unnamed: await failure((await Gallery.create(avse)).save()),
    };
  }, pictures);
  assert.deepEqual(first.rows, [0, 1, 2]);
  assert.deepEqual([first.hit.key, first.hit.metadata, first.after, first.size], ["green.png", { name: "green" }, 0, 2]);
  assert.deepEqual([first.thumbnail, first.names], [[160, 80], ["my/pictures"]]);
  assert.deepEqual([first.refused.code, first.fixed.code, first.unnamed.code], ["refused", "refused", "refused"]);

  await page.reload();
  await page.evaluate(PRELUDE);
  const second = await page.evaluate(async (pictures) => {
    const avse = await load();
    const mine = await Gallery.create(avse, { name: "my/pictures" });
    const size = mine.size;
    await mine.add(file(pictures.red, "another.png"));
    await mine.save();
    const folder = await (await (await navigator.storage.getDirectory()).getDirectoryHandle("avse-web-galleries"))
      .getDirectoryHandle(`g${encodeURIComponent("my/pictures")}`);
    const again = await Gallery.create(avse, { name: "my/pictures" });
    const wrong = await failure(Gallery.create(avse, { name: "my/pictures", kind: "captions" }));
    await again.remove(0);
    await again.save();
    const files = [];
    for await (const name of folder.keys()) files.push(name);
    await mine.save();
    const thumbnail = (await again.thumbnail(2)).size > 0;
    await again.close();
    const closed = await failure(again.item(0));
    await Gallery.delete("my/pictures");
    await Gallery.delete("never there");
    return { size, again: again.size, mine: mine.size, files: files.sort(), wrong, thumbnail, closed, names: await Gallery.names() };
  }, pictures);
  assert.deepEqual([second.size, second.again, second.mine, second.files], [3, 3, 3, ["1-0.tar", "2-1.tar", "list-3.json"]]);
  assert.deepEqual([second.wrong.code, second.thumbnail, second.closed.code, second.names], ["refused", true, "disposed", []]);
});

test("pictures that are not saved outlive a lost worker", async (context) => {
  const { page } = await it.ready(context);
  const red = png(8, 8, () => [255, 0, 0, 255]).toString("base64");
  const kept = await page.evaluate(async (red) => {
    const avse = await load();
    const mine = await Gallery.create(avse, { name: "unsaved" });
    await mine.add(file(red, "one.png"));
    await mine.save();
    await mine.add(file(red, "two.png"));
    await mine.add(file(red, "three.png"));
    await mine.remove(0);
    for (let round = 0; round < 2; round++) await failure(avse.encodeText("trap"));
    return [(await mine.item(0)).key, (await mine.item(1)).key, (await mine.thumbnail(1)).size > 0, (await avse.searchText(mine, "red")).hits.length];
  }, red);
  assert.deepEqual(kept, ["two.png", "three.png", true, 2]);
});

test("two tabs with one kept gallery: both are kept, and each is told of the other", async (context) => {
  const { server, page } = await it.ready(context);
  const other = await page.context().newPage();
  await other.goto(server.url);
  await other.evaluate(PRELUDE);
  const red = png(8, 8, () => [255, 0, 0, 255]).toString("base64");
  for (const [tab, name] of [[page, "one"], [other, "two"]]) {
    await tab.evaluate(async ({ red, name }) => {
      const avse = await load();
      globalThis.mine = await Gallery.create(avse, { name: "shared" });
      globalThis.told = [];
      for (const event of ["changed", "deleted"]) mine.on(event, () => told.push(`${event} ${mine.size}`));
      for (let row = 0; row < 3; row++) await mine.add(file(red, `${name} ${row}.png`));
    }, { red, name });
  }
  await page.evaluate(() => mine.save());
  await other.waitForFunction(() => told.length > 0);
  await other.evaluate(() => mine.save());
  await page.waitForFunction(() => told.length > 0);
  const keys = async () => Promise.all(Array.from({ length: mine.size }, async (_, row) => (await mine.item(row)).key));
  const all = ["one 0.png", "one 1.png", "one 2.png", "two 0.png", "two 1.png", "two 2.png"];
  assert.deepEqual([await page.evaluate(keys), await other.evaluate(keys)], [all, all]);
  assert.deepEqual([await page.evaluate(() => told), await other.evaluate(() => told)], [["changed 6"], ["changed 6"]]);
  await other.evaluate(async () => {
    await mine.remove(1);
    await mine.save();
  });
  await page.waitForFunction(() => told.length > 1);
  assert.deepEqual(await page.evaluate(keys), ["one 0.png", ...all.slice(2)]);
  await page.evaluate(() => Gallery.delete("shared"));
  await other.waitForFunction(() => told.some((event) => event.startsWith("deleted")));
  assert.equal((await other.evaluate(keys)).length, 5);
});

test("where the browser keeps no files, as on plain http, pictures are added all the same", async (context) => {
  const { server } = await it.ready(context);
  const page = await it.page(context, server.url.replace("127.0.0.1", "plain.test"));
  await page.evaluate(PRELUDE);
  const red = png(8, 8, () => [255, 0, 0, 255]).toString("base64");
  const got = await page.evaluate(async (red) => {
    const avse = await load();
    const mine = await Gallery.create(avse, { name: "mine" });
    await mine.add(file(red, "red.png"));
    return {
      secure: isSecureContext, canSave: mine.info.canSave, canKeep: await Gallery.canKeep(), save: await failure(mine.save()),
      hits: (await avse.searchText(mine, "red")).hits.length, size: mine.size, file: (await mine.export()).size,
    };
  }, red);
  assert.deepEqual([got.secure, got.canSave, got.canKeep, got.hits, got.size], [false, false, false, 1, 1]);
  assert.deepEqual([got.save.code, got.file % 512], ["unsupported", 0]);
  assert.match(got.save.message, /keeps no files/);
});

test("many are added one after the other, with progress, a pause, and those that are no pictures named", async (context) => {
  const { page } = await it.ready(context);
  const red = png(8, 8, () => [255, 0, 0, 255]).toString("base64");
  const got = await page.evaluate(async (red) => {
    const avse = await load();
    const mine = await Gallery.create(avse, { name: "many" });
    const steps = [];
    const files = (from, to) => Array.from({ length: to - from }, (_, at) => file(red, `${from + at}.png`));
    let atPause;
    const adding = mine.addAll([...files(0, 5), new File(["no"], "broken.png"), ...files(5, 8)], {
      describe: (source) => ({ metadata: { name: source.name } }),
      onProgress({ done, total, failed }) {
        steps.push([done, total, failed]);
        if (done === 4) {
          adding.push(files(8, 10));
          adding.pause();
          setTimeout(() => {
            atPause = [mine.size, adding.paused];
            adding.resume();
          }, 200);
        }
      },
    });
    const { added, failed } = await adding.finished;
    const last = await mine.item(9);
    const stopped = new AbortController();
    const other = mine.addAll(files(10, 20), { signal: stopped.signal, onProgress: ({ done }) => done === 2 && stopped.abort() });
    const reason = await failure(other.finished);
    return {
      steps, added, failed: failed.map(({ source, error }) => [source.name, error.code]), atPause, last: last.metadata.name,
      size: mine.size, reason: reason.name, running: [adding.running, other.running],
    };
  }, red);
  assert.deepEqual([got.added, got.failed, got.last], [10, [["broken.png", "image"]], "9.png"]);
  assert.deepEqual([got.atPause, got.steps.at(-1), got.steps.length], [[4, true], [11, 11, 1], 11]);
  assert.deepEqual([got.size, got.reason, got.running], [12, "AbortError", [false, false]]);
});

test("a gallery goes into a file and comes back", async (context) => {
  const { page } = await it.ready(context);
  const red = png(8, 8, () => [255, 0, 0, 255]).toString("base64");
  const got = await page.evaluate(async (red) => {
    const avse = await load();
    const mine = await Gallery.create(avse, { name: "mine" });
    for (let row = 0; row < 3; row++) await mine.add(file(red, `${row}.png`));
    const exported = await mine.export();
    const other = await Gallery.create(avse);
    await other.add(file(red, "before.png"));
    await other.import(exported);
    await mine.clear();
    return {
      keys: await Promise.all([0, 1, 2, 3].map(async (row) => (await other.item(row)).key)), thumbnail: (await other.thumbnail(3)).type,
      broken: await failure(other.import(exported.slice(0, 3000))), size: [mine.size, other.size],
    };
  }, red);
  assert.deepEqual(got.keys, ["before.png", "0.png", "1.png", "2.png"]);
  assert.deepEqual([got.thumbnail, got.broken.code, got.size], ["image/webp", "format", [0, 4]]);
});
