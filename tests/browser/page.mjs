// The demo page, under the policy that it has to live with.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { open, PATIENCE, until } from "./support/browser.mjs";
import { drawing } from "./support/pictures.mjs";
import { pictures, ready, sentences } from "./support/demo.mjs";
import { site } from "./support/server.mjs";
import { tiny } from "./support/tiny.mjs";

test("demo page: pictures while typing, nothing refused, nothing from elsewhere", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  await ready(page);
  const input = page.getByLabel("Describe a picture");
  await input.pressSequentially("an angry", { delay: 30 });
  const first = await until(() => pictures(page), "no pictures came while typing");
  await input.pressSequentially(" cat", { delay: 30 });
  const second = await until(async () => {
    const now = await pictures(page);
    return now && now.join() !== first.join() && now;
  }, "the pictures did not follow what was typed");
  assert.equal(second.length, 24);
  // The pictures themselves, not only their frames.
  await page.waitForFunction(() => {
    const images = [...document.querySelectorAll("#found .tile img")];
    return images.length > 0 && images.every((image) => image.complete && image.naturalWidth > 0);
  });
  assert.match(page.url(), /[?&]q=an(\+|%20)angry(\+|%20)cat/, "the address does not name the question");
  assert.deepEqual(page.complaints, [], "the page complained");
  assert.deepEqual(page.foreign, [], "the page asked another host");
  const fetched = server.requests.filter((path) => path.endsWith("model.safetensors"));
  assert.equal(fetched.length, 1, "the model was not fetched exactly once");
});

test("demo page: a first visit waits for no waves of scripts", { timeout: 2 * PATIENCE }, async (t) => {
  // The gallery that a first sentence is looked up in comes with the model, not behind it: the model waits for it here.
  let come;
  const pictures = new Promise((resolve) => (come = resolve));
  const intercept = async ({ path }) => {
    if (path.endsWith("/pictures/embeddings.safetensors")) come();
    if (path.endsWith("/model/model.safetensors")) await pictures;
  };
  const server = await site(t, { intercept });
  const page = await open(t, server.empty);
  // Without the service worker, which asks for what later visits need.
  const asked = [];
  page.context().on("request", (request) => !request.serviceWorker() && asked.push(new URL(request.url()).pathname));
  await page.goto(server.url);
  await ready(page);
  const scripts = [...new Set(asked.filter((path) => path.endsWith(".js")))].sort();
  assert.deepEqual(scripts.filter((path) => path !== "/sw.js"), ["/avse-web/wasm/cpu/avse_web.js", "/avse-web/worker.js", "/main.js", "/theme-first.js"]);
});

test("demo page: a question in the address is asked once", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  await page.addInitScript(() => {
    globalThis.calls = [];
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message, ...rest) {
      globalThis.calls.push(message.name ?? message.type);
      return post.call(this, message, ...rest);
    };
  });
  await page.goto(`${server.url}?q=ghost`);
  await until(() => pictures(page), "no pictures for the question in the address");
  const calls = await page.evaluate(() => calls);
  // What the answer does not need comes behind it.
  const before = calls.slice(0, calls.indexOf("search"));
  assert.deepEqual(before, ["load", "openGallery", "encode"]);
  // Once more, for the time of a warm question, and never given up.
  await until(async () => (await page.evaluate(() => calls)).includes("createGallery"), "the visitor's own pictures were not opened");
  assert.equal((await page.evaluate(() => calls)).includes("abort"), false, "the question was given up and asked again");
});

test("demo page: with a question in the address nothing jumps while it loads", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty, { viewport: { width: 412, height: 823 } });
  await page.addInitScript(() => {
    globalThis.shift = 0;
    new PerformanceObserver((list) => {
      for (const { value } of list.getEntries()) globalThis.shift += value;
    }).observe({ type: "layout-shift", buffered: true });
  });
  await page.goto(`${server.url}?q=ghost`);
  await until(() => pictures(page), "no pictures for the question in the address");
  await ready(page);
  const shift = await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(shift)))));
  t.diagnostic(`layout shift ${shift.toFixed(3)}`);
  assert.ok(shift < 0.1, `the page jumped by ${shift}`);
});

