/**
 * The thumbnails of a gallery: image files, packed one after the other.
 */

import { AvseError } from "./errors.js";
import { sha256 } from "./hash.js";
import type { Loader } from "./loader.js";
import { entry, expectFormat, isMissing, type Manifest } from "./manifest.js";

export const FORMAT = "avse-thumbnails";

/** Packed image files. */
export class Thumbnails {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #ends: number[];

  constructor(bytes: Uint8Array<ArrayBuffer>, ends: number[]) {
    this.#bytes = bytes;
    this.#ends = ends;
  }

  /** A row's thumbnail; `null` where the row has none. */
  row(row: number): Blob | null {
    const [start, end] = [row === 0 ? 0 : this.#ends[row - 1], this.#ends[row]];
    if (start === undefined || end === undefined || end <= start) return null;
    const file = this.#bytes.subarray(start, end);
    return new Blob([file], { type: typeOf(file) });
  }
}

/** Fetches the thumbnails of the gallery whose manifest is at `gallery`; `null` when it has none. */
export async function fetchThumbnails(gallery: string, rows: number, loader: Loader): Promise<Thumbnails | null> {
  let manifest: Manifest;
  try {
    manifest = await loader.manifest([new URL("thumbnails.json", gallery).href]);
  } catch (thrown) {
    if (isMissing(thrown)) return null;
    throw thrown;
  }
  const ends = endsOf(manifest, rows);
  const url = new URL("thumbnails.bin", manifest.url).href;
  const file = { ...entry(manifest, manifest.content["file"], "thumbnails.bin"), url, what: "thumbnails.bin" };
  if (file.bytes !== (ends.at(-1) ?? 0)) throw bad(manifest.url, "the ends are not those of the file");
  loader.plan([file]);
  const thumbnails = await loader.files([file], async ([bytes], hashed) => {
    if (!hashed && (await sha256(bytes!)) !== file.sha256) throw bad(url, "is not what its manifest says");
    return new Thumbnails(bytes!, ends);
  });
  await loader.finish();
  return thumbnails;
}

/** Where the thumbnails end, checked. */
export function endsOf(manifest: Manifest, rows: number): number[] {
  expectFormat(manifest, FORMAT);
  const ends = manifest.content["ends"];
  const right =
    Array.isArray(ends) &&
    ends.length === rows &&
    ends.every((end, at) => Number.isSafeInteger(end) && end >= (at === 0 ? 0 : ends[at - 1]));
  if (!right) throw bad(manifest.url, `has no ends of ${rows} thumbnails`);
  return ends as number[];
}

/** A stretch of packed image files. Blobs are made when they are asked for: one each for 20,000 rows would take seconds. */
export interface Thumbnail {
  all: Blob;
  start: number;
  end: number;
  type: string;
}

/** An image file that is not packed. */
export function alone(file: Blob): Thumbnail {
  return { all: file, start: 0, end: file.size, type: file.type };
}

/** An image file, out of those that it is packed with. */
export function imageOf({ all, start, end, type }: Thumbnail): Blob {
  return end - start === all.size && all.type === type ? all : all.slice(start, end, type);
}

/** Packs thumbnails: the file, where each ends in it, and the thumbnails as its stretches. */
export function pack(thumbnails: (Thumbnail | null)[]): { blob: Blob; ends: number[]; packed: (Thumbnail | null)[] } {
  const ends: number[] = [];
  const stretches: Thumbnail[] = [];
  let end = 0;
  for (const thumbnail of thumbnails) {
    const last = stretches.at(-1);
    if (thumbnail && last && last.all === thumbnail.all && last.end === thumbnail.start) last.end = thumbnail.end;
    else if (thumbnail) stretches.push({ ...thumbnail });
    ends.push((end += thumbnail ? thumbnail.end - thumbnail.start : 0));
  }
  const blob = new Blob(stretches.map(({ all, start, end }) => (end - start === all.size ? all : all.slice(start, end))));
  const packed = thumbnails.map(
    (thumbnail, row) => thumbnail && { all: blob, start: row === 0 ? 0 : ends[row - 1]!, end: ends[row]!, type: thumbnail.type },
  );
  return { blob, ends, packed };
}

/** The stretches of packed image files, `bytes` and `all` being the same; `null` for rows that have none. */
export function stretchesOf(bytes: Uint8Array, all: Blob, ends: number[]): (Thumbnail | null)[] {
  return ends.map((end, row) => {
    const start = row === 0 ? 0 : ends[row - 1]!;
    return end > start ? { all, start, end, type: typeOf(bytes.subarray(start, end)) } : null;
  });
}

/** The media type of an image file, by its first bytes; empty when it is none that is known. */
function typeOf(file: Uint8Array): string {
  const text = String.fromCharCode(...file.subarray(0, 16));
  if (text.startsWith("\x89PNG")) return "image/png";
  if (text.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") return "image/webp";
  if (text.startsWith("GIF8")) return "image/gif";
  if (text.slice(4, 12) === "ftypavif") return "image/avif";
  return "";
}

function bad(url: string, what: string): AvseError {
  return new AvseError("format", `${url}: ${what}`, { url });
}
