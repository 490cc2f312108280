// Chromium, pages and servers for the browser tests.

import { join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";

import { chromium } from "playwright-core";

import { findChromium, QUIET } from "../../../tools/chromium.mjs";
import { serve } from "../../../tools/serve.mjs";
import { builds, exported, write } from "../fixtures.mjs";

const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));
/**
 * A browser and a folder with the fake engine's export, for all tests of a file. The package is served at `/avse-web/`,
 * the export at `/export/`, and `/` is an empty page under the strict policy. `flags` are further ones of the browser.
 */
export function browserTests({ flags = [] } = {}) {
  const it = { browser: null, root: null, files: null };
  before(async () => {
    it.browser = await chromium.launch({ executablePath: findChromium(), args: [...QUIET, ...flags] });
    it.root = await mkdtemp(join(tmpdir(), "avse-web-browser-"));
    it.files = { ...(await exported()), ...(await builds()), "index.html": "<!doctype html><meta charset=utf-8><title>test</title>" };
    await write(it.root, it.files);
  });
  after(async () => {
    await it.browser?.close();
    if (it.root) await rm(it.root, { recursive: true, force: true });
  });
  /** A server that ends with the test. */
  it.serve = async (context, options = {}) => {
    const mounts = { "/avse-web/wasm/": join(it.root, "wasm"), "/avse-web/": DIST };
    const server = await serve({ root: it.root, mounts, ...options });
    context.after(() => server.close());
    return server;
  };
  /** A page that ends with the test; what it reports as errors is collected in `page.errors`. */
  it.page = async (context, url, options = {}) => {
    const profile = await it.browser.newContext(options);
    context.after(() => profile.close());
    const page = await profile.newPage();
    page.errors = [];
    page.on("pageerror", (error) => page.errors.push(error.message));
    page.on("console", (message) => message.type() === "error" && page.errors.push(message.text()));
    await page.goto(url);
    return page;
  };
  /** A server and its page with the prelude. */
  it.ready = async (context, options = {}) => {
    const server = await it.serve(context, options);
    const page = await it.page(context, server.url);
    await page.evaluate(PRELUDE);
    return { server, page };
  };
  return it;
}

/** Runs in the page: what tests need there. */
export const PRELUDE = `
  globalThis.load = async (url = "/export/", options = {}) => {
    const { Avse, Gallery } = await import("/avse-web/index.js");
    return Object.assign(globalThis, { Avse, Gallery, avse: await Avse.load(url, { device: "wasm", ...options }) }).avse;
  };
  globalThis.failure = (promise) => promise.then(() => "no failure", ({ name, code, message, url }) => ({ name, code, message, url }));
  globalThis.file = (base64, name, type) => new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type });
`;
