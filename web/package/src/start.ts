/**
 * Starting the worker, also when the script comes from another origin than the page.
 */

import { AvseError, messageOf } from "./errors.js";

/**
 * What such a worker runs. The import is a dynamic one, since browsers hold static ones in a worker against
 * `worker-src`, which would then have to name the other origin besides `blob:`. Messages that come before the script
 * are kept for it.
 */
const SHIM = `
const early = [];
const keep = (event) => early.push(event.data);
addEventListener("message", keep);
import(ADDRESS).then(
  () => {
    removeEventListener("message", keep);
    for (const data of early) dispatchEvent(new MessageEvent("message", { data }));
  },
  (error) => postMessage({ type: "crash", error: { code: "network", message: "the worker's script " + ADDRESS + " cannot be loaded: " + error.message, url: ADDRESS } }),
);
`;

/**
 * Stands in for `Worker` where a script of another origin has to run: browsers start workers from the page's own
 * origin only, but such a worker may import modules from anywhere that allows it (CORS, `script-src`).
 */
class ShimWorker {
  constructor(url: URL, options: WorkerOptions) {
    const source = SHIM.replaceAll("ADDRESS", () => JSON.stringify(url.href));
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const worker = new globalThis.Worker(address, options);
    // The address is needed until the script is there, which the first message or an error tells.
    const revoke = () => URL.revokeObjectURL(address);
    worker.addEventListener("message", revoke, { once: true });
    worker.addEventListener("error", revoke, { once: true });
    return worker as unknown as ShimWorker;
  }
}

/**
 * A fresh worker of this package.
 *
 * @throws AvseError `unsupported` where there are no module workers.
 */
export function startWorker(): Worker {
  if (typeof globalThis.Worker !== "function") {
    throw new AvseError("unsupported", "there are no workers here: Avse.load needs a browser");
  }
  // Some browsers throw at a script of another origin, others report it later, so it is found out beforehand.
  if (new URL(import.meta.url).origin !== globalThis.location.origin) return startShim();
  try {
    return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  } catch {
    return startShim();
  }
}

function startShim(): Worker {
  try {
    // The name is shadowed, and not another one taken, because bundlers look for this very expression
    // when they rewrite the worker's address.
    const Worker = ShimWorker as unknown as typeof globalThis.Worker;
    return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  } catch (thrown) {
    throw new AvseError("unsupported", `the worker cannot be started: ${messageOf(thrown)}`, { cause: thrown });
  }
}
