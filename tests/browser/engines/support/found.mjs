// Which browser engines this machine has.
//
//   node found.mjs Firefox     prints what is missing for it; nothing where it can be started

import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";

import { findChromium } from "../../../../web/tools/chromium.mjs";

/** The system's own Python has the bindings of WebKitGTK, whichever comes first on the path. */
export const PYTHON = "/usr/bin/python3";
const BINDINGS = "import gi; gi.require_version('Gtk', '3.0'); gi.require_version('WebKit2', '4.1'); from gi.repository import Gtk, WebKit2";

/** `{ path }` of each engine, or `{ lack }`: what is missing. */
export const FIND = {
  Chromium() {
    try {
      return { path: findChromium() };
    } catch (error) {
      return { lack: error.message };
    }
  },

  Firefox() {
    const path = process.env.AVSE_FIREFOX ?? program("firefox-esr") ?? program("firefox");
    // On Ubuntu the last one may be a script that only says where the browser could be had.
    const version = path && spawnSync(path, ["--version"], { encoding: "utf8" }).stdout;
    return /Mozilla Firefox/.test(version ?? "") ? { path } : { lack: "no Firefox was found: apt-get install firefox-esr, or name one in AVSE_FIREFOX" };
  },

  WebKitGTK() {
    const remedy = "apt-get install webkit2gtk-driver gir1.2-webkit2-4.1 python3-gi xvfb";
    const missing = ["WebKitWebDriver", "Xvfb"].filter((name) => !program(name));
    if (missing.length > 0) return { lack: `${missing.join(" and ")} was not found: ${remedy}` };
    if (spawnSync(PYTHON, ["-c", BINDINGS]).status !== 0) return { lack: `${PYTHON} cannot open a window of WebKitGTK: ${remedy}` };
    return { path: program("WebKitWebDriver") };
  },
};

/** The program of this name on the path, or null. */
function program(name) {
  const executable = (path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  };
  const paths = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, name));
  return paths.find(executable) ?? null;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) process.stdout.write(FIND[process.argv[2]]().lack ?? "");
