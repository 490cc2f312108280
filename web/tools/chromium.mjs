// The Chromium of this machine, and how the tests and the benchmark start it.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/** Without a window, and without what would ask other hosts. */
export const QUIET = [
  "--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync",
];

/** WebGPU on an adapter made of software. */
export const SOFTWARE_GPU = [
  "--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader", "--use-vulkan=swiftshader",
];

/**
 * The program that `AVSE_CHROMIUM` or `CHROMIUM` names, or the first of the usual names.
 *
 * @throws Error when there is none.
 */
export function findChromium() {
  const named = process.env.AVSE_CHROMIUM ?? process.env.CHROMIUM;
  if (named) return named;
  const folders = ["/usr/bin", ...(process.env.PATH ?? "").split(delimiter)];
  const found = NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(executable);
  if (!found) throw new Error("no Chromium was found: install one, or name it in AVSE_CHROMIUM");
  return found;
}

function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
