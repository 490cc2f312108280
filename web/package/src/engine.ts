/**
 * The engine as the WebAssembly builds export it. The worker talks to this interface only.
 */

import type { GalleryInfo, Hit, Item, ModelInfo } from "./types.js";

type Bytes = Uint8Array<ArrayBuffer>;

export interface BundleParts {
  manifest: Bytes;
  config: Bytes;
  weights: Bytes;
  tokenizer: Bytes;
}

export interface GalleryParts {
  manifest: Bytes;
  embeddings: Bytes;
  items: Bytes;
}

/** What the engine itself knows of the model. */
export type EngineInfo = Omit<ModelInfo, "bytes" | "seconds" | "fallback">;

/** What the engine itself knows of a gallery. */
export type EngineGalleryInfo = Omit<GalleryInfo, "bytes" | "canSave">;

export interface Engine {
  info(): EngineInfo;
  encodeText(text: string): Promise<Float32Array<ArrayBuffer>>;
  wordPieces(text: string): string[];
  imageSize(file: Bytes): { width: number; height: number; format: string };
  /** Throws `refused` for a model of the text tower alone. */
  expectImageTower(): void;
  encodeImage(width: number, height: number, rgba: Uint8Array): Promise<Float32Array<ArrayBuffer>>;
  viewPatches(): Uint32Array<ArrayBuffer>;
  /** `hashed`: the files' hashes have been compared with the manifest's. */
  openGallery(files: GalleryParts, hashed?: boolean): number;
  createGallery(kind: string): number;
  galleryInfo(handle: number): EngineGalleryInfo;
  add(handle: number, blocks: Float32Array, item: object, sha256: string): void;
  removeRow(handle: number, row: number): void;
  search(handle: number, asked: string, blocks: Float32Array, k: number): Promise<Hit[]>;
  item(handle: number, row: number): Item;
  rowBlocks(handle: number, row: number): Float32Array<ArrayBuffer>;
  explain(image: Float32Array, caption: Float32Array): { products: number[]; chosen: number[]; score: number };
  galleryFiles(handle: number): GalleryParts;
  closeGallery(handle: number): void;
  loseDevice(): void;
  /** Gives its memory back; it is unusable from then on. */
  free(): void;
}

/** The module that wasm-bindgen makes of a build. */
export interface Glue {
  default(arg: { module_or_path: WebAssembly.Module }): Promise<{ memory?: WebAssembly.Memory }>;
  Engine: { create(files: BundleParts, device: string, hashed: boolean): Promise<Engine> };
}

