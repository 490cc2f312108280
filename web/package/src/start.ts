/**
 * Starting the worker: wherever a bundler has put its script, also on another origin than the page's.
 */

import { AvseError, messageOf } from "./errors.js";

/**
 * What runs where the script itself may not be a worker. A module is imported dynamically, since browsers hold static
 * imports in a worker against `worker-src`, which would then have to name the other origin besides `blob:`. Bundlers
 * look for the files beside the script by `location`. Messages that come before the script are kept for it.
 */
const SHIM = `{
  const early = [];
  const keep = (event) => early.push(event.data);
  addEventListener("message", keep);
  Object.defineProperty(self, "location", { value: new URL(ADDRESS) });
  const trusted = () => self.trustedTypes?.createPolicy("avse-web", { createScriptURL: (url) => url }).createScriptURL(ADDRESS) ?? ADDRESS;
  const loaded = MODULE ? import(ADDRESS) : new Promise((done) => done(importScripts(trusted())));
  loaded.then(
    () => {
      removeEventListener("message", keep);
      for (const data of early) dispatchEvent(new MessageEvent("message", { data }));
    },
    (error) => postMessage({ type: "crash", error: { code: "network", message: "the worker's script " + ADDRESS + " cannot be loaded: " + error.message, url: ADDRESS } }),
  );
}`;

/** A worker's script and how it is run. */
interface Script {
  url: string | URL;
  options?: WorkerOptions | undefined;
}

/**
 * A fresh worker of this package.
 *
 * @param url - Its script; by default the one beside this module, or where the bundler has put it.
 * @throws AvseError `unsupported` where it cannot be started.
 */
export function startWorker(url?: string): Worker {
  if (typeof globalThis.Worker !== "function") {
    throw new AvseError("unsupported", "there are no workers here: Avse.load needs a browser");
  }
  try {
    const script = url === undefined ? shipped() : { url, options: { type: "module" as const } };
    if (script instanceof globalThis.Worker) return script;
    const address = new URL(script.url, globalThis.document?.baseURI ?? globalThis.location.href);
    return mayBeWorker(address) ? new Worker(trusted(address.href), script.options) : startShim(address.href, script.options?.type === "module");
  } catch (thrown) {
    const disk = globalThis.location?.protocol === "file:";
    const policy = /trusted/i.test(messageOf(thrown));
    const reason = disk
      ? "the page was opened from disk, where browsers run no workers: it has to come from a web server"
      : policy
        ? "the page's security policy does not have trusted-types avse-web"
        : messageOf(thrown);
    throw new AvseError("unsupported", `the worker cannot be started: ${reason}`, { cause: thrown });
  }
}

/**
 * The script of this package. Bundlers put it elsewhere and tell its place only in the expression that starts a
 * worker, which they look for in just this form. So it is written out, and what it gives to `Worker` is taken down.
 */
function shipped(): Script | Worker {
  const native = globalThis.Worker;
  class Taken implements Script {
    constructor(readonly url: string | URL, readonly options?: WorkerOptions) {}
  }
  // Where a page has frozen it, the browser's own one answers below, and origins are left to it.
  Reflect.set(globalThis, "Worker", Taken);
  try {
    return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  } finally {
    Reflect.set(globalThis, "Worker", native);
  }
}

/** Whether browsers start a worker from this address: only from the page's own origin. */
function mayBeWorker({ protocol, origin }: URL): boolean {
  // Files are of no origin; some programs with a browser inside start workers from them nevertheless.
  return protocol === "blob:" || protocol === "data:" || protocol === "file:" || origin === globalThis.origin;
}

/**
 * Stands in for a worker whose script is of another origin: it may load scripts from wherever CORS and `script-src`
 * allow. It is no module itself, since Chromium starts none from a blob in a frame without an origin.
 */
function startShim(script: string, module: boolean): Worker {
  const source = SHIM.replace("MODULE", String(module)).replaceAll("ADDRESS", () => JSON.stringify(script));
  const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(trusted(address));
  // The address is needed until the script is there, which the first message or an error tells.
  const revoke = () => URL.revokeObjectURL(address);
  worker.addEventListener("message", revoke, { once: true });
  worker.addEventListener("error", revoke, { once: true });
  return worker;
}

/** A policy of Trusted Types, as far as they matter here. */
interface Policy {
  createScriptURL(url: string): unknown;
}

let policy: Policy | null | undefined;

/** An address that `Worker` takes also where the page asks for Trusted Types. */
function trusted(url: string): string {
  if (policy === undefined) {
    const types = (globalThis as { trustedTypes?: { createPolicy(name: string, rules: Policy): Policy } }).trustedTypes;
    try {
      policy = types?.createPolicy("avse-web", { createScriptURL: (url) => url }) ?? null;
    } catch {
      // The page's policy does not name it. Where it does not matter, the plain address serves.
      policy = null;
    }
  }
  return (policy?.createScriptURL(url) ?? url) as string;
}
