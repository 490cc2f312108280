/**
 * What the worker remembers of a gallery that is made in the page: enough to make it again in a fresh worker.
 */

import type { Change, Snapshot } from "./protocol.js";
import type { GalleryParts } from "./engine.js";
import type { Kind } from "./types.js";

export class MadeGallery {
  readonly kind: Kind;
  readonly name: string | undefined;
  thumbnails: (Blob | null)[];
  #base: Snapshot["base"];
  #changes: Change[] = [];
  #blocks: Float32Array<ArrayBuffer>[] = [];

  constructor(kind: Kind, name: string | undefined, base?: Snapshot["base"], thumbnails: (Blob | null)[] = []) {
    this.kind = kind;
    this.name = name;
    this.#base = base;
    this.thumbnails = thumbnails;
  }

  added(item: Record<string, unknown>, sha256: string, blocks: Float32Array<ArrayBuffer>, thumbnail: Blob | null): void {
    this.#changes.push({ what: "add", item, sha256, numbers: blocks.length });
    this.#blocks.push(blocks);
    this.thumbnails.push(thumbnail);
  }

  removed(row: number): void {
    this.#changes.push({ what: "remove", row });
    this.thumbnails.splice(row, 1);
  }

  /** Everything so far is in these files. */
  saved(files: GalleryParts): void {
    const { manifest, embeddings, items } = files;
    this.#base = { manifest: new Blob([manifest]), embeddings: new Blob([embeddings]), items: new Blob([items]) };
    this.#changes = [];
    this.#blocks = [];
  }

  snapshot(gallery: number): Snapshot {
    return {
      gallery,
      kind: this.kind,
      blocks: new Blob(this.#blocks),
      changes: this.#changes,
      thumbnails: this.thumbnails,
      ...(this.name === undefined ? {} : { name: this.name }),
      ...(this.#base === undefined ? {} : { base: this.#base }),
    };
  }
}
