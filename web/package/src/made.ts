/**
 * A gallery that is made in the page: its rows, and what is kept of them.
 *
 * Several tabs may have the same kept gallery open. A save takes over what the others have saved since, and adds its own
 * changes to that: new rows behind theirs, and what was removed goes, whoever did it.
 */

import type { Engine } from "./engine.js";
import { AvseError } from "./errors.js";
import { keep } from "./keep.js";
import { FULL, idsOf, type KeptList, type Segment } from "./kept.js";
import { blobsOf, partsOf, type Piece, Pieces, type Row } from "./pieces.js";
import type { Snapshot } from "./protocol.js";
import { apart, chosen, contentOf, segmentOf, together, verify } from "./segments.js";
import { channelOf, type Folder, inFolder, type News } from "./store.js";
import { unpackTar } from "./tar.js";
import type { GalleryInfo, Kind } from "./types.js";

/** Who is told of what other tabs do. */
export interface Listener {
  /** Another tab has saved or deleted the gallery. */
  heard(news: News): void;
  /** Rows have come or gone through another tab. */
  changed(): void;
}

export class MadeGallery {
  readonly #engine: Engine;
  readonly #listener: Listener;
  readonly #channel: BroadcastChannel | null;
  readonly name: string | undefined;
  /** Whether it has a name, and this browser keeps files for this page. */
  readonly canSave: boolean;
  readonly pieces: Pieces;
  /** Counts how often rows have moved through other tabs. */
  version: number;
  /** The kept state that is known here. */
  #known: KeptList | null = null;
  /** Numbers of rows that were removed here and are still in the store. */
  #removed = new Set<number>();

  private constructor(engine: Engine, kind: Kind, name: string | undefined, canSave: boolean, version: number, listener: Listener) {
    this.#engine = engine;
    this.#listener = listener;
    this.name = name;
    this.canSave = canSave;
    this.version = version;
    this.pieces = new Pieces(engine, kind);
    this.#channel = name === undefined || !canSave ? null : channelOf(name);
    this.#channel?.addEventListener("message", ({ data }: MessageEvent<News>) => listener.heard(data));
  }

  /** An empty gallery, or what is kept under its name. */
  static async open(
    engine: Engine,
    { name, kind, version = 0 }: { name?: string; kind?: Kind; version?: number },
    listener: Listener,
  ): Promise<MadeGallery> {
    const fresh = (canSave: boolean, kept?: Kind) => new MadeGallery(engine, kept ?? kind ?? "images", name, canSave, version, listener);
    if (name === undefined) return fresh(false);
    return inFolder(name, false, async (folder) => {
      const list = (await folder?.list()) ?? null;
      const made = fresh(true, list?.kind);
      try {
        if (list && kind !== undefined && kind !== list.kind) throw new AvseError("refused", `holds ${list.kind}, not ${kind}`);
        await made.#follow(folder, list);
        return made;
      } catch (thrown) {
        made.close();
        throw thrown;
      }
    }).catch((thrown: unknown) => {
      // Where nothing can be kept, nothing is: the gallery lasts as long as the page.
      if (thrown instanceof AvseError && thrown.code === "unsupported") return fresh(false);
      throw thrown;
    });
  }

