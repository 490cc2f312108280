// What the page uses of the package, which the built site holds as `avse-web/`. Kept as a
// declaration so that the page is checked without building the package first.

export type Device = "auto" | "webgpu" | "wasm";

export interface Progress {
  loaded: number;
  total: number;
  what: string;
  fromCache: boolean;
}

export interface CallOptions {
  signal?: AbortSignal;
}

export interface LoadOptions extends CallOptions {
  device?: Device;
  onProgress?(progress: Progress): void;
  cache?: boolean;
}

export interface ModelInfo {
  device: string;
  adapter: string;
  embedSize: number;
  blockSize: number;
  imageBlocks: number;
  captionBlocks: number;
  imageSize: number;
  views: number;
  grid: { side: number; classToken: boolean };
  kept: number;
  parameters: number;
  precision: string;
  maxTokens: number;
  hasImageTower: boolean;
  bytes: { code: number; model: number };
  seconds: { download: number; start: number };
  /** Why WebGPU was not taken. */
  fallback?: string;
}

export type ImageInput =
  | Blob
  | ImageBitmap
  | ImageData
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement;

export interface Embedding {
  kind: "captions" | "images";
  blocks: Float32Array;
  seconds: number;
}

export interface Hit {
  index: number;
  score: number;
  key: string;
  caption?: string;
  path?: string;
  metadata?: Record<string, unknown>;
}

export interface SearchResult {
  hits: Hit[];
  query: Embedding;
  seconds: { encode: number; search: number };
}

export interface Explanation {
  matrix: Float32Array;
  imageBlocks: number;
  captionBlocks: number;
  chosen: Uint32Array;
  chosenView: Uint32Array;
  score: number;
  views: Uint32Array[];
  gridSide: number;
}

export interface Item {
  key: string;
  caption?: string;
  path?: string;
  metadata?: Record<string, unknown>;
}

export declare class AvseError extends Error {
  code: string;
  url?: string;
}

export declare class Avse {
  static load(url: string | URL, options?: LoadOptions): Promise<Avse>;
  readonly info: ModelInfo;
  openGallery(
    url: string | URL,
    options?: { onProgress?(progress: Progress): void; signal?: AbortSignal },
  ): Promise<Gallery>;
  encodeText(text: string, options?: CallOptions): Promise<Embedding>;
  encodeImage(source: ImageInput, options?: CallOptions): Promise<Embedding>;
  search(
    gallery: Gallery,
    query: Embedding,
    options?: { k?: number; signal?: AbortSignal },
  ): Promise<SearchResult>;
  explain(
    gallery: Gallery,
    query: Embedding,
    index: number,
    options?: CallOptions,
  ): Promise<Explanation>;
  on(event: "devicelost" | "restarted", listener: () => void): () => void;
  dispose(): void;
}

export declare class Gallery {
  static create(
    avse: Avse,
    options?: { name?: string; kind?: "images" | "captions" },
  ): Promise<Gallery>;
  static names(): Promise<string[]>;
  static delete(name: string): Promise<void>;
  readonly info: { kind: "images" | "captions"; precision: string; exact: boolean };
  readonly size: number;
  add(
    source: ImageInput | string,
    options?: { key?: string; metadata?: object; signal?: AbortSignal },
  ): Promise<number>;
  remove(row: number): Promise<void>;
  save(): Promise<void>;
  thumbnail(index: number): Promise<Blob | null>;
  item(index: number): Promise<Item>;
  close(): Promise<void>;
}
