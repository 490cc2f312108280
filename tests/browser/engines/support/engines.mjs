// The browser engines of this machine, behind one small interface.
//
//   engine   { name, lack, launch(mode) }: `lack` says what is missing where it cannot be started
//   browser  { version, open(url), close() }: `mode` is "normal" or "private"; one profile, gone when it closes
//   page     { run(code, ...args)       the value of a function that runs in the page; arguments and value as JSON
//              go(url), keys(text)      keys go to what has the focus
//              click(find, ...args)     the mouse, on the element that a function in the page finds
//              files(selector, paths)   picks files in a file input
//              complaints               errors that the page has reported so far
//              close() }

import { FIND } from "./found.mjs";
import { launchChromium, launchFirefox } from "./puppeteer.mjs";
import { launchWebKit } from "./webkit.mjs";

const LAUNCH = { Chromium: launchChromium, Firefox: launchFirefox, WebKitGTK: launchWebKit };

/** All three, in the order of the table. */
export const ENGINES = Object.entries(LAUNCH).map(([name, launch]) => {
  const { path, lack } = FIND[name]();
  return { name, lack, launch: (mode) => launch(path, mode) };
});
