// A smoke test of accessibility: names, the keyboard's way, what is read out.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, PATIENCE, until } from "./support/browser.mjs";
import { pictures, ready } from "./support/demo.mjs";
import { site } from "./support/server.mjs";

const CONTROLS = new Set([
  "button", "checkbox", "combobox", "link", "listbox", "menuitem", "option", "radio", "searchbox", "slider", "spinbutton", "switch", "tab", "textbox",
  "progressbar", "ProgressIndicator",
]);

/** The controls that assistive technology is told of and has no name for. */
async function nameless(page) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  await session.detach();
  const controls = nodes.filter(({ ignored, role }) => !ignored && CONTROLS.has(role?.value));
  assert.ok(controls.length > 0, "the page has no controls at all");
  return controls.filter(({ name }) => !name?.value?.trim()).map(({ role, nodeId }) => `${role.value} ${nodeId}`);
}

const focused = (page) =>
  page.evaluate(() => {
    const { activeElement: at } = document;
    return { tag: at.tagName, text: at.textContent.trim(), tile: at.matches("#found .tile"), inDialog: !!at.closest("dialog") };
  });

test("demo page: every control has a name, in all states", { timeout: 3 * PATIENCE }, async (t) => {
  // Slowly, so that the panel of the download is seen.
  const server = await site(t, { intercept: ({ path }) => (path.endsWith("model.safetensors") ? { pause: 60 } : undefined) });
  const page = await open(t, server.url);
  assert.deepEqual(await nameless(page), [], "while loading");
  await ready(page);
  await until(async () => (await page.locator("#found .tile").count()) > 0, "no pictures to begin with");
  assert.deepEqual(await nameless(page), [], "when ready");
  await page.getByLabel("Describe a picture").fill("a cat");
  await until(() => pictures(page), "no pictures");
  assert.deepEqual(await nameless(page), [], "with an answer");
  await page.locator("#found .tile").first().click();
  const why = page.getByRole("dialog", { name: "Why it matches" });
  await why.getByText("In numbers").click();
  await why.getByRole("button", { name: "Show numbers" }).waitFor();
  assert.deepEqual(await nameless(page), [], "in the explanation");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Draw one" }).click();
  assert.deepEqual(await nameless(page), [], "with the drawing pad");
  assert.equal(await page.evaluate(() => document.documentElement.lang), "en");
  assert.equal(await page.getByRole("main").count(), 1, "the page has no main part");
  assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1, "the page has no heading");
});

test("demo page: the keyboard alone goes from the question to an explanation and back", { timeout: 3 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.url);
  await ready(page);
  await page.keyboard.press("/");
  assert.equal((await focused(page)).tag, "INPUT", "the key / does not reach the question");
  await page.keyboard.type("an angry cat", { delay: 20 });
  // Answers come while typing, and what is read out follows when the typing has stopped.
  const words = await until(async () => {
    const [now, said] = [await pictures(page), await page.locator("#live").innerText()];
    const settled = (await page.locator("#found").getAttribute("aria-busy")) === "false" && /angry cat/.test(await page.title());
    return settled && now && said.includes(`best: ${now[0]}`) && now;
  }, "the best picture was not announced");
  assert.ok(["polite", "assertive"].includes(await page.locator("#live").getAttribute("aria-live")), "what is announced is not live");

  let at = await focused(page);
  for (let step = 0; step < 20 && !at.tile; step++) {
    await page.keyboard.press("Tab");
    at = await focused(page);
  }
  assert.ok(at.tile, "20 steps of the tab key reach no result");
  assert.ok(at.text.startsWith(words[0]), `the tab key reaches "${at.text}" first, not the best result`);
  await page.keyboard.press("ArrowRight");
  at = await focused(page);
  assert.ok(at.tile && at.text.startsWith(words[1]), `the arrow key goes to "${at.text}"`);
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Why it matches" });
  await dialog.getByRole("heading", { name: "How the model looked" }).waitFor();
  assert.ok((await focused(page)).inDialog, "the focus is not in the explanation");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  at = await focused(page);
  assert.ok(at.tile && at.text.startsWith(words[1]), "the focus does not come back to the result");
});

test("the element: names, keyboard, and what is read out", { timeout: 2 * PATIENCE }, async (t) => {
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>element</title><link rel="icon" href="data:,">
    <script type="module" src="/avse-web/element.js"></script><main>
    <avse-search model="/tiny/" gallery="/tiny/pictures/" device="wasm" placeholder="Find a pattern" k="6"></avse-search></main></html>`;
  const server = await site(t, { pages: { "element.html": html } });
  const page = await open(t, `${server.url}pages/element.html`);
  await page.evaluate(() => {
    globalThis.chosen = [];
    addEventListener("avse-select", ({ detail }) => chosen.push(detail.key));
    return document.querySelector("avse-search").load();
  });
  await page.keyboard.press("Tab");
  await page.keyboard.type("a picture", { delay: 20 });
  const status = page.getByRole("status");
  await until(async () => /6 results/.test(await status.innerText()), "the number of results is not read out");
  assert.equal(await page.getByRole("search").count(), 1, "the element is no search to assistive technology");
  assert.deepEqual(await nameless(page), []);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  const best = await page.evaluate(async () => {
    const { hits } = await document.querySelector("avse-search").search("a picture");
    return hits.map(({ key }) => key);
  });
  assert.deepEqual(await page.evaluate(() => chosen), [best[1]]);
  assert.deepEqual(page.complaints, []);
});
