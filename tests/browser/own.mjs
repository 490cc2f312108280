// The visitor's own pictures: found, kept, reopened, deleted.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { open, openIn, PATIENCE, until } from "./support/browser.mjs";
import { ready } from "./support/demo.mjs";
import { avse } from "./support/native.mjs";
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
    const bytes = new Uint8Array(await (await mine.export()).arrayBuffer());
    const exported = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    return { hits: plain(await avse.searchText(mine, "a picture")), size: mine.size, unsaved, names: await Gallery.names(), exported };
  }, contents);
  assert.deepEqual([first.size, first.unsaved, first.names], [4, [], ["holidays"]]);
  assert.deepEqual(first.hits.map(({ key }) => key), hits.map(({ key }) => key), "another ranking than a native gallery's");
  for (const { key, score } of first.hits) {
    assert.ok(Math.abs(score - expected.get(key)) <= 1e-3, `${key} scores ${score}, natively ${expected.get(key)}`);
  }

  // Exported and unpacked it is a gallery for the native program, which checks all hashes.
  const unpacked = join(native, "unpacked");
  await mkdir(unpacked);
  execFileSync("tar", ["xf", await write(join(native, "mine.tar"), Buffer.from(first.exported, "base64"))], { cwd: unpacked });
  const again = JSON.parse(await avse("search", "a picture", "--gallery", unpacked, "--model", join(folder, "model"), "--gpu-id", "cpu", "--json")).hits;
  assert.deepEqual(again.map(({ index, key }) => [index, key]), first.hits.map(({ index, key }) => [index, key]));
  again.forEach(({ score }, at) => assert.ok(Math.abs(score - first.hits[at].score) <= 1e-5));

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

const mine = (page) => page.locator("#own ul button.tile");
const pngs = (from, to) => Array.from({ length: to - from }, (_, at) => ({ name: `${from + at}.png`, mimeType: "image/png", buffer: drawing(from + at) }));
const status = (page) => page.locator("#own [role=status]");
/** The number of pictures, as screen readers hear it. */
const size = (page) => page.evaluate(() => Number(document.querySelector("#own li")?.getAttribute("aria-setsize") ?? 0));
const hasSize = (page, wanted) => until(async () => (await size(page)) === wanted, `there are not ${wanted} pictures`);
const keep = (page) => page.getByLabel("Keep them on this device");
async function deleteOne(page, tile) {
  await tile.focus();
  await page.keyboard.press("Delete");
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
}

