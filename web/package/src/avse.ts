/**
 * A loaded model.
 */

import { asAvseError, AvseError } from "./errors.js";
import { Gallery } from "./gallery.js";
import { prepareImage } from "./inputs.js";
import { monotonic } from "./progress.js";
import type { Question } from "./protocol.js";
import { Session, SESSIONS, untilAborted } from "./session.js";
import { startWorker } from "./start.js";
import type {
  CallOptions, Embedding, Explanation, ExportInfo, ImageInput, LoadOptions, ModelInfo, OpenOptions, SearchOptions, SearchResult,
} from "./types.js";

/**
 * A loaded model, in a worker of its own: the page never waits for it.
 *
 * Every call rejects with an {@link AvseError}, or with its signal's reason when it is aborted. Calls are worked off
 * in the order in which they were made.
 *
 * @example
 * ```js
 * const avse = await Avse.load("/search/model/", { onProgress: ({ loaded, total }) => bar.value = loaded / total });
 * const gallery = await avse.openGallery("/search/pictures/");
 * const { hits } = await avse.searchText(gallery, "a cat that laughs", { k: 12 });
 * ```
 */
export class Avse {
  readonly #session: Session;

  private constructor(session: Session) {
    this.#session = session;
    SESSIONS.set(this, session);
  }

  /**
   * Loads a model.
   *
   * @param url - A bundle's folder, the folder of an export for the web, or the `manifest.json` or `avse.json` itself.
   *
   * Rejects with `network`, `format`, `config`, `weights`, `no-device`, `no-simd`, `out-of-memory` or `unsupported`.
   */
  static async load(url: string | URL, options: LoadOptions = {}): Promise<Avse> {
    const { device = "auto", cache = true, galleries = [], wasmUrl, workerUrl, signal, onProgress } = options;
    const { worker = () => startWorker(workerUrl === undefined ? undefined : absolute(workerUrl)) } = options;
    signal?.throwIfAborted();
    const request = { url: absolute(url), device, cache, galleries, ...(wasmUrl === undefined ? {} : { wasmUrl: absolute(wasmUrl) }) };
    const session = await Session.open(request, worker, { signal, onProgress: onProgress && monotonic(onProgress) });
    return new Avse(session);
  }

  /** What is known of the model and how it was loaded; after a restart, of the one that runs now. */
  get info(): ModelInfo {
    return this.#session.loaded.info;
  }

  /** The content of `avse.json`, where the model was loaded from an export; else `null`. */
  get exported(): ExportInfo | null {
    return this.#session.loaded.exported;
  }

  /** Whether {@link Avse.dispose} has been called. */
  get disposed(): boolean {
    return this.#session.disposed;
  }

  /**
   * Opens a gallery that this model made, with a progress of its own. Its thumbnails follow in the background.
   *
   * @param url - The gallery's folder, or its `manifest.json`.
   */
  async openGallery(url: string | URL, options: OpenOptions = {}): Promise<Gallery> {
    const { signal, onProgress } = options;
    const origin = { url: absolute(url) };
    const { gallery, info } = await this.#session.open(origin, { signal, onProgress: onProgress && monotonic(onProgress) });
    return new Gallery(this.#session, gallery, info);
  }

  /** The embedding of a sentence. */
  encodeText(text: string, options: CallOptions = {}): Promise<Embedding> {
    return this.#session.call("encode", () => ({ request: { text } }), options);
  }

  /** The embedding of a picture. Rejects with `image` when it is none, or broken, or too large. */
  encodeImage(source: ImageInput, options: CallOptions = {}): Promise<Embedding> {
    return this.#session.call("encode", async () => {
      const { picture, transfer } = await untilAborted(prepareImage(source), options.signal);
      return { request: { picture }, transfer };
    }, options);
  }

  /** The word pieces of a sentence as the network sees them, `[CLS]` first. */
  wordPieces(text: string, options: CallOptions = {}): Promise<string[]> {
    return this.#session.call("wordPieces", () => ({ request: { text } }), options);
  }

  /** Encodes a sentence and finds the rows that fit it best, in one step. */
  searchText(gallery: Gallery, text: string, options: SearchOptions = {}): Promise<SearchResult> {
    return this.#search(gallery, async () => ({ question: { text }, transfer: [] }), options);
  }

  /** Encodes a picture and finds the rows that fit it best, in one step. */
  searchImage(gallery: Gallery, source: ImageInput, options: SearchOptions = {}): Promise<SearchResult> {
    return this.#search(gallery, async () => {
      const { picture, transfer } = await untilAborted(prepareImage(source), options.signal);
      return { question: { picture }, transfer };
    }, options);
  }

  /** Finds the rows that fit an embedding best. */
  search(gallery: Gallery, query: Embedding, options: SearchOptions = {}): Promise<SearchResult> {
    return this.#search(gallery, async () => ({ question: { embedding: query }, transfer: [] }), options);
  }

  /**
   * Which blocks of a query and a row match. One of both has to be an image and the other one a caption; else it
   * rejects with `refused`.
   */
  async explain(gallery: Gallery, query: Embedding, index: number, options: CallOptions = {}): Promise<Explanation> {
    const number = gallery.handle(this.#session);
    return this.#session.call("explain", () => ({ request: { gallery: number, query, index } }), options);
  }

  /**
   * Listens for `devicelost` (the GPU went away; calls wait) and `restarted` (a fresh worker has taken over, also after
   * a crash; {@link Avse.info} may have changed).
   *
   * @returns Ends the listening.
   */
  on(event: "devicelost" | "restarted", listener: () => void): () => void {
    return this.#session.on(event, listener);
  }

  /** Ends the worker and frees all it held. Pending and later calls reject with `disposed`. */
  dispose(): void {
    this.#session.dispose();
  }

  /** For tests: loses the GPU as a driver's reset would.
   * @internal */
  async loseDevice(): Promise<void> {
    await this.#session.call("loseDevice", () => ({ request: {} }));
  }

  async #search(
    gallery: Gallery,
    ask: () => Promise<{ question: Question; transfer: Transferable[] }>,
    options: SearchOptions,
  ): Promise<SearchResult> {
    const { k = 10, signal } = options;
    const number = gallery.handle(this.#session);
    if (!Number.isInteger(k) || k < 1) throw new AvseError("refused", `k is ${k}: it has to be a whole number from 1 on`);
    return this.#session.call("search", async () => {
      const { question, transfer } = await ask();
      return { request: { gallery: number, question, k }, transfer };
    }, { signal });
  }
}

/** An address relative to the page. */
function absolute(url: string | URL): string {
  try {
    return new URL(url, typeof document === "undefined" ? globalThis.location?.href : document.baseURI).href;
  } catch (thrown) {
    throw new AvseError("refused", `${url} is no address`, { cause: asAvseError(thrown) });
  }
}
