/**
 * The worker: receives calls, answers them, and tells when the engine has broken.
 */

import { AvseError, messageOf, toRecord } from "./errors.js";
import { Host } from "./host.js";
import type { ToPage, ToWorker } from "./protocol.js";
import { Stuck } from "./watch.js";

/** What this needs of the worker's global scope, which the DOM's types do not know. */
interface Scope {
  postMessage(message: ToPage): void;
  addEventListener(type: string, listener: (event: any) => void): void;
}

/** From this size on a crash is taken for a lack of memory; 4 GiB is the most that there is. */
const FULL = 3.9 * 2 ** 30;

const scope = globalThis as unknown as Scope;
const host = new Host((changed) => scope.postMessage({ type: "changed", ...changed }));
const running = new Map<number, AbortController>();
let panic = "";
let crashed = false;

scope.addEventListener("message", ({ data }: { data: ToWorker }) => {
  if (data.type === "abort") {
    running.get(data.id)?.abort();
  } else if (data.type === "call") {
    void answer(data);
  }
});

// A trap in a future of the engine settles no promise: the browser reports it here alone.
scope.addEventListener("error", (event: ErrorEvent) => {
  event.preventDefault();
  crash(event.error ?? event.message);
});
scope.addEventListener("unhandledrejection", (event: PromiseRejectionEvent) => {
  if (!(event.reason instanceof WebAssembly.RuntimeError)) return;
  event.preventDefault();
  crash(event.reason);
});

// The engine's panic hook writes here; the trap itself says "unreachable" and no more.
const { error } = console;
console.error = (...args: unknown[]) => {
  if (/panicked at/.test(String(args[0]))) panic = String(args[0]).split("\n\nStack:")[0]!.trim();
  error.apply(console, args);
};

async function answer(message: Extract<ToWorker, { type: "call" }>): Promise<void> {
  const { id, name, request } = message;
  if (crashed && name !== "salvage") return;
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const value = await host.call(name, request, {
      signal: controller.signal,
      onProgress: (progress) => scope.postMessage({ type: "progress", id, progress }),
    });
    if (!controller.signal.aborted) scope.postMessage({ type: "answer", id, value });
  } catch (thrown) {
    // What waits behind work that never ends would wait for ever.
    const broken = thrown instanceof WebAssembly.RuntimeError || (thrown instanceof Stuck && name !== "load");
    if (broken) crash(thrown);
    else if (!controller.signal.aborted) scope.postMessage({ type: "failure", id, error: toRecord(thrown) });
  } finally {
    running.delete(id);
  }
}

function crash(thrown: unknown): void {
  if (crashed) return;
  crashed = true;
  if (thrown instanceof Stuck) return scope.postMessage({ type: "crash", error: toRecord(thrown) });
  const full = (host.memory?.buffer.byteLength ?? 0) > FULL;
  const message = full ? "the model needs more memory than WebAssembly has" : `the engine broke: ${panic || messageOf(thrown)}`;
  scope.postMessage({ type: "crash", error: toRecord(new AvseError(full ? "out-of-memory" : "internal", message)) });
}
