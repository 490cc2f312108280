// Cases that fail today, each with its columns and the reason. They run, and one that works again fails the test until
// it is taken off this list.

const PLAIN_HTTP = ["Chromium http", "Firefox http", "WebKitGTK http"];
/** Windows in which the browser keeps no files for a page. */
const NO_STORE = [...PLAIN_HTTP, "Firefox private", "WebKitGTK", "WebKitGTK private"];
const NO_ORIGIN = ["Chromium", "Chromium http", "Chromium private", "Firefox", "Firefox http", "Firefox private"];

const ALL = [...NO_ORIGIN, "WebKitGTK", "WebKitGTK http", "WebKitGTK private"];

export const KNOWN = [
  ["a gallery of the visitor's own pictures", NO_STORE, "no gallery with a name without a store"],
  ["… saved, and reopened by another page", NO_STORE, "no gallery with a name without a store"],
  ["… kept by two tabs, and neither loses what the other adds", [...NO_STORE, "Chromium", "Chromium private", "Firefox"], "the last save wins"],
  ["… where a policy asks for Trusted Types", ALL, "the worker's address is plain text"],
  ["in `<iframe sandbox=\"allow-scripts\">`", NO_ORIGIN, "the worker is taken for one of the page's own origin"],
  ["demo page: own pictures are found", NO_STORE, "no gallery with a name without a store"],
  ["demo page: own pictures are kept for the next visit", [...NO_STORE, "Firefox"], "nothing to keep without a store; Firefox's question to the visitor is waited for"],
];
