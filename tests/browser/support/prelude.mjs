// What tests use inside their pages.

/* Runs in the page, before any script of it. */
function prelude() {
  const { hostname, protocol } = location;
  // Only in pages of ours: the empty page has an origin that may import nothing.
  if (!hostname || !protocol.startsWith("http")) return;
  /** The package, as the page's own module. */
  globalThis.avseWeb = (at = "/avse-web/index.js") => import(at);
  /** Loads the tiny model, or another one. */
  globalThis.load = async (url = "/tiny/", options = {}) => {
    const { Avse } = await avseWeb();
    return Avse.load(url, { device: "wasm", ...options });
  };
  /** What a promise is rejected with, in a form that leaves the page. */
  globalThis.failure = (promise) =>
    Promise.resolve(promise).then(
      () => null,
      (thrown) => ({ name: thrown?.name, code: thrown?.code, message: String(thrown?.message ?? thrown), url: thrown?.url }),
    );
  /** A file with this content. */
  globalThis.file = (base64, name, type = "") =>
    new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name, { type });
  /** Hits in a form that leaves the page. */
  globalThis.plain = ({ hits }) => hits.map(({ index, score, key }) => ({ index, score, key }));
  // From the first moment on, so that no long task is missed.
  globalThis.longest = 0;
  if (globalThis.PerformanceObserver?.supportedEntryTypes?.includes("longtask")) {
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, duration);
    }).observe({ type: "longtask", buffered: true });
  }
}

/** The script that every page of the tests begins with. */
export const PRELUDE = `(${prelude})()`;
