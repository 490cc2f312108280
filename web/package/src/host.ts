/**
 * What the worker does for each call.
 */

import type { Engine } from "./engine.js";
import { AvseError } from "./errors.js";
import { sha256 } from "./hash.js";
import { loadModel, type Model } from "./model.js";
import { pixelsOf, thumbnailOf } from "./pictures.js";
import type { CallName, Calls, Changed, Picture, Question, Snapshot } from "./protocol.js";
import { Queue } from "./queue.js";
import { Shelf } from "./shelf.js";
import { alone } from "./thumbnails.js";
import { trial } from "./trial.js";
import type { Embedding, Explanation, Progress } from "./types.js";
import { answered } from "./watch.js";

/** What goes with a call. */
export interface Context {
  /** Aborted when the page no longer wants the answer. */
  signal: AbortSignal;
  onProgress(progress: Progress): void;
}

type Handlers = {
  [N in CallName]: (request: Calls[N]["request"], context: Context) => Calls[N]["answer"] | Promise<Calls[N]["answer"]>;
};

export class Host {
  readonly #queue = new Queue();
  readonly #tell: (changed: Changed) => void;
  #model: Model | null = null;
  #shelf: Shelf | null = null;

  /** `tell` is told of what other tabs have done to a gallery. */
  constructor(tell: (changed: Changed) => void) {
    this.#tell = tell;
  }

  /** The module's memory, for what a crash may have been about. */
  get memory(): WebAssembly.Memory | undefined {
    return this.#model?.memory;
  }

  /** Works off a call. */
  call<N extends CallName>(name: N, request: Calls[N]["request"], context: Context): Promise<Calls[N]["answer"]> {
    const handler = this.#handlers[name];
    // Downloads run beside the engine's work; all else in the order of the calls.
    if (name === "load" || name === "openGallery" || name === "salvage" || name === "thumbnail") {
      return Promise.resolve(handler(request, context));
    }
    return this.#queue.run(() => handler(request, context), context.signal);
  }

