// The browser that is measured: one found on the machine, with WebGPU on the processor where there is no GPU.

import { chromium } from "playwright-core";

import { findChromium, QUIET, SOFTWARE_GPU } from "../tools/chromium.mjs";

/** A browser with a profile of its own. Calls of a page may take as long as a software WebGPU adapter does. */
export async function launch() {
  return chromium.launch({ executablePath: findChromium(), args: [...QUIET, ...SOFTWARE_GPU], headless: true });
}

/** A page whose errors are printed, once its script is ready. */
export async function open(context, address) {
  const page = await context.newPage();
  page.setDefaultTimeout(0);
  page.on("pageerror", (error) => console.error(`page: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && console.error(`page: ${message.text()}`));
  await page.goto(address);
  await page.waitForFunction(() => globalThis.ready === true);
  return page;
}
