/**
 * A collection that is open: one that was downloaded, or one that is made in the page.
 */

import type { Avse } from "./avse.js";
import { AvseError } from "./errors.js";
import { prepareImage } from "./inputs.js";
import { type Session, SESSIONS, untilAborted } from "./session.js";
import * as store from "./store.js";
import { plainJson, wellFormed } from "./text.js";
import type { AddOptions, CallOptions, CreateOptions, GalleryInfo, ImageInput, Item } from "./types.js";

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
  #info: GalleryInfo;
  #closed = false;

  /** @internal */
  constructor(session: Session, number: number, info: GalleryInfo) {
    this.#session = session;
    this.#number = number;
    this.#info = info;
  }

  /**
   * An empty gallery, or the one that was saved under `name`.
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

  /** Deletes a kept gallery; one that is open stays so. Nothing happens when there is none of this name. */
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
    this.#session.changed(gallery, true);
    const { row, items } = await this.#session.call("add", async () => {
      if (typeof source === "string") return { request: { gallery, content: { text: wellFormed(source) }, ...extra } };
      const { picture, transfer } = await untilAborted(prepareImage(source), signal);
      return { request: { gallery, content: { picture }, ...extra }, transfer };
    }, { signal });
    this.#info = { ...this.#info, items };
    return row;
  }

  /** Takes a row out; later ones move up. */
  async remove(row: number, options: CallOptions = {}): Promise<void> {
    const gallery = this.handle(this.#session);
    this.#session.changed(gallery, true);
    const { items } = await this.#session.call("remove", () => ({ request: { gallery, row } }), options);
    this.#info = { ...this.#info, items };
  }

  /**
   * Keeps the gallery in this browser under its name. What was kept before stays until the new state is complete.
   *
   * Rejects with `refused` when it was made without a name, and with `storage` when the browser's store is full.
   */
  async save(options: CallOptions = {}): Promise<void> {
    const gallery = this.handle(this.#session);
    await this.#session.call("save", () => ({ request: { gallery } }), options);
    this.#session.changed(gallery, false);
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
