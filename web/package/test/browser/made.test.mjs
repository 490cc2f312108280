// Galleries that are made in the page, in a real browser, with the fake engine.

import assert from "node:assert/strict";
import { test } from "node:test";

import { png } from "../fixtures.mjs";
import { browserTests, PRELUDE } from "./chromium.mjs";

const it = browserTests();

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
    // A state whose list of files is missing was never completed, and is passed over.
    const folder = await (await (await navigator.storage.getDirectory()).getDirectoryHandle("avse-web-galleries"))
      .getDirectoryHandle(`g${encodeURIComponent("my/pictures")}`);
    const states = [];
    for await (const name of folder.keys()) states.push(name);
    const half = await folder.getDirectoryHandle("99", { create: true });
    await half.getFileHandle("manifest.json", { create: true });
    const again = await Gallery.create(avse, { name: "my/pictures" });
    const wrong = await failure(Gallery.create(avse, { name: "my/pictures", kind: "captions" }));
    await again.save();
    const after = [];
    for await (const name of folder.keys()) after.push(name);
    const thumbnail = (await again.thumbnail(3)).size > 0;
    await again.close();
    const closed = await failure(again.item(0));
    await Gallery.delete("my/pictures");
    await Gallery.delete("never there");
    return { size, states, again: again.size, after, wrong, thumbnail, closed, names: await Gallery.names() };
  }, pictures);
  assert.deepEqual([second.size, second.again, second.states, second.after], [3, 4, ["2"], ["100"]]);
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
