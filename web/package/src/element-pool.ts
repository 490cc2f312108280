/**
 * Models that several elements share: the first one that needs a model loads it. When the last one has left, the model
 * stays for a while: frameworks take elements out and put them back.
 */

import { Avse } from "./avse.js";
import { AvseError } from "./errors.js";
import type { Gallery } from "./gallery.js";
import { untilAborted } from "./session.js";
import type { Device, Progress } from "./types.js";

/** How long a model stays that no element uses, in milliseconds. Another model's start ends it at once: two of them need much memory. */
const IDLE = 30_000;

/** Which model, where. */
export interface ModelChoice {
  url: string;
  device: Device;
  wasmUrl?: string;
  workerUrl?: string;
}

interface Entry {
  users: number;
  loading: Promise<Avse>;
  galleries: Map<string, Promise<Gallery>>;
  listeners: Set<(progress: Progress) => void>;
  last?: Progress;
  loaded: boolean;
  /** Ends what is being fetched: the model, or galleries. */
  given: AbortController;
  /** Runs while no element uses it. */
  idle?: ReturnType<typeof setTimeout>;
}

const entries = new Map<string, Entry>();

/** An element's share in a model. */
export class Lease {
  readonly #key: string;
  readonly #entry: Entry;
  readonly #listener: ((progress: Progress) => void) | undefined;
  #released = false;

  constructor(choice: ModelChoice, onProgress?: (progress: Progress) => void) {
    this.#key = JSON.stringify([choice.url, choice.device, choice.wasmUrl, choice.workerUrl]);
    this.#entry = entries.get(this.#key) ?? start(this.#key, choice);
    this.#entry.users += 1;
    clearTimeout(this.#entry.idle);
    this.#listener = onProgress;
    if (onProgress) {
      this.#entry.listeners.add(onProgress);
      if (this.#entry.last) onProgress(this.#entry.last);
    }
  }

  /** The model, once it is loaded. */
  get avse(): Promise<Avse> {
    return this.#entry.loading;
  }

  /** A gallery of the model, opened once for all elements. Its progress goes to the element that opens it. */
  async gallery(url: string, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<Gallery> {
    const avse = await untilAborted(this.avse, signal);
    const { galleries, given } = this.#entry;
    signal.throwIfAborted();
    let opening = galleries.get(url);
    if (!opening) {
      opening = avse.openGallery(url, { onProgress, signal: given.signal });
      galleries.set(url, opening);
      // The next one tries again.
      opening.catch(() => galleries.delete(url));
    }
    return untilAborted(opening, signal);
  }

  /** Gives the share back. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    const entry = this.#entry;
    if (this.#listener) entry.listeners.delete(this.#listener);
    entry.users -= 1;
    if (entry.users > 0) return;
    entry.given.abort(new AvseError("disposed", "the element was removed from the page"));
    if (!entry.loaded) return end(this.#key, entry);
    entry.given = new AbortController();
    entry.idle = setTimeout(() => end(this.#key, entry), IDLE);
  }
}

function end(key: string, entry: Entry): void {
  clearTimeout(entry.idle);
  if (entries.get(key) === entry) entries.delete(key);
  entry.loading.then((avse) => avse.dispose(), () => {});
}

function start(key: string, choice: ModelChoice): Entry {
  for (const [other, entry] of entries) if (entry.users === 0) end(other, entry);
  const given = new AbortController();
  const { url, ...options } = choice;
  const entry: Entry = {
    users: 0,
    galleries: new Map(),
    listeners: new Set(),
    loaded: false,
    given,
    loading: Avse.load(url, {
      ...options,
      signal: given.signal,
      onProgress: (progress) => {
        entry.last = progress;
        for (const listener of entry.listeners) listener(progress);
      },
    }),
  };
  entries.set(key, entry);
  // A model that failed to load is not shared with those who come later.
  entry.loading.then(
    () => (entry.loaded = true),
    () => entries.get(key) === entry && entries.delete(key),
  );
  return entry;
}
