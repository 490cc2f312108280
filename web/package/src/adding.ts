/**
 * Adding many pictures or sentences to a gallery, one after the other.
 */

import { AvseError } from "./errors.js";
import type { AddAllOptions, AddOptions, AddOutcome, ImageInput } from "./types.js";

type Source = ImageInput | string;

/** What {@link Gallery.addAll} has begun. */
export class Adding {
  /**
   * Fulfilled when all are worked off; those that are no pictures are named. Rejects with the signal's reason, or with what
   * has gone wrong otherwise; what has been added by then stays.
   */
  readonly finished: Promise<AddOutcome>;
  readonly #add: (source: Source, options: AddOptions) => Promise<number>;
  readonly #options: AddAllOptions;
  readonly #waiting: Source[] = [];
  readonly #outcome: AddOutcome = { added: 0, failed: [] };
  #done = 0;
  #running = true;
  #paused: { promise: Promise<void>; end(): void } | null = null;

  /** @internal */
  constructor(add: (source: Source, options: AddOptions) => Promise<number>, options: AddAllOptions) {
    this.#add = add;
    this.#options = options;
    // From the next turn on, so that something has been pushed.
    this.finished = Promise.resolve().then(() => this.#run());
  }

  /** Whether there is something to be done still; then more can be pushed. */
  get running(): boolean {
    return this.#running;
  }

  get paused(): boolean {
    return this.#paused !== null;
  }

  /** These come behind the others. */
  push(sources: Iterable<Source>): void {
    if (!this.#running) throw new AvseError("refused", "adding has ended");
    for (const source of sources) this.#waiting.push(source);
  }

  /** Begins no further one until {@link Adding.resume}. */
  pause(): void {
    if (this.#paused) return;
    let end = () => {};
    const promise = new Promise<void>((resolve) => (end = resolve));
    this.#paused = { promise, end };
  }

  resume(): void {
    this.#paused?.end();
    this.#paused = null;
  }

  async #run(): Promise<AddOutcome> {
    const { signal, describe, onProgress } = this.#options;
    const resume = () => this.resume();
    signal?.addEventListener("abort", resume);
    try {
      // By number, since taking the first of a long list moves all others.
      while (this.#done < this.#waiting.length) {
        await this.#paused?.promise;
        signal?.throwIfAborted();
        const source = this.#waiting[this.#done]!;
        try {
          await this.#add(source, { ...describe?.(source), ...(signal ? { signal } : {}) });
          this.#outcome.added += 1;
        } catch (error) {
          if (!(error instanceof AvseError) || error.code !== "image") throw error;
          this.#outcome.failed.push({ source, error });
        }
        // A picture that has been added is not to be held any longer.
        this.#waiting[this.#done++] = "";
        await onProgress?.({ source, done: this.#done, total: this.#waiting.length, failed: this.#outcome.failed.length });
      }
      return this.#outcome;
    } finally {
      this.#running = false;
      signal?.removeEventListener("abort", resume);
    }
  }
}
