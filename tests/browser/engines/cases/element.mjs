// `<avse-search>`, and the package where a page is not one of the usual kind.

import assert from "node:assert/strict";

import { until } from "../../support/browser.mjs";
import { STRICT_CSP } from "../../support/server.mjs";

const page = (content) => `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>element</title>${content}</html>`;
const element = (base) => page(`<script type="module" src="${base}avse-web/element.js"></script>
  <avse-search model="${base}tiny/" gallery="${base}tiny/pictures/" device="wasm" placeholder="Find" k="5"></avse-search>`);

/** Types into the element, and waits for its pictures. */
async function typeAndFind(page) {
  await until(() => page.run(() => !!document.querySelector("avse-search")?.shadowRoot?.querySelector("input")), "the element has no field");
  await page.run(() => document.querySelector("avse-search").shadowRoot.querySelector("input").focus());
  await page.keys("a picture");
  const seen = () => page.run(() => {
    const { shadowRoot } = document.querySelector("avse-search");
    const images = [...shadowRoot.querySelectorAll("button img")];
    const error = shadowRoot.querySelector("[role=alert]")?.textContent ?? "";
    return { drawn: images.filter(({ naturalWidth }) => naturalWidth > 0).length, error };
  });
  await until(async () => {
    const { drawn, error } = await seen();
    assert.equal(error, "", "the element reports an error");
    return drawn === 5;
  }, "the element shows no pictures");
}

export const ELEMENT = {
  async setup({ site, open }) {
    const server = await site({ pages: { "element.html": element("/") } });
    return { page: await open(`${server.url}pages/element.html`) };
  },
  rows: {
    async "`<avse-search>`, asked by the keyboard"({ page }) {
      await typeAndFind(page);
      const chosen = await page.run(async () => {
        const element = document.querySelector("avse-search");
        const selected = new Promise((resolve) => element.addEventListener("avse-select", ({ detail }) => resolve(detail.index), { once: true }));
        const first = element.shadowRoot.querySelector("button img").closest("button");
        first.click();
        return selected;
      });
      assert.ok(Number.isInteger(chosen), "choosing a picture tells nobody");
      assert.deepEqual(await page.complaints, []);
    },
  },
};

export const ELSEWHERE = {
  async setup({ site, open }) {
    const other = await site({ cors: true, csp: null });
    // What the README asks for.
    const csp = `default-src 'none'; script-src 'self' ${other.url} 'wasm-unsafe-eval'; connect-src ${other.url}; img-src blob: data:; worker-src blob: ${other.url}`;
    const own = await site({ pages: { "elsewhere.html": element(other.url) }, csp });
    return { own, page: await open(`${own.url}pages/elsewhere.html`) };
  },
  rows: {
    async "… all of it from another origin"({ own, page }) {
      await typeAndFind(page);
      assert.deepEqual(own.requests.filter((path) => !path.startsWith("/pages/") && path !== "/favicon.ico"), []);
    },
  },
};

export const TRUSTED = {
  async setup({ site, open }) {
    const csp = `${STRICT_CSP}; require-trusted-types-for 'script'; trusted-types avse-web`;
    const server = await site({ pages: { "element.html": element("/") }, csp });
    return { page: await open(`${server.url}pages/element.html`) };
  },
  rows: {
    async "… where a policy asks for Trusted Types"({ page }) {
      await typeAndFind(page);
    },
  },
};

const INNER = `
  const tell = (answer) => parent.postMessage(answer, "*");
  try {
    const { Avse, Gallery } = await import("/avse-web/index.js");
    const avse = await Avse.load("/tiny/", { device: "wasm" });
    const { hits } = await avse.searchText(await avse.openGallery("/tiny/pictures/"), "a picture");
    const mine = await Gallery.create(avse);
    const bitmap = await new Promise((done) => Object.assign(document.createElement("canvas"), { width: 40, height: 40 }).toBlob(done));
    await mine.add(bitmap);
    tell({ hits: hits.length, own: mine.size });
  } catch (error) {
    tell({ error: error.code + ": " + error.message });
  }`;

export const SANDBOX = {
  async setup({ site, open }) {
    // A sandboxed page is of no origin, so that its own server is another one to it.
    const server = await site({
      cors: true,
      csp: null,
      pages: {
        "outer.html": page(`<script src="outer.js"></script><iframe title="inner" sandbox="allow-scripts" src="inner.html"></iframe>`),
        "outer.js": `addEventListener("message", ({ data }) => (globalThis.answer = data));`,
        "inner.html": page(`<script type="module" src="inner.js"></script>`),
        "inner.js": INNER,
      },
    });
    return { page: await open(`${server.url}pages/outer.html`) };
  },
  rows: {
    async "in `<iframe sandbox=\"allow-scripts\">`"({ page }) {
      const answer = await until(() => page.run(() => globalThis.answer ?? null), "the frame never answered");
      assert.deepEqual(answer, { hits: 10, own: 1 });
    },
  },
};
