// The browser that is measured: one found on the machine, with WebGPU on the processor where there is no GPU.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--enable-features=Vulkan",
  "--use-webgpu-adapter=swiftshader",
  "--use-vulkan=swiftshader",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The program named by AVSE_CHROMIUM, or the first of the usual names in PATH. */
export function findBrowser() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  const path = process.env.AVSE_CHROMIUM ?? found;
  if (!path) throw new Error("no Chromium was found: install one, or name it in AVSE_CHROMIUM");
  return path;
}

/** A browser with a profile of its own. Calls of a page may take as long as a software WebGPU adapter does. */
export async function launch() {
  return chromium.launch({ executablePath: findBrowser(), args: FLAGS, headless: true });
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
