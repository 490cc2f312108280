// The package from another origin than the page: the worker starts through a small script of the page's own.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, PATIENCE, until } from "./support/browser.mjs";
import { site } from "./support/server.mjs";

const policy = (other, worker) =>
  `default-src 'none'; script-src 'self' ${other} 'wasm-unsafe-eval'; connect-src ${other}; img-src blob:; worker-src ${worker}`;

/** A page of one origin whose element, model and gallery are of another one. */
async function pageWithElement(t, worker) {
  const other = await site(t, { cors: true, csp: null });
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>elsewhere</title>
    <script type="module" src="${other.url}avse-web/element.js"></script>
    <avse-search model="${other.url}tiny/" gallery="${other.url}tiny/pictures/" device="wasm" placeholder="Find" k="5"></avse-search></html>`;
  const own = await site(t, { pages: { "elsewhere.html": html }, csp: policy(other.url, worker) });
  const page = await open(t, `${own.url}pages/elsewhere.html`);
  return { page, own, other };
}

test("an element from another origin works where the policy allows it", { timeout: 2 * PATIENCE }, async (t) => {
  const { page, own, other } = await pageWithElement(t, "blob:");
  await page.getByRole("searchbox", { name: "Find" }).fill("a picture");
  const results = page.locator("avse-search").getByRole("group", { name: "Results" }).getByRole("button");
  await until(async () => (await results.count()) === 5, "the element found nothing");
  await page.waitForFunction(() => [...document.querySelector("avse-search").shadowRoot.querySelectorAll("img")].every(({ naturalWidth }) => naturalWidth > 0));
  assert.ok(other.requests.includes("/avse-web/worker.js"), "the worker's script did not come from the other origin");
  assert.deepEqual(own.requests.filter((path) => !path.startsWith("/pages/") && path !== "/favicon.ico"), [], "the page's own origin was asked for the package");
  assert.deepEqual(page.complaints.filter((text) => !text.includes("favicon")), []);
});

test("where the policy forbids the worker, the element says so", { timeout: 2 * PATIENCE }, async (t) => {
  const { page } = await pageWithElement(t, "'none'");
  const alert = page.locator("avse-search").getByRole("alert");
  await until(async () => /worker-src/.test(await alert.innerText()), "the error does not name worker-src");
});
