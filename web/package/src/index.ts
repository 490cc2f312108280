/**
 * Find pictures by sentences and sentences by pictures, in the page itself.
 *
 * Importing this module does nothing and needs no browser; {@link Avse.load} starts a worker.
 *
 * @packageDocumentation
 */

export { Avse } from "./avse.js";
export { Gallery } from "./gallery.js";
export { AvseError, type AvseErrorCode } from "./errors.js";
export type {
  AddOptions, CallOptions, CreateOptions, Credit, Device, Embedding, Explanation, ExportInfo, GalleryInfo, Hit, ImageInput, Item,
  Kind, LoadOptions, ModelInfo, OpenOptions, Progress, SearchOptions, SearchResult,
} from "./types.js";