  /** A gallery as it was in a worker that broke. */
  static async restore(engine: Engine, snapshot: Snapshot, listener: Listener): Promise<MadeGallery> {
    const { kind, name, canSave, version, kept } = snapshot;
    const made = new MadeGallery(engine, kind, name, canSave, version, listener);
    try {
      if (name !== undefined && kept) {
        made.#removed = new Set(snapshot.removed);
        await inFolder(name, false, async (folder) => {
          const list = (await folder?.list()) ?? null;
          if (list?.made === kept.made) await made.#follow(folder, list);
        });
        if (String(made.#ids()) !== String(kept.ids)) made.#moved();
      }
      for (const { files, added, thumbnails } of snapshot.pieces) {
        if (files) {
          const rows = thumbnails.map((thumbnail) => ({ id: null, thumbnail }));
          made.pieces.full.push(made.pieces.open(await partsOf(files), rows, { files }));
        }
        added?.forEach((row, at) => made.pieces.add(row, thumbnails[at]!));
      }
      return made;
    } catch (thrown) {
      made.close();
      throw thrown;
    }
  }

  get info(): Omit<GalleryInfo, "bytes" | "canSave"> {
    return { ...this.#engine.galleryInfo(this.pieces.last.handle), items: this.pieces.size };
  }

  remove(row: number): void {
    const { id } = this.pieces.remove(row);
    if (id !== null) this.#removed.add(id);
  }

  clear(): void {
    for (const id of this.#ids()) this.#removed.add(id);
    this.pieces.clear();
  }

  /** Adds the rows of a gallery's file behind the others, all or none of them. */
  async addFile(file: Blob, signal: AbortSignal): Promise<void> {
    const { parts, thumbnails } = await contentOf(await unpackTar(file));
    await verify(parts);
    const opened: Piece[] = [];
    try {
      for await (const { parts: some, from, to } of apart(parts, FULL)) {
        signal.throwIfAborted();
        const rows = thumbnails.slice(from, to).map((thumbnail) => ({ id: null, thumbnail }));
        const piece = this.pieces.open(some, rows, { files: blobsOf(some) });
        opened.push(piece);
        const [theirs, ours] = [this.#engine.galleryInfo(piece.handle), this.info];
        for (const what of ["kind", "precision"] as const) {
          if (theirs[what] === ours[what]) continue;
          throw new AvseError("refused", `the ${what} of the gallery in this file is ${theirs[what]}, and here it is ${ours[what]}`);
        }
      }
    } catch (thrown) {
      this.pieces.close(opened);
      throw thrown;
    }
    this.pieces.seal();
    this.pieces.full.push(...opened);
  }

  /** All rows as one file. */
  async asFile(): Promise<Blob> {
    const pieces = this.pieces.all.filter(({ rows }) => rows.length > 0);
    const some = pieces.length > 0 ? pieces : [this.pieces.last];
    const parts = await together(some.map((piece) => () => this.pieces.files(piece)), this.pieces.size);
    return segmentOf(blobsOf(parts), pieces.flatMap(({ rows }) => rows.map(({ thumbnail }) => thumbnail))).file;
  }

  /** Takes over what other tabs have saved. */
  async refresh(): Promise<void> {
    if (this.name === undefined || !this.canSave) return;
    await inFolder(this.name, false, (folder) => this.#takeOver(folder));
  }

  /** The kept gallery has been deleted; the rows stay here, and nowhere else. */
  detach(): void {
    for (const piece of this.pieces.full) {
      if (piece.segment === undefined) continue;
      delete piece.segment;
      for (const row of piece.rows) row.id = null;
      piece.files = blobsOf(this.pieces.files(piece));
    }
    this.pieces.replace(this.pieces.full.filter(({ rows }) => rows.length > 0));
    this.#removed.clear();
    this.#known = null;
  }

  /** Keeps what has changed. */
  async save(): Promise<void> {
    const { name } = this;
    if (name === undefined) throw new AvseError("refused", "this gallery was made without a name to be kept under");
    await inFolder(name, true, async (folder) => {
      const list = await this.#takeOver(folder);
      const unsaved = this.pieces.all.some(({ segment, rows }) => segment === undefined && rows.length > 0);
      if (list && !unsaved && this.#removed.size === 0) return;
      this.#known = await keep(this.pieces, folder!, list);
      this.#removed.clear();
      this.#channel?.postMessage("saved" satisfies News);
    });
  }

  /** What a fresh worker needs to make it again. */
  snapshot(gallery: number): Snapshot {
    const unsaved = this.pieces.all.filter(({ segment, rows }) => segment === undefined && rows.length > 0);
    return {
      gallery,
      kind: this.pieces.kind,
      canSave: this.canSave,
      version: this.version,
      removed: [...this.#removed],
      pieces: unsaved.map(({ files, added, rows }) => ({
        thumbnails: rows.map(({ thumbnail }) => thumbnail),
        ...(files ? { files } : {}),
        ...(added ? { added } : {}),
      })),
      ...(this.name === undefined ? {} : { name: this.name }),
      ...(this.#known ? { kept: { made: this.#known.made, ids: this.#ids() } } : {}),
    };
  }

  close(): void {
    this.#channel?.close();
    this.pieces.close(this.pieces.all);
  }

  /** Takes over the newest kept state, and tells when rows have moved. */
  async #takeOver(folder: Folder | null): Promise<KeptList | null> {
    const list = (await folder?.list()) ?? null;
    const before = this.#ids();
    await this.#follow(folder, list);
    // Rows that are deleted elsewhere stay here: then there are none in the store, and nothing has moved.
    if (this.#known && String(before) !== String(this.#ids())) this.#moved();
    return list;
  }

  /** Makes the rows that are in the store those of `list`, but for what was removed here. */
  async #follow(folder: Folder | null, list: KeptList | null): Promise<void> {
    if (this.#known && list?.made !== this.#known.made) this.detach();
    if (!list || list.state === this.#known?.state) return;
    if (list.kind !== this.pieces.kind) throw new AvseError("refused", `is kept with ${list.kind}, not ${this.pieces.kind}`);
    const saved = new Map(this.pieces.full.flatMap((piece) => (piece.segment === undefined ? [] : [[piece.segment, piece]])));
    const [next, opened]: [Piece[], Piece[]] = [[], []];
    try {
      for (const segment of list.segments) {
        const there = saved.get(segment.file);
        const piece = there ?? (await this.#read(folder!, segment));
        if (!there && piece) opened.push(piece);
        if (piece) next.push(piece);
      }
    } catch (thrown) {
      this.pieces.close(opened);
      throw thrown;
    }
    const alive = new Set(list.segments.flatMap(idsOf));
    for (const piece of next) {
      for (let at = piece.rows.length - 1; at >= 0; at--) if (!alive.has(piece.rows[at]!.id)) this.pieces.removeFrom(piece, at);
    }
    this.pieces.close([...saved.values()].filter((piece) => !next.includes(piece)));
    this.pieces.full = [...next, ...this.pieces.full.filter(({ segment }) => segment === undefined)];
    for (const id of this.#removed) if (!alive.has(id)) this.#removed.delete(id);
    this.#known = list;
  }

  /** The rows of a segment that have not been removed, if there are any. */
  async #read(folder: Folder, segment: Segment): Promise<Piece | null> {
    const ids = idsOf(segment);
    const there = ids.flatMap((id, at) => (id === null || this.#removed.has(id) ? [] : [at]));
    if (there.length === 0) return null;
    const { parts, thumbnails } = await contentOf(await folder.segment(segment.file));
    const rows: Row[] = there.map((at) => ({ id: ids[at]!, thumbnail: thumbnails[at] ?? null }));
    return this.pieces.open(await chosen(parts, there), rows, { segment: segment.file });
  }

  #ids(): number[] {
    return this.pieces.full.flatMap(({ rows }) => rows.flatMap(({ id }) => id ?? []));
  }

  #moved(): void {
    this.version += 1;
    this.#listener.changed();
  }
}
