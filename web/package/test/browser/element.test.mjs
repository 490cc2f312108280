// <avse-search> in a real browser, with the fake engine.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { png, write } from "../fixtures.mjs";
import { browserTests } from "./chromium.mjs";

const it = browserTests();

/** A page with this body, once the element's script is there; its events are collected in `events`. */
async function open(context, body, options = {}) {
  const name = `page-${Math.random().toString(36).slice(2)}.html`;
  await write(it.root, {
    [name]: `<!doctype html><meta charset=utf-8><title>test</title><script type="module" src="events.js"></script>
      <script type="module" src="avse-web/element.js"></script>${body}`,
    "events.js": `globalThis.events = [];
      for (const type of ["avse-ready", "avse-results", "avse-select", "avse-error"])
        addEventListener(type, ({ detail, target }) => events.push({ type, id: target.id, text: detail.text, key: detail.key, code: detail.code, hits: detail.hits?.map(({ key }) => key) }));`,
  });
  const server = await it.serve(context, options.server);
  const page = await it.page(context, `${server.url}${name}`, options.page);
  return { page, server };
}

const seen = (page, type, count = 1) =>
  page.waitForFunction(([type, count]) => events.filter((event) => event.type === type).length >= count, [type, count], { timeout: 5000 });
const events = (page, type) => page.evaluate((type) => events.filter((event) => event.type === type), type);
const ELEMENT = '<avse-search id="one" model="export/" gallery="export/pictures/" device="wasm" k="3" placeholder="What?"></avse-search>';

test("typing gives results, with pictures, under the strict policy", async (context) => {
  const { page } = await open(context, ELEMENT);
  await seen(page, "avse-ready");
  const input = page.getByRole("searchbox", { name: "What?" });
  await input.pressSequentially("green", { delay: 10 });
  await seen(page, "avse-results");
  const results = await events(page, "avse-results");
  assert.deepEqual(results.map(({ text }) => text), ["green"], "one search for what was typed at one go");
  assert.equal(results[0].hits[0], "green.png");
  const buttons = page.locator("avse-search").getByRole("button", { name: /square/ });
  assert.equal(await buttons.count(), 3);
  assert.match(await buttons.first().innerText(), /a green square/);
  await page.waitForFunction(() => [...document.querySelector("avse-search").shadowRoot.querySelectorAll("img")].every((image) => image.naturalWidth === 8));
  assert.equal(await page.getByRole("status").innerText(), "3 results for “green”");
  // The style sheet is there: nothing of it needs a permission.
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector("avse-search").shadowRoot.querySelector(".grid")).display), "grid");
  await input.fill("");
  await page.waitForFunction(() => document.querySelector("avse-search").shadowRoot.querySelectorAll(".item").length === 0);
  assert.deepEqual(page.errors.filter((text) => !/404/.test(text)), []);
});

test("what is typed over is dropped: only the last question shows", async (context) => {
  const { page } = await open(context, ELEMENT);
  await seen(page, "avse-ready");
  await page.evaluate(async () => {
    const element = document.querySelector("avse-search");
    const slow = element.search("slow red");
    const first = element.search("blue");
    await Promise.all([slow, first]).then((found) => (globalThis.found = found.map((result) => result?.hits[0].key ?? null)));
  });
  assert.deepEqual(await page.evaluate(() => found), [null, "blue.png"]);
  assert.deepEqual((await events(page, "avse-results")).map(({ text }) => text), ["blue"]);
  assert.deepEqual(await events(page, "avse-error"), []);
});

test("a search that takes its time is said to be running, and the next one too", async (context) => {
  const { page } = await open(context, ELEMENT);
  await seen(page, "avse-ready");
  const status = page.getByRole("status");
  await page.evaluate(() => document.querySelector("avse-search").search("green"));
  assert.equal(await status.innerText(), "3 results for “green”");
  await page.getByRole("searchbox").fill("slower red");
  await page.waitForFunction(() => document.querySelector("avse-search").shadowRoot.querySelector("[role=status]").textContent === "Searching …", null, { timeout: 3000 });
  // The one that runs cannot be stopped in the engine; the one after it waits, and is said to.
  await page.getByRole("searchbox").fill("blue");
  await page.waitForTimeout(100);
  assert.equal(await status.innerText(), "Searching …");
  await seen(page, "avse-results", 2);
  assert.equal(await status.innerText(), "3 results for “blue”");
});