test("demo page: a picture finds sentences, by picker, drop and paste", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  await ready(page);
  const file = { name: "pattern.png", mimeType: "image/png", buffer: drawing(2, 96, 96) };
  await page.locator("#pick").setInputFiles(file);
  const picked = await until(() => sentences(page), "no sentences for a picked picture");
  const other = drawing(5, 96, 96).toString("base64");
  for (const way of ["drop", "paste"]) {
    await page.goto(server.url);
    await ready(page);
    await page.evaluate(
      ([way, content]) => {
        const data = new DataTransfer();
        data.items.add(file(content, "other.png", "image/png"));
        const how = { bubbles: true, cancelable: true, composed: true };
        const event = way === "drop" ? new DragEvent("drop", { ...how, dataTransfer: data }) : new ClipboardEvent("paste", { ...how, clipboardData: data });
        document.body.dispatchEvent(event);
      },
      [way, other],
    );
    const found = await until(() => sentences(page), `no sentences for a picture by ${way}`);
    assert.notDeepEqual(found, picked, "another picture, the same sentences");
  }
  assert.deepEqual(page.complaints, [], "the page complained");
  assert.deepEqual(page.foreign, [], "the page asked another host");
});

test("demo page: text stays text in the field, though a picture comes with it", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  await ready(page);
  const give = (type, at, text) =>
    page.evaluate(
      ([type, at, text, content]) => {
        const data = new DataTransfer();
        for (const [kind, value] of Object.entries(text)) data.setData(kind, value);
        data.items.add(file(content, "image.png", "image/png"));
        const how = { bubbles: true, cancelable: true, composed: true };
        const event = type === "paste" ? new ClipboardEvent(type, { ...how, clipboardData: data }) : new DragEvent(type, { ...how, dataTransfer: data });
        return document.querySelector(at).dispatchEvent(event);
      },
      [type, at, text, drawing(3, 96, 96).toString("base64")],
    );
  const cells = { "text/plain": "angry\tcat", "text/html": "<table></table>" };
  for (const type of ["paste", "dragover", "drop"]) assert.equal(await give(type, "#sentence", cells), true, `${type}: the field did not get its text`);
  // For real: what the clipboard holds comes into the field.
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.evaluate(async (content) => {
    const picture = new Blob([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], { type: "image/png" });
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": new Blob(["angry cat"], { type: "text/plain" }), "image/png": picture })]);
  }, drawing(3, 96, 96).toString("base64"));
  await page.locator("#sentence").focus();
  await page.keyboard.press("Control+V");
  await until(async () => (await page.locator("#sentence").inputValue()) === "angry cat", "the pasted text was lost");
  await until(() => pictures(page), "no pictures for the pasted text");
  assert.equal(await give("paste", "#sentence", { "text/html": "<img>" }), false, "a picture alone was not taken");
  await until(() => sentences(page), "no sentences for a picture that was pasted into the field");
});

test("demo page: what is no picture is said in words, and the page goes on", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  await ready(page);
  await page.locator("#pick").setInputFiles({ name: "words.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
  const alert = page.locator("#trouble");
  await until(async () => /not a picture/i.test(await alert.innerText()), "the page did not say that the file is no picture");
  const { pictures: sound } = await tiny();
  await page.locator("#pick").setInputFiles({ name: "sound.png", mimeType: "image/png", buffer: await readFile(sound[0]) });
  await until(() => sentences(page), "no sentences after a broken picture");
  assert.equal(await alert.isVisible(), false, "the error stayed");
});

test("demo page: the time it shows is a warm question's", { timeout: 2 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  await ready(page);
  // As where a first question compiles what it runs: it takes 5 seconds longer than the others.
  await page.evaluate(() => {
    const post = Worker.prototype.postMessage;
    let first = true;
    Worker.prototype.postMessage = function (message, ...rest) {
      if (message.name !== "encode" || !first) return post.call(this, message, ...rest);
      first = false;
      setTimeout(() => post.call(this, message, ...rest), 5000);
    };
  });
  await page.getByLabel("Describe a picture").fill("ghost");
  const time = page.locator("#found .line");
  await until(async () => (await pictures(page)) && / in [5-9]\.\d s /.test(await time.innerText()), "the first question was not slow: the test shows nothing");
  await until(async () => / in ([0-4]\.\d s|[\d.]+ ms) /.test(await time.innerText()), "the time stayed that of the first question");
});
