/**
 * One worker as the page sees it: calls and their answers, abort, and what happens when it breaks.
 */

import { AvseError, fromRecord } from "./errors.js";
import type { CallName, Calls, Changed, ToPage, ToWorker } from "./protocol.js";
import type { Progress } from "./types.js";

/** What a client needs of a worker; tests have others. */
export interface WorkerLike {
  postMessage(message: unknown, transfer: Transferable[]): void;
  terminate(): void;
  addEventListener(type: "message" | "error" | "messageerror", listener: (event: any) => void): void;
}

export interface SendOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  transfer?: Transferable[];
}

interface Pending {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** A worker that answers calls until it crashes or is ended. */
export class Client {
  readonly #worker: WorkerLike;
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  /** Why no further calls are taken. */
  #closed: AvseError | null = null;
  #ended = false;
  /** Is told once when the worker crashes. */
  onCrash: ((error: AvseError) => void) | null = null;
  /** Is told of what other tabs have done to a gallery. */
  onChanged: ((changed: Changed) => void) | null = null;

  constructor(worker: WorkerLike) {
    this.#worker = worker;
    worker.addEventListener("message", (event: { data: ToPage }) => this.#receive(event.data));
    worker.addEventListener("error", (event: { message?: string; preventDefault?(): void }) => {
      event.preventDefault?.();
      // A script that could not be loaded or parsed gives an event without a message.
      const message = event.message
        ? `the worker stopped: ${event.message}`
        : "the worker's script could not be loaded (is it there, do worker-src and script-src allow it, and is the page from a web server?)";
      this.#crash(new AvseError(event.message ? "internal" : "network", message));
    });
    worker.addEventListener("messageerror", () => {
      this.#crash(new AvseError("internal", "a message of the worker could not be read"));
    });
  }

  /** Whether calls are still taken. */
  get usable(): boolean {
    return this.#closed === null;
  }

  /**
   * Sends a call.
   *
   * Rejects with the signal's reason when it is aborted, with the worker's error, or with the reason why the worker
   * is gone. `salvage` alone is still sent to a crashed worker.
   */
  call<N extends CallName>(name: N, request: Calls[N]["request"], options: SendOptions = {}): Promise<Calls[N]["answer"]> {
    const { signal, onProgress, transfer = [] } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#closed && (name !== "salvage" || this.#ended)) return Promise.reject(this.#closed);
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      const abort = () => {
        if (!this.#pending.delete(id)) return;
        this.#post({ type: "abort", id });
        reject(signal?.reason);
      };
      const settled = <T>(settle: (value: T) => void) => (value: T) => {
        signal?.removeEventListener("abort", abort);
        settle(value);
      };
      this.#pending.set(id, { resolve: settled(resolve as (value: unknown) => void), reject: settled(reject), onProgress });
      signal?.addEventListener("abort", abort, { once: true });
      try {
        this.#post({ type: "call", id, name, request } as ToWorker, transfer);
      } catch (refused) {
        this.#settle(id)?.reject(refused);
      }
    });
  }

  /** Ends the worker; what is pending rejects with `reason`. */
  end(reason: AvseError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#closed = reason;
    this.#worker.terminate();
    this.#rejectAll(reason);
  }

  #post(message: ToWorker, transfer: Transferable[] = []): void {
    if (!this.#ended) this.#worker.postMessage(message, transfer);
  }

  #receive(message: ToPage): void {
    if (this.#ended) return;
    switch (message.type) {
      case "answer":
        this.#settle(message.id)?.resolve(message.value);
        break;
      case "failure":
        this.#settle(message.id)?.reject(fromRecord(message.error));
        break;
      case "progress":
        this.#pending.get(message.id)?.onProgress?.(message.progress);
        break;
      case "changed":
        this.onChanged?.(message);
        break;
      case "crash":
        this.#crash(fromRecord(message.error));
        break;
    }
  }

  /** The pending call of this number, which is pending no longer; none when it was aborted. */
  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #crash(error: AvseError): void {
    if (this.#closed) return;
    this.#closed = error;
    this.#rejectAll(error);
    this.onCrash?.(error);
  }

  #rejectAll(reason: AvseError): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const call of pending) call.reject(reason);
  }
}
