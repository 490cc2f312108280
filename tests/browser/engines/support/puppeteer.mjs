// Chromium by its own protocol and Firefox by WebDriver BiDi: Puppeteer speaks both.

import { createRequire } from "node:module";
import { join } from "node:path";

import { QUIET, SOFTWARE_GPU } from "../../../../web/tools/chromium.mjs";
import { PATIENCE } from "../../support/browser.mjs";
import { ROOT } from "../../support/paths.mjs";
import { clickFound } from "./click.mjs";

const { default: puppeteer } = createRequire(join(ROOT, "web/package.json"))("puppeteer-core");

export async function launchChromium(executablePath, mode) {
  const launched = await puppeteer.launch({ browser: "chrome", executablePath, args: [...QUIET, ...SOFTWARE_GPU], timeout: PATIENCE });
  // A further context is what an incognito window is: a profile in memory alone.
  return browser(launched, mode === "private" ? await launched.createBrowserContext() : launched.defaultBrowserContext());
}

export async function launchFirefox(executablePath, mode) {
  const extraPrefsFirefox = {
    // Every window is a private one.
    "browser.privatebrowsing.autostart": mode === "private",
    // The tests' server is all that there is: nothing is asked elsewhere.
    "network.captive-portal-service.enabled": false,
    "network.connectivity-service.enabled": false,
    "app.update.auto": false,
  };
  const launched = await puppeteer.launch({ browser: "firefox", executablePath, extraPrefsFirefox, timeout: PATIENCE });
  return browser(launched, launched.defaultBrowserContext());
}

async function browser(launched, profile) {
  const version = (await launched.version()).split("/").at(-1);
  return { version, open: async (url) => openPage(await profile.newPage(), url), close: () => launched.close() };
}

async function openPage(page, url) {
  page.setDefaultTimeout(PATIENCE);
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(url);
  return {
    complaints,
    // A function may come as text; Puppeteer takes text for an expression.
    run: (code, ...args) => (typeof code === "string" ? page.evaluate(`(${code})()`) : page.evaluate(code, ...args)),
    go: (url) => page.goto(url),
    keys: (text) => page.keyboard.type(text, { delay: 10 }),
    click: (find, ...args) =>
      clickFound(async () => {
        const found = await page.evaluateHandle(find, ...args);
        await found.asElement().click();
        await found.dispose();
      }),
    async files(selector, paths) {
      const input = await page.$(selector);
      await input.uploadFile(...paths);
      await input.dispose();
    },
    close: () => page.close(),
  };
}
