// One Chromium for all tests, and pages in it.

import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

import { findChromium, QUIET, SOFTWARE_GPU } from "../../../web/tools/chromium.mjs";
import { ROOT } from "./paths.mjs";
import { PRELUDE } from "./prelude.mjs";

const { chromium } = createRequire(join(ROOT, "web/package.json"))("playwright-core");

/** For whatever a page waits for: slow machines are slow. In milliseconds. */
export const PATIENCE = 60_000;

let launched;

/** The browser, started by the first test that needs it. */
export function browser() {
  launched ??= chromium.launch({ executablePath: findChromium(), args: [...QUIET, ...SOFTWARE_GPU], timeout: PATIENCE });
  return launched;
}
after(async () => (await launched?.catch(() => null))?.close());

/**
 * A page in a profile of its own, which ends with the test.
 *
 * `page.complaints` collects what it reports: errors of scripts, of the console, broken policies. `page.foreign` collects
 * requests to any host but that of `url`.
 */
export async function open(t, url, options = {}) {
  const profile = await (await browser()).newContext(options);
  t.after(() => profile.close());
  return openIn(profile, url);
}

/** A further page in the same profile: a second visit. */
export async function openIn(profile, url) {
  const page = await profile.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.complaints = [];
  page.foreign = [];
  page.on("pageerror", (error) => page.complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") page.complaints.push(`${message.text()} (${message.location().url})`);
  });
  const { host } = new URL(url);
  profile.on("request", (request) => {
    const asked = new URL(request.url());
    if (!["blob:", "data:"].includes(asked.protocol) && asked.host !== host) page.foreign.push(request.url());
  });
  // By the protocol of the developer tools, so that no security policy is in the way.
  await page.addInitScript(PRELUDE);
  await page.goto(url, { waitUntil: "load", timeout: PATIENCE });
  return page;
}

/** Waits until `condition` holds; fails with `message` when it does not within a minute. */
export async function until(condition, message, patience = PATIENCE) {
  const end = Date.now() + patience;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${patience / 1000} s: ${typeof message === "function" ? message() : message}`);
    await sleep(50);
  }
}

/** Dedicated workers that a page has now, and their number. */
export function workers(page) {
  return page.workers().length;
}
