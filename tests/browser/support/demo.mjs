// The demo page as its visitors see it.

import { PATIENCE, until } from "./browser.mjs";

/** Waits until questions are answered and everything that the page wants is there. */
export async function ready(page) {
  await page.waitForFunction(() => document.getElementById("running")?.dataset.stage === "ready", null, { timeout: PATIENCE });
  await page.waitForFunction(() => document.getElementById("loading").hidden, null, { timeout: PATIENCE });
}

/** The names under the pictures of the answer, best first; null while there is none. */
export async function pictures(page) {
  const words = await page.locator('#found ul[aria-label="Pictures, best first"] .words').allInnerTexts();
  return words.length > 0 ? words : null;
}

/** The sentences of the answer, best first; null while there is none. */
export async function sentences(page) {
  const words = await page.locator("#found ol.sentences .words").allInnerTexts();
  return words.length > 0 ? words : null;
}

/** What the page says about a fact ("Offline", "Device"). */
export async function fact(page, term) {
  const entry = page.locator("#facts dl > div").filter({ has: page.locator("dt", { hasText: term }) });
  return (await entry.count()) > 0 ? entry.first().locator("dd").innerText() : "";
}

/** Waits until the page says that its next visit needs no network. */
export async function offlineReady(page) {
  await until(async () => /ready/.test(await fact(page, "Offline")), "the page never said that it works offline");
}