test("the keyboard reaches everything", async (context) => {
  const { page } = await open(context, ELEMENT.replace('k="3"', 'k="5"'), { page: { viewport: { width: 480, height: 800 } } });
  await seen(page, "avse-ready");
  const input = page.getByRole("searchbox");
  await input.fill("red");
  await input.press("Enter");
  await seen(page, "avse-results");
  const focused = () => page.evaluate(() => {
    const root = document.querySelector("avse-search").shadowRoot;
    return [...root.querySelectorAll(".item")].indexOf(root.activeElement);
  });
  const press = async (key) => (await page.keyboard.press(key), focused());
  assert.equal(await press("ArrowDown"), 0);
  assert.equal(await press("ArrowRight"), 1);
  assert.equal(await press("End"), 4);
  assert.equal(await press("ArrowRight"), 4);
  assert.equal(await press("Home"), 0);
  const columns = await page.evaluate(() => getComputedStyle(document.querySelector("avse-search").shadowRoot.querySelector(".grid")).gridTemplateColumns.split(" ").length);
  assert.ok(columns > 1 && columns < 5, `${columns} columns`);
  assert.equal(await press("ArrowDown"), columns);
  assert.equal(await press("ArrowUp"), 0);
  await press("Enter");
  assert.deepEqual((await events(page, "avse-select")).map(({ key }) => key), ["red.png"]);
  // One stop for the tab key in the whole grid.
  assert.equal(await page.evaluate(() => document.querySelector("avse-search").shadowRoot.querySelectorAll('.item[tabindex="0"]').length), 1);
  assert.equal(await press("ArrowUp"), -1);
  assert.equal(await input.evaluate((element) => element.matches(":focus")), true);
});

test("buttons of rows that stay are not made anew, and keep the focus", async (context) => {
  const { page } = await open(context, ELEMENT.replace('k="3"', 'k="5"'));
  await seen(page, "avse-ready");
  const kept = await page.evaluate(async () => {
    const element = document.querySelector("avse-search");
    await element.search("red");
    const before = [...element.shadowRoot.querySelectorAll(".item")];
    before[0].focus();
    await element.search("red things");
    const after = [...element.shadowRoot.querySelectorAll(".item")];
    const focus = element.shadowRoot.activeElement === before[0];
    await element.search("blue");
    const moved = [...element.shadowRoot.querySelectorAll(".item")];
    return [before.every((button, at) => button === after[at]), focus, moved.every((button) => before.includes(button)), moved[0].textContent];
  });
  assert.deepEqual(kept.slice(0, 3), [true, true, true]);
  assert.match(kept[3], /blue/);
});

test("pictures are taken by drop, paste and choice", async (context) => {
  const { page } = await open(context, ELEMENT.replace("export/pictures/", "export/captions/"));
  await seen(page, "avse-ready");
  const blue = png(9, 9, () => [0, 0, 255, 255]);
  const give = (type, at) => page.evaluate(async ([type, at, content]) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], "blue.png", { type: "image/png" }));
    const init = { bubbles: true, cancelable: true, composed: true };
    const event = type === "paste" ? new ClipboardEvent(type, { ...init, clipboardData: data }) : new DragEvent(type, { ...init, dataTransfer: data });
    document.querySelector("avse-search").shadowRoot.querySelector(at).dispatchEvent(event);
  }, [type, at, blue.toString("base64")]);
  await give("drop", ".grid");
  await seen(page, "avse-results", 1);
  await give("paste", "input");
  await seen(page, "avse-results", 2);
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Search with a picture" }).click();
  await (await chooser).setFiles({ name: "blue.png", mimeType: "image/png", buffer: blue });
  await seen(page, "avse-results", 3);
  for (const { text, hits } of await events(page, "avse-results")) assert.deepEqual([text, hits[0]], [null, "about blue"]);
  assert.equal(await page.locator("avse-search img").count(), 0, "captions are shown as text");
  await page.evaluate(() => document.querySelector("avse-search").search(new File(["<svg/>"], "evil.svg", { type: "image/svg+xml" })));
  assert.equal((await events(page, "avse-error"))[0].code, "image");
  assert.match(await page.getByRole("alert").innerText(), /evil\.svg/);
});

