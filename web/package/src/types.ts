/**
 * What goes into the calls of this package and what comes out.
 */

import type { AvseError } from "./errors.js";

/**
 * Where the network runs. `auto` begins on WebAssembly, and takes WebGPU on later visits once a trial has shown that it is
 * right and faster; models over 100 MB take a real GPU at once. With `cache: false` smaller models stay on WebAssembly.
 */
export type Device = "auto" | "webgpu" | "wasm";

/** What a gallery holds, or what an embedding is of. */
export type Kind = "images" | "captions";

/** How far a download is. `loaded` never falls, and ends equal to `total`. */
export interface Progress {
  /** Bytes that are here. */
  loaded: number;
  /** Bytes of everything, known before the first report: code, model, gallery. */
  total: number;
  /** The file that the last bytes were of. */
  what: string;
  /** Whether that file came from the browser's cache. */
  fromCache: boolean;
}

/** Options of every call. */
export interface CallOptions {
  /** Rejects the call with the signal's reason, at once. */
  signal?: AbortSignal;
}

/** Options of {@link Avse.openGallery}. */
export interface OpenOptions extends CallOptions {
  /** Is told how the download goes, about 20 times a second. */
  onProgress?(progress: Progress): void;
}

/** Options of {@link Avse.load}. */
export interface LoadOptions extends OpenOptions {
  /** Default `auto`. */
  device?: Device;
  /**
   * Which of the export's galleries are fetched together with the model, for {@link Avse.openGallery} to find them here:
   * those of these kinds. Default none. Not on pages over plain http.
   */
  galleries?: Kind[];
  /** Whether files are kept in the browser's cache, so that the next visit needs no network; default `true`. */
  cache?: boolean;
  /** The folder with the package's `manifest.json` of WebAssembly builds, where it is not `dist/wasm` beside the script. */
  wasmUrl?: string | URL;
  /** The package's `dist/worker.js`, or what a bundler made of it, where it is not found by itself. */
  workerUrl?: string | URL;
  /** Makes the worker, for those who need another way still. */
  worker?: () => Worker;
}

/** Options of a search. */
export interface SearchOptions extends CallOptions {
  /** Number of hits at most; default 10. */
  k?: number;
}

/** A picture. Blobs and files are decoded in the worker; of the others the present content is taken. */
export type ImageInput =
  | Blob
  | ImageBitmap
  | ImageData
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement;

/** The loaded model. */
export interface ModelInfo {
  /** Where it runs. */
  device: "cpu" | "webgpu";
  /** The GPU's name, as far as the browser tells; empty on the CPU. */
  adapter: string;
  simd: boolean;
  /** Names the model: a gallery fits the model whose fingerprint it carries. */
  fingerprint: string;
  /** How the weights were stored. */
  precision: string;
  /** Numbers of a caption's embedding: `captionBlocks * blockSize`. */
  embedSize: number;
  /** Numbers of a block. */
  blockSize: number;
  /** Blocks of an image, over all views. */
  imageBlocks: number;
  captionBlocks: number;
  /** Side that pictures are scaled to, in pixels. */
  imageSize: number;
  /** Views of each image. */
  views: number;
  /** The image's patches: `side * side` of them, and whether one token stands for the whole. */
  grid: { side: number; classToken: boolean };
  /** Patches that a view keeps. */
  kept: number;
  parameters: number;
  /** Word pieces of a sentence at most; later ones are cut off. */
  maxTokens: number;
  vocabulary: number;
  /** Whether pictures can be encoded; a model exported for text alone cannot. */
  hasImageTower: boolean;
  /** Downloaded sizes, before the transfer's compression. */
  bytes: { code: number; model: number };
  /** What loading took: until all bytes were here, and from there until the model was ready. */
  seconds: { download: number; start: number };
  /** Why WebGPU was not taken, where the device was `auto`. */
  fallback?: string;
}

/** Someone's work that an export contains. */
export interface Credit {
  what: string;
  by: string;
  licence: string;
  url?: string;
}

