// The visitor's own pictures: found, kept, reopened, deleted.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { open, PATIENCE, until } from "./support/browser.mjs";
import { ready } from "./support/demo.mjs";
import { avse, nativeSearch } from "./support/native.mjs";
import { scratchFolder } from "./support/paths.mjs";
import { drawing } from "./support/pictures.mjs";
import { write } from "./support/files.mjs";
import { site } from "./support/server.mjs";
import { tiny } from "./support/tiny.mjs";

const SEEDS = [21, 22, 23, 24];

test("own pictures score as a native gallery of them, survive a reload, and can be deleted", { timeout: 2 * PATIENCE }, async (t) => {
  const { folder } = await tiny();
  const native = join(scratchFolder(), "own");
  for (const seed of SEEDS) await write(join(native, "files", `${seed}.png`), drawing(seed));
  await avse("index", "build", join(native, "files"), "--gallery", join(native, "gallery"), "--model", join(folder, "model"), "--precision", "f32", "--gpu-id", "cpu");
  const hits = JSON.parse(await avse("search", "a picture", "--gallery", join(native, "gallery"), "--model", join(folder, "model"), "--gpu-id", "cpu", "--json")).hits;
  const expected = new Map(hits.map(({ key, score }) => [key, score]));

  const server = await site(t);
  const page = await open(t, server.empty);
  const contents = SEEDS.map((seed) => [`${seed}.png`, drawing(seed).toString("base64")]);
  const first = await page.evaluate(async (contents) => {
    const { Gallery } = await avseWeb();
    const avse = await load();
    const mine = await Gallery.create(avse, { name: "holidays" });
    for (const [name, content] of contents) await mine.add(file(content, name, "image/png"), { metadata: { name } });
    const unsaved = await Gallery.names();
    await mine.save();
    return { hits: plain(await avse.searchText(mine, "a picture")), size: mine.size, unsaved, names: await Gallery.names() };
  }, contents);
  assert.deepEqual([first.size, first.unsaved, first.names], [4, [], ["holidays"]]);
  assert.deepEqual(first.hits.map(({ key }) => key), hits.map(({ key }) => key), "another ranking than a native gallery's");
  for (const { key, score } of first.hits) {
    assert.ok(Math.abs(score - expected.get(key)) <= 1e-3, `${key} scores ${score}, natively ${expected.get(key)}`);
  }

  await page.reload();
  const second = await page.evaluate(async () => {
    const { Gallery } = await avseWeb();
    const avse = await load();
    const mine = await Gallery.create(avse, { name: "holidays" });
    const hits = plain(await avse.searchText(mine, "a picture"));
    const found = hits[0].index;
    const picture = await createImageBitmap(await mine.thumbnail(found));
    const item = await mine.item(found);
    await mine.remove(found);
    await mine.save();
    const fewer = (await Gallery.create(avse, { name: "holidays" })).size;
    await Gallery.delete("holidays");
    return { hits, thumbnail: picture.width > 0, name: item.metadata.name, key: item.key, fewer, names: await Gallery.names() };
  });
  assert.deepEqual(second.hits, first.hits, "the reopened gallery answers differently");
  assert.deepEqual([second.thumbnail, second.name, second.fewer, second.names], [true, second.key, 3, []]);

  await page.reload();
  const third = await page.evaluate(async () => {
    const { Gallery } = await avseWeb();
    return (await Gallery.create(await load(), { name: "holidays" })).size;
  });
  assert.equal(third, 0, "a deleted gallery came back");
});

test("demo page: own pictures are found, kept over a reload, and deleted", { timeout: 3 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  await ready(page);
  const files = SEEDS.map((seed) => ({ name: `${seed}.png`, mimeType: "image/png", buffer: drawing(seed) }));
  await page.locator("#own-files").setInputFiles([...files, { name: "broken.png", mimeType: "image/png", buffer: Buffer.from("no") }]);
  const mine = page.locator("#own ul button.tile");
  await until(async () => (await mine.count()) === SEEDS.length, "the pictures did not appear");
  assert.match(await page.locator("#own [role=status]").innerText(), /broken\.png/, "the file that is no picture is not named");
  await page.getByLabel("Keep them on this device").check();
  await page.getByLabel("Describe a picture").fill("a cat");
  await page.getByRole("list", { name: "Your pictures, best first" }).waitFor();
  await page.reload();
  await ready(page);
  await until(async () => (await mine.count()) === SEEDS.length, "the pictures were not kept");
  await page.getByRole("button", { name: "Delete all" }).click();
  // It asks first, and the safe answer has the focus.
  await page.keyboard.press("Enter");
  assert.equal(await mine.count(), SEEDS.length, "deleted though the visitor wants to keep them");
  await page.getByRole("button", { name: "Delete all" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete them" }).click();
  await until(async () => (await mine.count()) === 0, "the pictures were not deleted");
  await page.reload();
  await ready(page);
  assert.equal(await mine.count(), 0, "deleted pictures came back");
  assert.deepEqual(page.complaints, []);
});
