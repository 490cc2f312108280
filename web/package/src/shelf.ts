/**
 * The galleries that are open in the worker.
 */

import type { Engine, GalleryParts } from "./engine.js";
import { asAvseError, AvseError } from "./errors.js";
import { Loader, type LoaderOptions } from "./loader.js";
import { MadeGallery } from "./made.js";
import { candidates, expectFormat, fileOf, parseManifest } from "./manifest.js";
import { surroundings } from "./model.js";
import type { Snapshot } from "./protocol.js";
import type { Queue } from "./queue.js";
import * as store from "./store.js";
import { endsOf, fetchThumbnails, FORMAT, pack, Thumbnails } from "./thumbnails.js";
import type { GalleryInfo, Kind } from "./types.js";

/** An open gallery. */
export interface Shelved {
  /** The engine's number. */
  handle: number;
  kind: Kind;
  /** Length of the downloaded files. */
  bytes: number;
  /** Only of a gallery that is made in the page. */
  made?: MadeGallery;
  /** Only of a downloaded one; asks again where it failed before. */
  thumbnails?: () => Promise<Thumbnails | null>;
  /** Ends what is still being fetched for it. */
  closed: AbortController;
}

const FILES = { manifest: "manifest.json", embeddings: "embeddings.safetensors", items: "items.jsonl" } as const;
const PACKED = { list: "thumbnails.json", file: "thumbnails.bin" } as const;

export class Shelf {
  readonly #engine: Engine;
  readonly #queue: Queue;
  readonly #cache: boolean;
  readonly #open = new Map<number, Shelved>();

  constructor(engine: Engine, queue: Queue, cache: boolean) {
    this.#engine = engine;
    this.#queue = queue;
    this.#cache = cache;
  }

  get(gallery: number): Shelved {
    const open = this.#open.get(gallery);
    if (!open) throw new AvseError("disposed", "this gallery has been closed");
    return open;
  }

  /** A gallery that can be changed. */
  made(gallery: number): Shelved & { made: MadeGallery } {
    const open = this.get(gallery);
    if (!open.made) throw new AvseError("refused", "only galleries of Gallery.create can be changed and saved");
    return open as Shelved & { made: MadeGallery };
  }