/** The content of `avse.json`: what an export for the web holds. */
export interface ExportInfo {
  format: "avse-web";
  version: number;
  /** The model's folder, relative to the export. */
  model: string;
  galleries: { name: string; path: string; kind: Kind; items: number }[];
  /** What the model knows, in words. */
  domain?: string;
  credits?: Credit[];
  [more: string]: unknown;
}

/** An embedding: unit blocks of a sentence or a picture. */
export interface Embedding {
  kind: Kind;
  /** `blocks * blockSize` numbers, block by block, each block of length 1. */
  blocks: Float32Array;
  /** What encoding took. */
  seconds: number;
}

/** A row of a gallery that a query found. */
export interface Hit {
  /** The row. */
  index: number;
  /** Sum of each caption block's best cosine: at most the number of caption blocks. */
  score: number;
  key: string;
  caption?: string;
  path?: string;
  metadata?: Record<string, unknown>;
}

/** What a row of a gallery is. */
export interface Item {
  key: string;
  caption?: string;
  path?: string;
  metadata?: Record<string, unknown>;
  /** Hash of what was encoded, in hexadecimal digits. */
  sha256: string;
  /** Length of the picture's file. */
  bytes?: number;
}

/** The best rows, best first. */
export interface SearchResult {
  hits: Hit[];
  /** The question, to be asked again or explained without encoding it anew. */
  query: Embedding;
  seconds: { encode: number; search: number };
}

/** Why a picture and a caption match. */
export interface Explanation {
  /** Cosines, `imageBlocks * captionBlocks`, one row an image block. */
  matrix: Float32Array;
  imageBlocks: number;
  captionBlocks: number;
  /** The image block that each caption block chose. */
  chosen: Uint32Array;
  /** The view which that image block is of. */
  chosenView: Uint32Array;
  /** The sum of the chosen cosines. */
  score: number;
  /** The patches that each view keeps, numbered row by row on the grid. */
  views: Uint32Array[];
  /** Patches a side. */
  gridSide: number;
}

/** What is known of an open gallery. */
export interface GalleryInfo {
  kind: Kind;
  items: number;
  /** How embeddings are stored: `f32`, `f16` or `int8`. */
  precision: string;
  /** Whether scores are exact; those of an `int8` gallery are approximate. */
  exact: boolean;
  shape: { blocks: number; width: number };
  /** The model it was made with. */
  fingerprint: string;
  /** Its files without thumbnails, before the transfer's compression; 0 for one made in the page. */
  bytes: number;
  /**
   * Whether {@link Gallery.save} can keep it: it was made with a name, and this browser keeps files for this page. On plain
   * http none does, and in private windows some do not: then the rows are gone when the visitor leaves.
   */
  canSave: boolean;
}

/** Options of {@link Gallery.create}. */
export interface CreateOptions extends CallOptions {
  /** The gallery is kept in the browser under this name by {@link Gallery.save}, and reopened when it is there. */
  name?: string;
  /** Default `images`, or what the kept gallery holds. */
  kind?: Kind;
}

/** Options of {@link Gallery.add}. */
export interface AddOptions extends CallOptions {
  /** Name of the row; by default the file's name, the sentence, or a number. */
  key?: string;
  /** Whatever else is to be known of the row; must survive JSON. */
  metadata?: object;
}

/** How far {@link Gallery.addAll} is. */
export interface AddProgress {
  /** The one that was worked off last. */
  source: ImageInput | string;
  /** Sources that have been worked off. */
  done: number;
  /** All that have been given so far. */
  total: number;
  /** Those of `done` that could not be read. */
  failed: number;
}

/** Options of {@link Gallery.addAll}. */
export interface AddAllOptions extends CallOptions {
  /** Key and metadata of each; by default as {@link Gallery.add} does it. */
  describe?(source: ImageInput | string): { key?: string; metadata?: object };
  /** Is told after each. The next one begins when the promise it may give is fulfilled: a place to save now and then. */
  onProgress?(progress: AddProgress): void | Promise<void>;
}

/** What became of {@link Gallery.addAll}. */
export interface AddOutcome {
  /** How many were added. */
  added: number;
  /** Those that are no picture, or a broken one, with the reason. */
  failed: { source: ImageInput | string; error: AvseError }[];
}

/** What {@link Gallery.on} listens for. */
export type GalleryEvent = "changed" | "deleted";
