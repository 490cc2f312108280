// The browser engines of this machine, behind one small interface.
//
//   engine   { name, lack, launch(mode) }: `lack` says why it cannot be started here, and is null where it can
//   browser  { version, open(url), close() }: `mode` is "normal" or "private"; one profile, gone when it closes
//   page     { run(code, ...args)       the value of a function that runs in the page; arguments and value as JSON
//              go(url), keys(text)      keys go to what has the focus
//              click(find, ...args)     the mouse, on the element that a function in the page finds
//              files(selector, paths)   picks files in a file input
//              complaints               errors that the page has reported so far
//              close() }

import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

import { findChromium } from "../../../../web/tools/chromium.mjs";
import { launchChromium, launchFirefox } from "./puppeteer.mjs";
import { launchWebKit, WEBKIT_NEEDS } from "./webkit.mjs";

/** The first of these programs that is on the path, or null. */
function program(...names) {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const executable = (path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  };
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(executable) ?? null;
}

function chromium() {
  try {
    const path = findChromium();
    return { lack: null, launch: (mode) => launchChromium(path, mode) };
  } catch (error) {
    return { lack: error.message };
  }
}

function firefox() {
  const path = process.env.AVSE_FIREFOX ?? program("firefox-esr", "firefox");
  // On Ubuntu the second may be a script that only says where the browser could be had.
  const version = path ? spawnSync(path, ["--version"], { encoding: "utf8" }).stdout : "";
  if (!/Mozilla Firefox/.test(version ?? "")) return { lack: "no Firefox was found (Debian: firefox-esr), and AVSE_FIREFOX names none" };
  return { lack: null, launch: (mode) => launchFirefox(path, mode) };
}

function webkit() {
  const missing = WEBKIT_NEEDS.programs.filter((name) => !program(name));
  if (missing.length > 0) return { lack: `${missing.join(" and ")} is not there (Debian: webkit2gtk-driver, xvfb)` };
  const bindings = spawnSync(WEBKIT_NEEDS.python, ["-c", WEBKIT_NEEDS.imports], { encoding: "utf8" });
  if (bindings.status !== 0) return { lack: "Python cannot open a WebKit window (Debian: python3-gi, gir1.2-webkit2-4.1)" };
  return { lack: null, launch: launchWebKit };
}

/** All three, in the order of the table. */
export function engines() {
  return [
    { name: "Chromium", ...chromium() },
    { name: "Firefox", ...firefox() },
    { name: "WebKitGTK", ...webkit() },
  ];
}