test("text stays text in a field, though a picture comes with it", async (context) => {
  const around = `<div contenteditable>${ELEMENT.replace('id="one"', 'id="two"')}</div>`;
  const { page } = await open(context, ELEMENT.replaceAll("export/pictures/", "export/captions/") + around.replaceAll("export/pictures/", "export/captions/"));
  await seen(page, "avse-ready", 2);
  const blue = png(9, 9, () => [0, 0, 255, 255]).toString("base64");
  /** Gives a picture with this text to the element's part `at`; whether the browser may do what it does by itself. */
  const give = (type, text, at = "input", element = "one", name = "image.png") => page.evaluate(([type, text, at, element, name, content]) => {
    const data = new DataTransfer();
    for (const [kind, value] of Object.entries(text)) data.setData(kind, value);
    data.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name, { type: "image/png" }));
    const init = { bubbles: true, cancelable: true, composed: true };
    const event = type === "paste" ? new ClipboardEvent(type, { ...init, clipboardData: data }) : new DragEvent(type, { ...init, dataTransfer: data });
    return document.querySelector(`#${element}`).shadowRoot.querySelector(at).dispatchEvent(event);
  }, [type, text, at, element, name, blue]);
  const cells = { "text/plain": "red\tgreen", "text/html": "<table></table>" };
  for (const type of ["paste", "dragover", "drop"]) {
    assert.equal(await give(type, cells), true, `${type} into the field`);
    assert.equal(await give(type, cells, ".grid", "two"), true, `${type} where the page's own text is edited`);
  }
  await page.waitForTimeout(200);
  assert.deepEqual(await events(page, "avse-results"), [], "a picture was searched for");
  // The picture is meant when there is no text, or the text is only its address or name, or where no text can go.
  let found = 0;
  for (const type of ["paste", "drop"]) {
    for (const rest of [[{ "text/html": "<img>" }], [{ "text/plain": "http://a/b.png", "text/uri-list": "http://a/b.png" }], [{ "text/plain": "blue.png" }, "input", "one", "blue.png"], [cells, ".grid"]]) {
      assert.equal(await give(type, ...rest), false, `${type} ${JSON.stringify(rest)}`);
      await seen(page, "avse-results", ++found);
    }
  }
});

test("two elements share a model, and it ends a while after the last of them has gone", async (context) => {
  const pool = await readFile(new URL("../../dist/element-pool.js", import.meta.url), "utf8");
  assert.match(pool, /IDLE = 30_000/);
  const intercept = ({ path }) => (path.endsWith("/element-pool.js") ? { body: pool.replace("30_000", "50") } : undefined);
  const { page, server } = await open(context, ELEMENT + ELEMENT.replace('id="one"', 'id="two"'), { server: { intercept } });
  await seen(page, "avse-ready", 2);
  assert.equal(page.workers().length, 1);
  assert.equal(server.requests.filter((path) => path === "/export/model/model.safetensors").length, 1);
  const found = await page.evaluate(async () => {
    const [one, two] = document.querySelectorAll("avse-search");
    const both = await Promise.all([one.search("red"), two.search("blue")]);
    // Moved within the page it keeps what it has.
    document.body.append(one);
    await new Promise((done) => setTimeout(done, 50));
    one.remove();
    await new Promise((done) => setTimeout(done, 50));
    const still = await two.search("green");
    return [...both, still].map(({ hits }) => hits[0].key);
  });
  assert.deepEqual(found, ["red.png", "blue.png", "green.png"]);
  await page.evaluate(() => document.querySelector("avse-search").remove());
  await page.waitForTimeout(200);
  assert.equal(page.workers().length, 0);
  // And an element that comes later begins anew.
  await page.evaluate((html) => document.body.insertAdjacentHTML("beforeend", html), ELEMENT);
  await seen(page, "avse-ready", 3);
  assert.equal(page.workers().length, 1);
});

test("an element that is put back later finds its model still there, and another model takes its place", async (context) => {
  const { page, server } = await open(context, ELEMENT);
  await seen(page, "avse-ready");
  const before = server.requests.length;
  const worker = page.workers()[0];
  await page.evaluate(async () => {
    const element = document.querySelector("avse-search");
    element.remove();
    await new Promise((done) => setTimeout(done, 300));
    document.body.append(element);
    globalThis.found = (await element.search("red")).hits[0].key;
    // Another gallery of the same model.
    element.setAttribute("gallery", "export/captions/");
    globalThis.other = (await element.search("red")).hits[0].key;
  });
  assert.deepEqual(await page.evaluate(() => [found, other]), ["red.png", "about red"]);
  assert.ok(page.workers().length === 1 && page.workers()[0] === worker, "another worker was started");
  // Thumbnails follow in the background.
  const again = server.requests.slice(before).filter((path) => !/captions\/|thumbnails\./.test(path));
  assert.deepEqual(again, [], "something was fetched again");
  // Two models at once would need twice the memory.
  await page.evaluate(() => document.querySelector("avse-search").setAttribute("model", "export/model/"));
  await seen(page, "avse-ready", 4);
  assert.equal(page.workers().length, 1);
  assert.ok(page.workers()[0] !== worker);
});

