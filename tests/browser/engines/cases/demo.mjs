// The demo page's main path, as a visitor goes it.

import assert from "node:assert/strict";
import { join } from "node:path";

import { PATIENCE, until } from "../../support/browser.mjs";
import { write } from "../../support/files.mjs";
import { scratchFolder } from "../../support/paths.mjs";
import { drawing } from "../../support/pictures.mjs";

const SEEDS = [41, 42, 43];

/** Waits until questions are answered and everything that the page wants is there. */
function ready(page) {
  const loaded = () => document.getElementById("running")?.dataset.stage === "ready" && document.getElementById("loading").hidden;
  return until(() => page.run(loaded), "the page never became ready");
}

/** Pictures that are drawn, not only framed, in the list of this name. */
function drawn(page, list) {
  return page.run((list) => {
    const images = [...document.querySelectorAll(`ul[aria-label="${list}"] img`)];
    return images.filter(({ naturalWidth }) => naturalWidth > 0).length;
  }, list);
}

async function ask(page, sentence) {
  await page.run(() => {
    const field = document.getElementById("sentence");
    field.focus();
    field.select();
  });
  await page.keys(sentence);
  // Answers to what had been typed before are there earlier.
  const answered = () => page.run(() => document.getElementById("found").getAttribute("aria-busy") === "false");
  await until(answered, `"${sentence}" was never answered`);
  await until(async () => (await drawn(page, "Pictures, best first")) >= 6, `no pictures for "${sentence}"`);
}

const ownCount = (page) => page.run(() => document.querySelectorAll('ul[aria-label="Your pictures"] button.tile').length);

/* Runs in the page: the label of the box that keeps own pictures; null where the page offers none. */
const keepLabel = () => [...document.querySelectorAll("label")].find((label) => /keep/i.test(label.textContent) && label.querySelector("input[type=checkbox]")) ?? null;

let written;
/** Own pictures as files, written once for all engines: a browser does not read a file that has changed since it was chosen. */
const ownPictures = () => (written ??= Promise.all(SEEDS.map((seed) => write(join(scratchFolder(), "engines", `${seed}.png`), drawing(seed)))));

export const DEMO = {
  async setup({ site, open }) {
    const server = await site({});
    const page = await open(server.url);
    await ready(page);
    return { server, page };
  },
  rows: {
    async "demo page: a sentence is answered while it is typed, and why it matches"({ page }) {
      await ask(page, "an angry cat");
      await page.click(() => document.querySelector('ul[aria-label="Pictures, best first"] button'));
      const why = () => page.run(() => {
        const dialog = document.getElementById("explain");
        return { open: dialog.open, text: dialog.innerText, alert: !!dialog.querySelector("[role=alert]"), picture: (dialog.querySelector("img")?.naturalWidth ?? 0) > 0 };
      });
      const seen = await until(async () => {
        const now = await why();
        return now.picture && now;
      }, "the page does not show why a picture matches");
      assert.ok(seen.open && !seen.alert && /an angry cat/.test(seen.text), JSON.stringify(seen));
      await page.run(() => document.getElementById("explain").close());
      assert.deepEqual(await page.complaints, []);
    },

    async "demo page: own pictures are found"({ page }) {
      await page.files("#own-files", await ownPictures());
      const count = await until(async () => {
        const status = await page.run(() => document.querySelector("#own [role=status]")?.textContent ?? "");
        assert.doesNotMatch(status, /cannot|not run|not readable|closed/i);
        return (await ownCount(page)) === SEEDS.length;
      }, "the pictures did not appear");
      assert.ok(count);
      await ask(page, "a birthday cake");
      await until(async () => (await drawn(page, "Your pictures, best first")) === SEEDS.length, "a sentence does not look through own pictures");
    },

    async "demo page: own pictures are kept for the next visit"({ page, server }) {
      assert.equal(await ownCount(page), SEEDS.length, "there are no own pictures to keep");
      const box = () => page.run(`() => {
        const label = (${keepLabel})();
        const box = label?.querySelector("input");
        return { offered: !!box && !box.disabled && label.getClientRects().length > 0, checked: !!box?.checked };
      }`);
      if ((await box()).offered) {
        // Whatever the browser asks the visitor meanwhile stays without an answer.
        await page.click(keepLabel);
        const settled = () => page.run(() => /kept|cannot/i.test(document.querySelector("#own [role=status]")?.textContent ?? ""));
        await until(settled, "the page does not say whether the pictures are kept", PATIENCE / 4);
      }
      const promised = (await box()).checked;
      const said = await page.run(() => document.getElementById("own").innerText);
      await page.go(server.url);
      await ready(page);
      if (promised) {
        await until(async () => (await ownCount(page)) === SEEDS.length, "the page promised to keep the pictures, and they are gone", PATIENCE / 4);
        return undefined;
      }
      assert.equal(await ownCount(page), 0, "the pictures are kept although nobody asked for it");
      assert.match(said, /cannot be kept|gone when/i, "the page does not say that the pictures go");
      return "said to be gone";
    },

    async "demo page: opens again without a network"({ page, server }) {
      const worker = await page.run(() => !!navigator.serviceWorker);
      if (!worker) return "no service worker";
      const fact = () => page.run(() => [...document.querySelectorAll("#facts dl > div")].find(({ textContent }) => /^Offline/.test(textContent))?.textContent ?? "");
      await until(async () => /ready/.test(await fact()), "the page never said that it works offline");
      await server.close();
      await page.go(server.url);
      await ready(page);
      await ask(page, "a birthday cake");
    },
  },
};
