/**
 * Starting the worker, also when the script comes from another origin than the page.
 */

import { AvseError, messageOf } from "./errors.js";

/**
 * Stands in for `Worker` where a script of another origin has to run: browsers start workers from the page's own
 * origin only, but such a worker may import modules from anywhere that allows it (CORS, `script-src`).
 */
class ShimWorker {
  constructor(url: URL, options: WorkerOptions) {
    const source = new Blob([`import ${JSON.stringify(url.href)};\n`], { type: "text/javascript" });
    const address = URL.createObjectURL(source);
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
  try {
    return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  } catch (refused) {
    try {
      // The name is shadowed, and not another one taken, because bundlers look for this very expression
      // when they rewrite the worker's address.
      const Worker = ShimWorker as unknown as typeof globalThis.Worker;
      return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    } catch {
      throw new AvseError("unsupported", `the worker cannot be started: ${messageOf(refused)}`, { cause: refused });
    }
  }
}
