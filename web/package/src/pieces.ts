/**
 * The rows of a gallery that is made in the page, as galleries of the engine of a few hundred rows each.
 *
 * The engine writes and hashes a whole gallery before it can search one that has been changed. In pieces, that is a
 * few hundred rows, however many there are: adding and removing take the same time at the end as at the beginning.
 */

import type { Engine, GalleryParts } from "./engine.js";
import { AvseError } from "./errors.js";
import { FULL } from "./kept.js";
import type { Added, FileBlobs } from "./protocol.js";
import type { Thumbnail } from "./thumbnails.js";
import type { Hit, Item, Kind } from "./types.js";

export interface Row {
  /** Its number in the store; `null` while it is not there. */
  id: number | null;
  thumbnail: Thumbnail | null;
}

export interface Piece {
  /** The engine's number. */
  handle: number;
  rows: Row[];
  /** The kept segment that it is. */
  segment?: string;
  /** Of a piece that is in no segment and does not grow: its files, to make it again in a fresh worker. */
  files?: FileBlobs;
  /** Of the last piece, to which rows are added: the rows, for the same. */
  added?: Added[];
}

export class Pieces {
  readonly #engine: Engine;
  readonly kind: Kind;
  /** In the order of their rows, the one that grows apart. */
  full: Piece[] = [];
  /** The one that grows; it is in no segment. */
  last: Piece;

  constructor(engine: Engine, kind: Kind) {
    this.#engine = engine;
    this.kind = kind;
    this.last = this.empty();
  }

  get all(): Piece[] {
    return [...this.full, this.last];
  }

  get size(): number {
    return this.all.reduce((sum, { rows }) => sum + rows.length, 0);
  }

  add(added: Added, thumbnail: Thumbnail | null): void {
    if (this.last.rows.length >= FULL) this.seal();
    this.#engine.add(this.last.handle, added.blocks, added.item, added.sha256);
    this.last.rows.push({ id: null, thumbnail });
    this.last.added!.push(added);
  }

  /** Ends the last piece's growth, and begins another one. */
  seal(): void {
    if (this.last.rows.length === 0) return;
    const next = this.empty();
    this.last.files = blobsOf(this.files(this.last));
    delete this.last.added;
    this.full.push(this.last);
    this.last = next;
  }

  /** Takes a row out. */
  remove(row: number): Row {
    const { piece, at } = this.locate(row);
    return this.removeFrom(piece, at);
  }

  removeFrom(piece: Piece, at: number): Row {
    this.#engine.removeRow(piece.handle, at);
    piece.added?.splice(at, 1);
    const [removed] = piece.rows.splice(at, 1);
    if (piece.files) piece.files = blobsOf(this.files(piece));
    return removed!;
  }

  /** Has these pieces alone, and none that grows yet; the others are closed. */
  replace(full: Piece[]): void {
    const stay = new Set(full.map(({ handle }) => handle));
    const old = this.all;
    if (this.last.rows.length > 0) this.last = this.empty();
    this.full = full;
    this.close(old.filter((piece) => piece !== this.last && !stay.has(piece.handle)));
  }

  /** Takes all out. */
  clear(): void {
    const old = this.all;
    this.last = this.empty();
    this.full = [];
    for (const { handle } of old) this.#engine.closeGallery(handle);
  }

  /** The best rows of all pieces, in the order in which one gallery of them would give them. */
  async search(asked: Kind, blocks: Float32Array, k: number): Promise<Hit[]> {
    const found: Hit[] = [];
    let before = 0;
    for (const { handle, rows } of this.all) {
      if (rows.length > 0) {
        for (const hit of await this.#engine.search(handle, asked, blocks, k)) found.push({ ...hit, index: before + hit.index });
      }
      before += rows.length;
    }
    return found.sort((a, b) => b.score - a.score || a.index - b.index).slice(0, k);
  }

  item(row: number): Item {
    const { piece, at } = this.locate(row);
    return this.#engine.item(piece.handle, at);
  }

  blocks(row: number): Float32Array<ArrayBuffer> {
    const { piece, at } = this.locate(row);
    return this.#engine.rowBlocks(piece.handle, at);
  }

  /** A piece of such files; it is not among the others yet. */
  open(files: GalleryParts, rows: Row[], rest: Partial<Piece>): Piece {
    return { handle: this.#engine.openGallery(files), rows, ...rest };
  }

  /** A piece without rows; it is not among the others yet. */
  empty(): Piece {
    return { handle: this.#engine.createGallery(this.kind), rows: [], added: [] };
  }

  files({ handle }: Piece): GalleryParts {
    return this.#engine.galleryFiles(handle);
  }

  close(pieces: Piece[]): void {
    for (const { handle } of pieces) this.#engine.closeGallery(handle);
  }

  locate(row: number): { piece: Piece; at: number } {
    let at = row;
    for (const piece of this.all) {
      if (at < piece.rows.length && at >= 0) return { piece, at };
      at -= piece.rows.length;
    }
    throw new AvseError("shape", `no row ${row} of ${this.size}`);
  }
}

/** Files as blobs, which live outside the worker's memory. */
export function blobsOf({ manifest, embeddings, items }: GalleryParts): FileBlobs {
  return { manifest: new Blob([manifest]), embeddings: new Blob([embeddings]), items: new Blob([items]) };
}

/** Files in the worker's memory. */
export async function partsOf({ manifest, embeddings, items }: FileBlobs): Promise<GalleryParts> {
  const bytes = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer());
  return { manifest: await bytes(manifest), embeddings: await bytes(embeddings), items: await bytes(items) };
}
