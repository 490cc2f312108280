/**
 * The galleries that are open in the worker.
 */

import type { Engine, GalleryParts } from "./engine.js";
import { asAvseError, AvseError } from "./errors.js";
import { type EarlyGallery, listed, type Listed, manifestOf } from "./gallery-files.js";
import { Loader, type LoaderOptions } from "./loader.js";
import { type Listener, MadeGallery } from "./made.js";
import { surroundings } from "./surroundings.js";
import type { Changed, Snapshot } from "./protocol.js";
import type { Queue } from "./queue.js";
import { fetchThumbnails, imageOf, type Thumbnails } from "./thumbnails.js";
import type { GalleryInfo, Hit, Item, Kind } from "./types.js";

/** A gallery that was downloaded. */
interface Downloaded {
  /** The engine's number. */
  handle: number;
  kind: Kind;
  /** Length of the downloaded files. */
  bytes: number;
  /** Asks again where it failed before. */
  thumbnails?: () => Promise<Thumbnails | null>;
  /** Ends what is still being fetched for it. */
  closed: AbortController;
}

export class Shelf {
  readonly #engine: Engine;
  readonly #queue: Queue;
  readonly #cache: boolean;
  readonly #tell: (changed: Changed) => void;
  readonly #early: Map<string, EarlyGallery>;
  readonly #downloaded = new Map<number, Downloaded>();
  readonly #made = new Map<number, MadeGallery>();

  /** `tell` is told of what other tabs have done to a gallery; `early` are galleries that are on their way, by address. */
  constructor(engine: Engine, queue: Queue, cache: boolean, tell: (changed: Changed) => void, early: Map<string, EarlyGallery>) {
    this.#engine = engine;
    this.#early = early;
    this.#queue = queue;
    this.#cache = cache;
    this.#tell = tell;
  }

  /** A gallery that can be changed. */
  made(gallery: number): MadeGallery {
    const made = this.#made.get(gallery);
    if (made) return made;
    this.#get(gallery);
    throw new AvseError("refused", "only galleries of Gallery.create can be changed and saved");
  }

  kind(gallery: number): Kind {
    return this.#made.get(gallery)?.pieces.kind ?? this.#get(gallery).kind;
  }

  info(gallery: number): GalleryInfo {
    const made = this.#made.get(gallery);
    if (made) return { ...made.info, bytes: 0, canSave: made.canSave };
    const { handle, bytes } = this.#get(gallery);
    return { ...this.#engine.galleryInfo(handle), bytes, canSave: false };
  }

  async search(gallery: number, asked: Kind, blocks: Float32Array, k: number): Promise<Hit[]> {
    const made = this.#made.get(gallery);
    return made ? made.pieces.search(asked, blocks, k) : this.#engine.search(this.#get(gallery).handle, asked, blocks, k);
  }

  item(gallery: number, row: number): Item {
    return this.#made.get(gallery)?.pieces.item(row) ?? this.#engine.item(this.#get(gallery).handle, row);
  }

  blocks(gallery: number, row: number): Float32Array<ArrayBuffer> {
    return this.#made.get(gallery)?.pieces.blocks(row) ?? this.#engine.rowBlocks(this.#get(gallery).handle, row);
  }

  async thumbnail(gallery: number, row: number, signal: AbortSignal): Promise<Blob | null> {
    if (this.#downloaded.has(gallery)) return (await this.#get(gallery).thumbnails?.())?.row(row) ?? null;
    // After what the row's number may depend on.
    return this.#queue.run(() => {
      const { pieces } = this.made(gallery);
      const { piece, at } = pieces.locate(row);
      const { thumbnail } = piece.rows[at]!;
      return thumbnail && imageOf(thumbnail);
    }, signal);
  }

  /** Opens a gallery whose files are here or on their way; `null` where there is none, or it failed. */
  async #openEarly(url: string, { onProgress }: Omit<LoaderOptions, "cache">): Promise<(Listed & { handle: number }) | null> {
    const address = manifestOf(url);
    const early = this.#early.get(address);
    // Its memory is needed once.
    this.#early.delete(address);
    early?.follow(onProgress);
    const fetched = await early?.fetched;
    if (!fetched) return null;
    const { manifest, files, contents: [embeddings, items] } = fetched;
    const parts = { manifest: manifest.bytes, embeddings, items } as GalleryParts;
    return { manifest, files, handle: await this.#queue.run(() => this.#engine.openGallery(parts, true)) };
  }

