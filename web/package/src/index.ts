/**
 * Find pictures by sentences and sentences by pictures, in the page itself.
 *
 * Importing this module does nothing and needs no browser; {@link Avse.load} starts a worker.
 *
 * @packageDocumentation
 */

export { Avse } from "./avse.js";
export { Gallery } from "./gallery.js";
export type { Adding } from "./adding.js";
export { AvseError, type AvseErrorCode } from "./errors.js";
export type {
  AddAllOptions, AddOptions, AddOutcome, AddProgress, CallOptions, CreateOptions, Credit, Device, Embedding, Explanation, ExportInfo,
  GalleryEvent, GalleryInfo, Hit, ImageInput, Item, Kind, LoadOptions, ModelInfo, OpenOptions, Progress, SearchOptions, SearchResult,
} from "./types.js";