  info(gallery: number): GalleryInfo {
    const { handle, bytes } = this.get(gallery);
    return { ...this.#engine.galleryInfo(handle), bytes };
  }

  /** Downloads and opens a gallery; its thumbnails follow. */
  async openUrl(gallery: number, url: string, options: Omit<LoaderOptions, "cache">): Promise<GalleryInfo> {
    const loader = new Loader(surroundings(), { ...options, cache: this.#cache });
    const manifest = await loader.manifest(candidates(url, [FILES.manifest]));
    expectFormat(manifest, "avse-gallery");
    const files = [fileOf(manifest, FILES.embeddings), fileOf(manifest, FILES.items)];
    loader.plan(files);
    const handle = await loader.files(files, ([embeddings, items]) =>
      this.#queue.run(() => this.#engine.openGallery({ manifest: manifest.bytes, embeddings: embeddings!, items: items! })),
    );
    await loader.finish();
    if (options.signal?.aborted) {
      this.#engine.closeGallery(handle);
      throw options.signal.reason;
    }
    const { kind, items } = this.#engine.galleryInfo(handle);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const closed = new AbortController();
    const open: Shelved = { handle, kind, bytes, closed };
    this.#open.set(gallery, open);
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

  /** An empty gallery, or the kept one of this name. */
  async create(gallery: number, name: string | undefined, kind: Kind | undefined): Promise<GalleryInfo> {
    const kept = name === undefined ? null : await store.read(name);
    if (!kept) {
      return this.#put(gallery, this.#engine.createGallery(kind ?? "images"), new MadeGallery(kind ?? "images", name));
    }
    try {
      const base = { manifest: kept[FILES.manifest]!, embeddings: kept[FILES.embeddings]!, items: kept[FILES.items]! };
      const handle = await this.#openFiles(base);
      const { kind: holds, items } = this.#engine.galleryInfo(handle);
      if (kind !== undefined && kind !== holds) {
        this.#engine.closeGallery(handle);
        throw new AvseError("refused", `holds ${holds}, not ${kind}`);
      }
      const thumbnails = await unpack(kept, items);
      return this.#put(gallery, handle, new MadeGallery(holds, name, base, thumbnails));
    } catch (thrown) {
      if (thrown instanceof WebAssembly.RuntimeError) throw thrown;
      const { code, message } = asAvseError(thrown);
      throw new AvseError(code, `kept gallery "${name}": ${message}`, { cause: thrown });
    }
  }

  /** A gallery as it was in a worker that broke. */
  async restore(gallery: number, snapshot: Snapshot): Promise<GalleryInfo> {
    const { kind, name, base, changes, thumbnails } = snapshot;
    const blocks = new Float32Array(await snapshot.blocks.arrayBuffer());
    const handle = base ? await this.#openFiles(base) : this.#engine.createGallery(kind);
    const made = new MadeGallery(kind, name, base);
    let at = 0;
    for (const change of changes) {
      if (change.what === "add") {
        const row = blocks.slice(at, (at += change.numbers));
        this.#engine.add(handle, row, change.item, change.sha256);
        made.added(change.item, change.sha256, row, null);
      } else {
        this.#engine.removeRow(handle, change.row);
        made.removed(change.row);
      }
    }
    made.thumbnails = thumbnails;
    return this.#put(gallery, handle, made);
  }

  /** Keeps a made gallery under its name. */
  async save(gallery: number): Promise<void> {
    const { handle, made } = this.made(gallery);
    if (made.name === undefined) throw new AvseError("refused", "this gallery was made without a name to be kept under");
    const files = this.#engine.galleryFiles(handle);
    const { blob, ends } = pack(made.thumbnails);
    const list = { format: FORMAT, version: 1, ends };
    await store.write(made.name, {
      [FILES.manifest]: new Blob([files.manifest]),
      [FILES.embeddings]: new Blob([files.embeddings]),
      [FILES.items]: new Blob([files.items]),
      [PACKED.list]: new Blob([JSON.stringify(list)]),
      [PACKED.file]: blob,
    });
    made.saved(files);
  }

  close(gallery: number): void {
    const open = this.#open.get(gallery);
    if (!open) return;
    this.#open.delete(gallery);
    open.closed.abort();
    this.#engine.closeGallery(open.handle);
  }

  /** All made galleries, to be made again elsewhere. */
  snapshots(): Snapshot[] {
    return [...this.#open].flatMap(([gallery, { made }]) => (made ? [made.snapshot(gallery)] : []));
  }

  #put(gallery: number, handle: number, made: MadeGallery): GalleryInfo {
    this.#open.set(gallery, { handle, kind: made.kind, bytes: 0, made, closed: new AbortController() });
    return this.info(gallery);
  }

  async #openFiles(base: NonNullable<Snapshot["base"]>): Promise<number> {
    const bytes = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer());
    const [manifest, embeddings, items] = await Promise.all([base.manifest, base.embeddings, base.items].map(bytes));
    return this.#engine.openGallery({ manifest, embeddings, items } as GalleryParts);
  }
}

/** The thumbnails of a kept gallery; they may be missing, the gallery is whole without them. */
async function unpack(kept: store.Files, rows: number): Promise<(Blob | null)[]> {
  try {
    const list = new Uint8Array(await kept[PACKED.list]!.arrayBuffer());
    const ends = endsOf(parseManifest(PACKED.list, list), rows);
    return new Thumbnails(new Uint8Array(await kept[PACKED.file]!.arrayBuffer()), ends).rows();
  } catch {
    return new Array<null>(rows).fill(null);
  }
}