  readonly #handlers: Handlers = {
    load: async (request, context) => {
      this.#model = await loadModel(request, context);
      this.#shelf = new Shelf(this.#model.engine, this.#queue, request.cache, this.#tell, this.#model.early);
      const { info, exported, untried } = this.#model;
      return { info, exported, untried };
    },
    wordPieces: ({ text }) => this.#engine.wordPieces(text),
    encode: (request) => this.#encode(request),
    search: async ({ gallery, question, k }, { signal }) => {
      this.#galleries.kind(gallery);
      const query = await this.#encode(question);
      signal.throwIfAborted();
      const began = performance.now();
      const hits = await answered(this.#galleries.search(gallery, query.kind, query.blocks, k));
      return { hits, query, seconds: { encode: query.seconds, search: since(began) } };
    },
    trial: () => trial(this.#engine),
    judge: async ({ objection }) => {
      await this.#model?.judge(objection);
      return null;
    },
    explain: ({ gallery, query, index }) => this.#explain(gallery, query, index),
    openGallery: ({ gallery, url }, context) => this.#galleries.openUrl(gallery, url, context),
    createGallery: ({ gallery, ...options }) => this.#galleries.create(gallery, options),
    restoreGallery: ({ gallery, snapshot }) => this.#galleries.restore(gallery, snapshot),
    add: (request, { signal }) => this.#add(request, signal),
    remove: ({ gallery, row, version }) => {
      const made = this.#galleries.made(gallery);
      if (version !== made.version) throw new AvseError("refused", `another tab has changed this gallery: row ${row} may be another one now`);
      made.remove(row);
      return { items: made.pieces.size };
    },
    clear: ({ gallery }) => {
      this.#galleries.made(gallery).clear();
      return null;
    },
    save: async ({ gallery }) => {
      const made = this.#galleries.made(gallery);
      await made.save();
      return { items: made.pieces.size };
    },
    addFile: async ({ gallery, file }, { signal }) => {
      const made = this.#galleries.made(gallery);
      await made.addFile(file, signal);
      return { items: made.pieces.size };
    },
    asFile: ({ gallery }) => this.#galleries.made(gallery).asFile(),
    thumbnail: ({ gallery, row }, { signal }) => this.#galleries.thumbnail(gallery, row, signal),
    item: ({ gallery, row }) => this.#galleries.item(gallery, row),
    closeGallery: ({ gallery }) => {
      this.#galleries.close(gallery);
      return null;
    },
    salvage: (): Snapshot[] => this.#shelf?.snapshots() ?? [],
    loseDevice: () => {
      this.#engine.loseDevice();
      return null;
    },
  };

  get #engine(): Engine {
    if (!this.#model) throw new AvseError("internal", "no model has been loaded");
    return this.#model.engine;
  }

  get #galleries(): Shelf {
    if (!this.#shelf) throw new AvseError("internal", "no model has been loaded");
    return this.#shelf;
  }

  async #encode(question: Question): Promise<Embedding> {
    if ("embedding" in question) return { ...question.embedding, seconds: 0 };
    const began = performance.now();
    if ("text" in question) {
      const blocks = await answered(this.#engine.encodeText(question.text));
      return { kind: "captions", blocks, seconds: since(began) };
    }
    const blocks = await this.#encodePicture(question.picture);
    return { kind: "images", blocks, seconds: since(began) };
  }

  async #encodePicture(picture: Picture): Promise<Float32Array<ArrayBuffer>> {
    this.#engine.expectImageTower();
    const { width, height, rgba } = await pixelsOf(picture, this.#engine);
    return answered(this.#engine.encodeImage(width, height, new Uint8Array(rgba.buffer)));
  }

  async #add({ gallery, content, key, metadata }: Calls["add"]["request"], signal: AbortSignal): Promise<Calls["add"]["answer"]> {
    const { pieces } = this.#galleries.made(gallery);
    const { kind, size } = pieces;
    const item: Record<string, unknown> = metadata === undefined ? {} : { metadata };
    let blocks: Float32Array<ArrayBuffer>;
    let hash: string;
    let thumbnail: Blob | null = null;
    if ("text" in content) {
      if (kind !== "captions") throw new AvseError("refused", "a gallery of images takes pictures, not sentences");
      blocks = await answered(this.#engine.encodeText(content.text));
      hash = await sha256(new TextEncoder().encode(content.text));
      item["key"] = key ?? content.text;
      item["caption"] = content.text;
    } else {
      if (kind !== "images") throw new AvseError("refused", "a gallery of captions takes sentences, not pictures");
      this.#engine.expectImageTower();
      const file = typeof File === "function" && content.picture instanceof File ? content.picture : null;
      const pixels = await pixelsOf(content.picture, this.#engine, { hash: true });
      blocks = await answered(this.#engine.encodeImage(pixels.width, pixels.height, new Uint8Array(pixels.rgba.buffer)));
      hash = pixels.hash!;
      thumbnail = await thumbnailOf(pixels);
      item["key"] = key ?? (file?.webkitRelativePath || file?.name || `picture ${size + 1}`);
      if (pixels.bytes !== undefined) item["bytes"] = pixels.bytes;
    }
    // From here on it is done as a whole.
    signal.throwIfAborted();
    pieces.add({ item, sha256: hash, blocks }, thumbnail && alone(thumbnail));
    return { row: size, items: size + 1 };
  }

  #explain(gallery: number, query: Embedding, index: number): Explanation {
    const kind = this.#galleries.kind(gallery);
    if (kind === query.kind) {
      throw new AvseError("refused", `only an image and a caption can be explained, and both are ${kind}`);
    }
    const { info } = this.#model!;
    const row = this.#galleries.blocks(gallery, index);
    const [image, caption] = kind === "images" ? [row, query.blocks] : [query.blocks, row];
    const { products, chosen, score } = this.#engine.explain(image, caption);
    const patches = this.#engine.viewPatches();
    const ofView = info.imageBlocks / info.views;
    return {
      matrix: Float32Array.from(products),
      imageBlocks: info.imageBlocks,
      captionBlocks: info.captionBlocks,
      chosen: Uint32Array.from(chosen),
      chosenView: Uint32Array.from(chosen, (block) => Math.floor(block / ofView)),
      score,
      views: Array.from({ length: info.views }, (_, view) => patches.slice(view * info.kept, (view + 1) * info.kept)),
      gridSide: info.grid.side,
    };
  }
}

/** Seconds since a time of `performance.now()`. */
function since(began: number): number {
  return (performance.now() - began) / 1000;
}