test("on a dark page the element is dark, however the page says so", async (context) => {
  const shades = (page) => page.evaluate(() => {
    const luminance = (colour) => {
      const canvas = new OffscreenCanvas(1, 1).getContext("2d");
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      return a === 0 ? null : (0.299 * r + 0.587 * g + 0.114 * b) / 255;
    };
    const root = document.querySelector("avse-search").shadowRoot;
    const style = (at) => getComputedStyle(root.querySelector(at));
    return { ground: luminance(style("input").backgroundColor), text: luminance(style("input").color), error: luminance(style(".error").color) };
  });
  for (const dark of ["body { background: #111; color: #eee }", ":root { color-scheme: dark }"]) {
    // The strict policy has no inline styles.
    const { page } = await open(context, `<style>${dark}</style>${ELEMENT}`, { server: { csp: null } });
    await seen(page, "avse-ready");
    const { ground, text, error } = await shades(page);
    assert.ok(ground === null || ground < 0.3, `${dark}: the field is ${ground}`);
    assert.ok(text > 0.8, `${dark}: its text is ${text}`);
    assert.ok(error > 0.4, `${dark}: errors are ${error}`);
  }
  const { page } = await open(context, ELEMENT);
  await seen(page, "avse-ready");
  const { text, error } = await shades(page);
  assert.ok(text < 0.2 && error < 0.4, `on a light page: text ${text}, errors ${error}`);
});

test("an element that goes while it loads fetches no further and reports nothing", async (context) => {
  const { page } = await open(context, ELEMENT, { server: { intercept: ({ path }) => (path.endsWith("safetensors") ? { pause: 2000 } : undefined) } });
  await page.waitForFunction(() => document.querySelector("avse-search").shadowRoot?.querySelector("progress")?.hidden === false);
  await page.evaluate(() => document.querySelector("avse-search").remove());
  await page.waitForTimeout(300);
  assert.equal(page.workers().length, 0);
  assert.deepEqual([await events(page, "avse-error"), await events(page, "avse-ready")], [[], []]);
  assert.deepEqual(page.errors.filter((text) => !/404/.test(text)), []);
});

test("a failed load is shown, and can be tried again", async (context) => {
  let broken = true;
  const intercept = ({ path }) => (broken && path.endsWith("tokenizer.json") ? { status: 500 } : undefined);
  const { page } = await open(context, ELEMENT, { server: { intercept } });
  await seen(page, "avse-error");
  assert.equal((await events(page, "avse-error"))[0].code, "network");
  assert.match(await page.getByRole("alert").innerText(), /tokenizer\.json: HTTP 500/);
  // What was typed meanwhile is asked when it works again.
  await page.getByRole("searchbox").fill("red");
  await seen(page, "avse-error", 2);
  broken = false;
  await page.getByRole("button", { name: "Try again" }).click();
  await seen(page, "avse-results");
  assert.equal(await page.getByRole("alert").count(), 0);
});

test("lazy ones wait until they are seen; attributes may come later and change", async (context) => {
  const lazy = ELEMENT.replace("<avse-search", "<avse-search lazy").replace(' gallery="export/pictures/"', "");
  const { page, server } = await open(context, `${"<br>".repeat(300)}${lazy}`);
  await page.waitForTimeout(200);
  assert.equal(server.requests.some((path) => path.startsWith("/export/")), false);
  await page.evaluate(() => document.querySelector("avse-search").scrollIntoView());
  await seen(page, "avse-ready");
  await page.evaluate(() => document.querySelector("avse-search").search("red"));
  assert.equal((await events(page, "avse-results"))[0].hits[0], "red.png", "the export's first gallery");
  await page.evaluate(() => document.querySelector("avse-search").setAttribute("gallery", "export/captions/"));
  await seen(page, "avse-results", 2);
  assert.equal((await events(page, "avse-results"))[1].hits[0], "about red");
  await page.evaluate(() => document.querySelector("avse-search").setAttribute("k", "1"));
  await seen(page, "avse-results", 3);
  assert.equal((await events(page, "avse-results"))[2].hits.length, 1);
});

test("one script tag from another origin is enough", async (context) => {
  const other = await it.serve(context, { cors: true });
  const csp = `default-src 'self'; script-src 'self' ${other.url} 'wasm-unsafe-eval'; connect-src 'self' ${other.url}; worker-src blob:; img-src blob:`;
  await write(it.root, {
    "foreign.html": `<!doctype html><title>test</title><script type="module" src="events.js"></script>
      <script type="module" src="${other.url}avse-web/element.js"></script>
      <avse-search model="${other.url}export/" device="wasm"></avse-search>`,
  });
  const server = await it.serve(context, { csp });
  const page = await it.page(context, `${server.url}foreign.html`);
  await seen(page, "avse-ready");
  await page.getByRole("searchbox").fill("blue");
  await seen(page, "avse-results");
  assert.equal((await events(page, "avse-results"))[0].hits[0], "blue.png");
});