test("demo page: own pictures are found, kept over a reload, and deleted", { timeout: 3 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  await ready(page);
  await page.locator("#own-files").setInputFiles([...pngs(21, 25), { name: "broken.png", mimeType: "image/png", buffer: Buffer.from("no") }]);
  await hasSize(page, 4);
  await until(async () => /broken\.png/.test(await status(page).innerText()), "the file that is no picture is not named");
  await keep(page).check();
  await page.getByLabel("Describe a picture").fill("a cat");
  await page.getByRole("list", { name: "Your pictures, best first" }).waitFor();
  await until(async () => /Kept/.test(await status(page).innerText()), "the page does not say that they are kept");
  await page.reload();
  await ready(page);
  await hasSize(page, 4);
  await page.getByRole("button", { name: "Delete all" }).click();
  // It asks first, and the safe answer has the focus.
  await page.keyboard.press("Enter");
  assert.equal(await size(page), 4, "deleted although the visitor did not agree");
  await page.getByRole("button", { name: "Delete all" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete all" }).click();
  await hasSize(page, 0);
  await page.reload();
  await ready(page);
  assert.equal(await mine(page).count(), 0, "deleted pictures came back");
  assert.deepEqual(page.complaints, []);
});

test("demo page: pictures given while others are added are added too, and kept while a permission is asked for", { timeout: 3 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  // As Firefox does while its question is open.
  await page.evaluate(() => (navigator.storage.persist = () => new Promise(() => {})));
  // Before the model is there, and twice while others are being added.
  await page.locator("#own-files").setInputFiles(pngs(0, 20));
  await ready(page);
  await page.locator("#own-files").setInputFiles(pngs(20, 40));
  await page.locator("#own-files").setInputFiles(pngs(40, 45));
  await hasSize(page, 45);
  await keep(page).check();
  await until(async () => /Kept/.test(await status(page).innerText()), "nothing is kept while the permission is asked for");
  await page.reload();
  await ready(page);
  await hasSize(page, 45);
  assert.deepEqual(page.complaints, []);
});

test("demo page: without a store, as on plain http, pictures are added, and the page says that they will go", { timeout: 3 * PATIENCE }, async (t) => {
  const server = await site(t, { host: "0.0.0.0" });
  // An address that is no secure context.
  const page = await open(t, server.url.replace("127.0.0.1", "0.0.0.0"));
  await ready(page);
  assert.equal(await page.evaluate(() => isSecureContext), false);
  await page.locator("#own-files").setInputFiles(pngs(0, 3));
  await hasSize(page, 3);
  await page.getByText("gone when you leave").nth(1).waitFor();
  assert.equal(await keep(page).isVisible(), false, "keeping is offered where nothing can be kept");
  assert.doesNotMatch(await page.locator("#own").innerText(), /cannot run the model/);
});

test("demo page: kept pictures that cannot be opened are left alone, and others can be added", { timeout: 3 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  const text = await page.evaluate(async () => {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("avse-web-galleries", { create: true });
    const file = await (await root.getDirectoryHandle("gmy-pictures", { create: true })).getFileHandle("list-1.json", { create: true });
    const stream = await file.createWritable();
    await stream.write('{"format":"avse-kept","version":2}');
    await stream.close();
    globalThis.kept = file;
    return (await file.getFile()).text();
  });
  const visit = await openIn(page.context(), server.url);
  await ready(visit);
  await until(async () => /cannot be opened/.test(await status(visit).innerText()), "the page does not say that they cannot be opened");
  await visit.locator("#own-files").setInputFiles(pngs(0, 2));
  await hasSize(visit, 2);
  assert.equal(await keep(visit).isVisible(), false);
  assert.equal(await page.evaluate(async () => (await kept.getFile()).text()), text);
});

test("demo page: two tabs keep their pictures together", { timeout: 3 * PATIENCE }, async (t) => {
  const server = await site(t);
  const one = await open(t, server.url);
  const two = await openIn(one.context(), server.url);
  for (const page of [one, two]) await ready(page);
  await one.locator("#own-files").setInputFiles(pngs(0, 3));
  await hasSize(one, 3);
  await two.locator("#own-files").setInputFiles(pngs(3, 15));
  await hasSize(two, 12);
  await keep(one).check();
  await hasSize(two, 15);
  // It is the same collection now, so it is kept in both.
  await until(() => keep(two).isChecked(), "the other tab does not say that pictures are kept");
  await two.locator("#own-files").setInputFiles(pngs(15, 16));
  for (const page of [one, two]) await hasSize(page, 16);
  await deleteOne(one, mine(one).first());
  for (const page of [one, two]) await hasSize(page, 15);
  const third = await openIn(one.context(), server.url);
  await ready(third);
  await hasSize(third, 15);
  await third.getByRole("button", { name: "Delete all" }).click();
  await third.getByRole("dialog").getByRole("button", { name: "Delete all" }).click();
  for (const page of [one, two, third]) await hasSize(page, 0);
  for (const page of [one, two, third]) assert.deepEqual(page.complaints, []);
});

test("demo page: of many pictures those in sight are in the document; adding pauses; the keyboard reaches all", { timeout: 4 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  await ready(page);
  const [many, first] = [400, 150];
  await page.locator("#own-files").setInputFiles(pngs(0, first));
  await page.locator("#own-files").setInputFiles(pngs(first, many));
  // Tiles are there before all are added.
  await until(async () => (await size(page)) > 0, "no tile appears");
  await page.getByRole("button", { name: "Pause" }).click();
  const held = await until(async () => {
    const before = await size(page);
    await page.waitForTimeout(300);
    return before === (await size(page)) && before;
  }, "adding does not pause");
  assert.ok(held < many, "all were added before the pause");
  await page.getByRole("button", { name: "Go on" }).click();
  await hasSize(page, many);
  const shown = await mine(page).count();
  assert.ok(shown < 150, `${shown} of ${many} tiles are in the document`);
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  assert.ok(height < 6000, `the page is ${height} pixels high`);
  await mine(page).first().focus();
  await page.keyboard.press("End");
  const focused = () => page.evaluate(() => document.activeElement?.closest("li")?.getAttribute("aria-posinset"));
  await until(async () => (await focused()) === String(many), "End does not reach the last picture");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await focused(), String(many - 1));
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^398\.png/);
  // Deleted while thumbnails are on their way: no image fails, and the focus goes to the next one.
  await page.keyboard.press("Home");
  for (let left = many - 1; left >= many - 5; left--) {
    await page.keyboard.press("Delete");
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await hasSize(page, left);
  }
  assert.equal(await focused(), "1");
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^5\.png/);
  await page.locator(".mine-frame").evaluate((frame) => frame.scrollTo(0, frame.scrollHeight / 2));
  await until(async () => (await page.locator("#own li img:not([src])").count()) === 0, "tiles stay empty");
  assert.deepEqual(page.complaints, []);
});

test("demo page: pictures that are not kept are there after a change of the device, deleted ones are not", { timeout: 3 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  await ready(page);
  const turn = async (device) => {
    await page.locator("#facts label", { hasText: device }).click();
    await page.waitForFunction(() => document.getElementById("running").dataset.stage !== "ready");
    await ready(page);
  };
  await page.locator("#own-files").setInputFiles(pngs(0, 4));
  await hasSize(page, 4);
  await deleteOne(page, mine(page).first());
  await hasSize(page, 3);
  await turn("WebAssembly");
  await hasSize(page, 3);
  // Kept for a while, then no longer: nothing is in the store.
  await keep(page).check();
  await until(async () => /Kept/.test(await status(page).innerText()), "the page does not say that they are kept");
  await keep(page).uncheck();
  await until(async () => /No longer/.test(await status(page).innerText()), "the page does not say that they are kept no longer");
  await deleteOne(page, mine(page).first());
  await hasSize(page, 2);
  await turn("Automatic");
  await hasSize(page, 2);
  assert.equal(await mine(page).first().locator(".words").innerText(), "2.png");
  await page.reload();
  await ready(page);
  assert.equal(await size(page), 0, "kept although the visitor took that back");
});

test("demo page: pictures go into a file and come back from it", { timeout: 3 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  await ready(page);
  await page.locator("#own-files").setInputFiles(pngs(0, 5));
  await hasSize(page, 5);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as a file" }).click()]);
  const path = join(scratchFolder(), "my-pictures.tar");
  await download.saveAs(path);
  const other = await open(t, server.url);
  await ready(other);
  await other.locator("#own-files").setInputFiles(path);
  await hasSize(other, 5);
  assert.equal(await mine(other).first().locator(".words").innerText(), "0.png");
  await other.locator("#own-files").setInputFiles({ name: "broken.tar", mimeType: "application/x-tar", buffer: Buffer.from("no") });
  await until(async () => /broken\.tar/.test(await status(other).innerText()), "a broken file is not named");
  assert.equal(await size(other), 5);
});
