/**
 * A collection that is open: one that was downloaded, or one that is made in the page.
 */

import { Adding } from "./adding.js";
import type { Avse } from "./avse.js";
import { AvseError } from "./errors.js";
import { prepareImage } from "./inputs.js";
import { type Session, SESSIONS, untilAborted } from "./session.js";
import * as store from "./store.js";
import { plainJson, wellFormed } from "./text.js";
import type {
  AddAllOptions, AddOptions, CallOptions, CreateOptions, GalleryEvent, GalleryInfo, ImageInput, Item,
} from "./types.js";

/**
 * An open gallery. {@link Avse.openGallery} opens downloaded ones, {@link Gallery.create} makes one of the visitor's own
 * pictures; nothing of it leaves the machine. A signal that comes too late, when the worker has begun, undoes nothing.
 *
 * @example
 * ```js
 * const mine = await Gallery.create(avse, { name: "holidays" });
 * for (const file of input.files) await mine.add(file);
 * await mine.save();
 * ```
 */
export class Gallery {
  readonly #session: Session;
  readonly #number: number;
  readonly #listeners: Record<GalleryEvent, Set<() => void>> = { changed: new Set(), deleted: new Set() };
  #info: GalleryInfo;
  #closed = false;

  /** @internal */
  constructor(session: Session, number: number, info: GalleryInfo) {
    this.#session = session;
    this.#number = number;
    this.#info = info;
    session.listen(number, ({ what, items }) => {
      this.#info = { ...this.#info, items };
      for (const listener of [...this.#listeners[what]]) listener();
    });
  }

  /**
   * An empty gallery, or the one that was saved under `name`. Where the browser keeps no files for this page it is empty, and
   * lasts as long as the page does (`info.canSave`).
   *
   * Rejects with `refused` when the kept one holds the other kind, and with `format` when another model made it.
   */
  static async create(avse: Avse, options: CreateOptions = {}): Promise<Gallery> {
    const session = SESSIONS.get(avse);
    if (!session) throw new AvseError("refused", "Gallery.create needs a loaded Avse");
    const { name, kind, signal } = options;
    const origin = { ...(name === undefined ? {} : { name: wellFormed(name) }), ...(kind === undefined ? {} : { kind }) };
    const { gallery, info } = await session.open(origin, { signal });
    return new Gallery(session, gallery, info);
  }

  /** The names of all galleries that are kept in this browser for this origin. */
  static names(): Promise<string[]> {
    return store.names();
  }

  /** Whether this browser keeps galleries for this page. */
  static canKeep(): Promise<boolean> {
    return store.available();
  }

  /**
   * Deletes a kept gallery. Where it is open, in other tabs too, its rows stay until it is closed; a save would keep
   * them anew. Nothing happens when there is none of this name.
   */
  static delete(name: string): Promise<void> {
    return store.remove(wellFormed(name));
  }

  /** What is known of the gallery now. */
  get info(): GalleryInfo {
    return this.#info;
  }

  /** Number of rows. */
  get size(): number {
    return this.#info.items;
  }

  /**
   * Encodes a picture, or in a gallery of captions a sentence, and adds it behind the others.
   *
   * @returns Its row.
   */
  async add(source: ImageInput | string, options: AddOptions = {}): Promise<number> {
    const { key, metadata, signal } = options;
    const extra = {
      ...(key === undefined ? {} : { key: wellFormed(key) }),
      ...(metadata === undefined ? {} : { metadata: plainJson(metadata, "metadata") }),
    };
    const gallery = this.handle(this.#session);
    this.#session.changed(gallery);
    const { row, items } = await this.#session.call("add", async () => {
      if (typeof source === "string") return { request: { gallery, content: { text: wellFormed(source) }, ...extra } };
      const { picture, transfer } = await untilAborted(prepareImage(source), signal);
      return { request: { gallery, content: { picture }, ...extra }, transfer };
    }, { signal });
    this.#info = { ...this.#info, items };
    return row;
  }

  /**
   * Adds many, one after the other: with progress, and a pause when it is wanted. Further ones can be pushed meanwhile.
   *
   * @example
   * ```js
   * const adding = mine.addAll(input.files, { onProgress: ({ done, total }) => (bar.value = done / total) });
   * pauseButton.onclick = () => (adding.paused ? adding.resume() : adding.pause());
   * const { failed } = await adding.finished;
   * ```
   */
  addAll(sources: Iterable<ImageInput | string>, options: AddAllOptions = {}): Adding {
    const adding = new Adding((source, rest) => this.add(source, rest), options);
    adding.push(sources);
    return adding;
  }

  /**
   * Takes a row out; later ones move up. Rejects with `refused` when rows have moved through another tab and the page
   * has not been told yet: then it may be another row now.
   */
  async remove(row: number, options: CallOptions = {}): Promise<void> {
    const gallery = this.handle(this.#session);
    const version = this.#session.version(gallery);
    this.#session.changed(gallery);
    const { items } = await this.#session.call("remove", () => ({ request: { gallery, row, version } }), options);
    this.#info = { ...this.#info, items };
  }

  /** Takes all rows out. */
  async clear(options: CallOptions = {}): Promise<void> {
    const gallery = this.handle(this.#session);
    this.#session.changed(gallery);
    await this.#session.call("clear", () => ({ request: { gallery } }), options);
    this.#info = { ...this.#info, items: 0 };
  }

  /**
   * Keeps the gallery in this browser under its name. What is written is what is new; what was kept before stays until
   * that is complete. What other tabs have saved under this name meanwhile is taken over: their rows come before those
   * that were not saved here, and rows that they removed go.
   *
   * Rejects with `refused` when it was made without a name, with `unsupported` where the browser keeps no files for
   * this page, and with `storage` when its store is full; the rows are still here then.
   */
  async save(options: CallOptions = {}): Promise<void> {
    const gallery = this.handle(this.#session);
    // What is changed while it is being saved is not saved by it.
    const changes = this.#session.changed(gallery, 0);
    const { items } = await this.#session.call("save", () => ({ request: { gallery } }), options);
    this.#session.changed(gallery, -changes);
    this.#info = { ...this.#info, items };
  }

  /**
   * The gallery as one file: a tar file of a gallery's folder with `manifest.json`, `embeddings.safetensors`, `items.jsonl`, and
   * the thumbnails in `thumbnails.bin` with their ends in `thumbnails.json`. Unpacked, the program `avse` reads it.
   */
  async export(options: CallOptions = {}): Promise<Blob> {
    const gallery = this.handle(this.#session);
    return this.#session.call("asFile", () => ({ request: { gallery } }), options);
  }

  /**
   * Adds the rows of such a file behind the others, all or none of them.
   *
   * Rejects with `format` when it is none, or damaged, or another model made it, and with `refused` when it holds
   * the other kind, or embeddings that are not stored as `f32`.
   */
  async import(file: Blob, options: CallOptions = {}): Promise<void> {
    const gallery = this.handle(this.#session);
    this.#session.changed(gallery);
    const { items } = await this.#session.call("addFile", () => ({ request: { gallery, file } }), options);
    this.#info = { ...this.#info, items };
  }

  /**
   * Listens for `changed` (another tab that has the same kept gallery open has saved: rows have come, gone or moved, so
   * whatever shows rows is to be shown anew) and `deleted` (it was deleted with {@link Gallery.delete}; the rows are still here).
   *
   * @returns Ends the listening.
   */
  on(event: GalleryEvent, listener: () => void): () => void {
    this.#listeners[event].add(listener);
    return () => this.#listeners[event].delete(listener);
  }

  /** A small picture of a row, as a file of its own; `null` where the gallery has none. */
  async thumbnail(index: number, options: CallOptions = {}): Promise<Blob | null> {
    const gallery = this.handle(this.#session);
    return this.#session.call("thumbnail", () => ({ request: { gallery, row: index } }), options);
  }

  /** What a row is. */
  async item(index: number, options: CallOptions = {}): Promise<Item> {
    const gallery = this.handle(this.#session);
    return this.#session.call("item", () => ({ request: { gallery, row: index } }), options);
  }

  /** Closes the gallery and frees its memory. Later calls reject with `disposed`. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const listeners of Object.values(this.#listeners)) listeners.clear();
    await this.#session.close(this.#number);
  }

  /** Its number in the worker of `session`.
   * @internal */
  handle(session: Session): number {
    if (this.#closed) throw new AvseError("disposed", "this gallery has been closed");
    if (session !== this.#session) throw new AvseError("refused", "this gallery was opened by another Avse");
    return this.#number;
  }
}