  async #download(url: string, options: Omit<LoaderOptions, "cache">): Promise<Listed & { handle: number }> {
    const loader = new Loader(surroundings(), { ...options, cache: this.#cache });
    const { manifest, files } = await listed(url, loader);
    const handle = await loader.files(files, ([embeddings, items], hashed) =>
      this.#queue.run(() => this.#engine.openGallery({ manifest: manifest.bytes, embeddings, items } as GalleryParts, hashed)),
    );
    await loader.finish();
    return { manifest, files, handle };
  }

  /** Downloads and opens a gallery; its thumbnails follow. */
  async openUrl(gallery: number, url: string, options: Omit<LoaderOptions, "cache">): Promise<GalleryInfo> {
    const { handle, manifest, files } = (await this.#openEarly(url, options)) ?? (await this.#download(url, options));
    if (options.signal?.aborted) {
      this.#engine.closeGallery(handle);
      throw options.signal.reason;
    }
    const { kind, items } = this.#engine.galleryInfo(handle);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const closed = new AbortController();
    const open: Downloaded = { handle, kind, bytes, closed };
    this.#downloaded.set(gallery, open);
    if (kind === "images") {
      let coming: Promise<Thumbnails | null> | undefined;
      open.thumbnails = () => {
        const later = new Loader(surroundings(), { cache: this.#cache, signal: closed.signal });
        coming ??= fetchThumbnails(manifest.url, items, later);
        coming.catch(() => (coming = undefined));
        return coming;
      };
      void open.thumbnails();
    }
    return this.info(gallery);
  }

  /** An empty gallery, or the kept one of this name. `version` is what the page knows of rows that have moved. */
  async create(gallery: number, options: { name?: string; kind?: Kind; version?: number }): Promise<GalleryInfo> {
    try {
      this.#made.set(gallery, await MadeGallery.open(this.#engine, options, this.#listener(gallery)));
    } catch (thrown) {
      if (thrown instanceof WebAssembly.RuntimeError) throw thrown;
      const { code, message } = asAvseError(thrown);
      throw new AvseError(code, `kept gallery "${options.name}": ${message}`, { cause: thrown });
    }
    return this.info(gallery);
  }

  /** A gallery as it was in a worker that broke. */
  async restore(gallery: number, snapshot: Snapshot): Promise<GalleryInfo> {
    const made = await MadeGallery.restore(this.#engine, snapshot, this.#listener(gallery));
    this.#made.set(gallery, made);
    if (made.version !== snapshot.version) this.#told(gallery, "changed");
    return this.info(gallery);
  }

  close(gallery: number): void {
    this.#made.get(gallery)?.close();
    this.#made.delete(gallery);
    const open = this.#downloaded.get(gallery);
    if (!open) return;
    this.#downloaded.delete(gallery);
    open.closed.abort();
    this.#engine.closeGallery(open.handle);
  }

  /** All made galleries, to be made again elsewhere. */
  snapshots(): Snapshot[] {
    return [...this.#made].map(([gallery, made]) => made.snapshot(gallery));
  }

  #get(gallery: number): Downloaded {
    const open = this.#downloaded.get(gallery);
    if (!open) throw new AvseError("disposed", "this gallery has been closed");
    return open;
  }

  #told(gallery: number, what: Changed["what"]): void {
    const made = this.#made.get(gallery);
    if (made) this.#tell({ gallery, what, items: made.pieces.size, version: made.version });
  }

  #listener(gallery: number): Listener {
    return {
      changed: () => this.#told(gallery, "changed"),
      heard: (news) => {
        const work = this.#queue.run(async () => {
          const made = this.#made.get(gallery);
          if (news === "saved") return made?.refresh();
          made?.detach();
          this.#told(gallery, "deleted");
        });
        // What goes wrong here is said by the next save; a trap is for the worker.
        work.catch((thrown: unknown) => {
          if (thrown instanceof WebAssembly.RuntimeError) throw thrown;
        });
      },
    };
  }
}
