/**
 * One thing after the other: the engine works off calls in the order in which they came.
 */

export class Queue {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `work` when all before it is done; a call that has been aborted by then is not begun. */
  run<T>(work: () => T | Promise<T>, signal?: AbortSignal): Promise<T> {
    const result = this.#last.then(() => {
      signal?.throwIfAborted();
      return work();
    });
    this.#last = result.catch(() => {});
    return result;
  }
}
