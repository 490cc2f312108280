/**
 * The messages between page and worker. Every call has a number, which its answer repeats.
 *
 * Galleries are numbered by the page, so that they keep their numbers when a worker is replaced.
 */

import type { ErrorRecord } from "./errors.js";
import type { Thumbnail } from "./thumbnails.js";
import type { Run } from "./trial.js";
import type {
  Device, Embedding, Explanation, ExportInfo, GalleryInfo, Item, Kind, ModelInfo, Progress, SearchResult,
} from "./types.js";

/** A picture that can be posted. */
export type Picture = Blob | ImageBitmap | ImageData;

/** A question: still to be encoded, or an embedding. */
export type Question = { text: string } | { picture: Picture } | { embedding: Embedding };

export interface LoadRequest {
  url: string;
  device: Device;
  cache: boolean;
  wasmUrl?: string;
  /** Kinds of galleries that are fetched at once. */
  galleries?: Kind[];
  /** Why the GPU, which was taken with `auto`, failed on this page: it is remembered for the next visits. */
  distrust?: string;
}

export interface Loaded {
  info: ModelInfo;
  exported: ExportInfo | null;
  /** Whether there is a GPU that the page should have tried, see `gpu-trial.ts`. */
  untried: boolean;
}

/** Files as blobs, which live outside both threads and cost nothing to post. */
export interface FileBlobs {
  manifest: Blob;
  embeddings: Blob;
  items: Blob;
}

/** A row that was added: its embedding, and what it is. */
export interface Added {
  item: Record<string, unknown>;
  sha256: string;
  blocks: Float32Array<ArrayBuffer>;
}

/** A gallery that was made in the page, to be made again in a fresh worker: what is kept is read there, the rest is here. */
export interface Snapshot {
  gallery: number;
  kind: Kind;
  name?: string;
  canSave: boolean;
  version: number;
  /** The kept gallery, and the numbers of its rows that were here. */
  kept?: { made: string; ids: number[] };
  /** Numbers of rows that were removed and are still in the store. */
  removed: number[];
  /** Rows that are in no store. */
  pieces: { files?: FileBlobs; added?: Added[]; thumbnails: (Thumbnail | null)[] }[];
}

/** What other tabs have done to a kept gallery. */
export interface Changed {
  gallery: number;
  what: "changed" | "deleted";
  items: number;
  /** Counts how often rows have moved that way. */
  version: number;
}

/** Every call: what is asked and what is answered. */
export interface Calls {
  load: { request: LoadRequest; answer: Loaded };
  wordPieces: { request: { text: string }; answer: string[] };
  encode: { request: { text: string } | { picture: Picture }; answer: Embedding };
  search: { request: { gallery: number; question: Question; k: number }; answer: SearchResult };
  /** What the device makes of a GPU's trial. */
  trial: { request: Record<never, never>; answer: Run };
  /** Remembers why the GPU is not to be taken, or `null` when it is to be taken. */
  judge: { request: { objection: string | null }; answer: null };
  explain: { request: { gallery: number; query: Embedding; index: number }; answer: Explanation };
  openGallery: { request: { gallery: number; url: string }; answer: GalleryInfo };
  createGallery: { request: { gallery: number; name?: string; kind?: Kind; version?: number }; answer: GalleryInfo };
  restoreGallery: { request: { gallery: number; snapshot: Snapshot }; answer: GalleryInfo };
  add: {
    request: { gallery: number; content: { text: string } | { picture: Picture }; key?: string; metadata?: object };
    answer: { row: number; items: number };
  };
  /** `version` is what the page knows of rows that have moved. */
  remove: { request: { gallery: number; row: number; version: number }; answer: { items: number } };
  clear: { request: { gallery: number }; answer: null };
  save: { request: { gallery: number }; answer: { items: number } };
  addFile: { request: { gallery: number; file: Blob }; answer: { items: number } };
  asFile: { request: { gallery: number }; answer: Blob };
  thumbnail: { request: { gallery: number; row: number }; answer: Blob | null };
  item: { request: { gallery: number; row: number }; answer: Item };
  closeGallery: { request: { gallery: number }; answer: null };
  /** The galleries that were made in the page; the worker begins nothing new afterwards. */
  salvage: { request: Record<never, never>; answer: Snapshot[] };
  /** For tests: loses the GPU as a driver's reset would. */
  loseDevice: { request: Record<never, never>; answer: null };
}

export type CallName = keyof Calls;

/** From the page. */
export type ToWorker =
  | { [N in CallName]: { type: "call"; id: number; name: N; request: Calls[N]["request"] } }[CallName]
  | { type: "abort"; id: number };

/** From the worker. */
export type ToPage =
  | { type: "answer"; id: number; value: unknown }
  | { type: "failure"; id: number; error: ErrorRecord }
  | { type: "progress"; id: number; progress: Progress }
  | ({ type: "changed" } & Changed)
  /** The engine is unusable; nothing but `salvage` is answered any more. */
  | { type: "crash"; error: ErrorRecord };
