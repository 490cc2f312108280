/**
 * Pictures of the page as what can be posted to the worker.
 */

import { AvseError, messageOf } from "./errors.js";
import type { Picture } from "./protocol.js";
import type { ImageInput } from "./types.js";

/** More pixels than this are refused. */
const MOST_PIXELS = 100_000_000;

const OPTIONS = { premultiplyAlpha: "none", colorSpaceConversion: "none" } as const;

/**
 * A picture to be posted. Files go as they are and pixels as bitmaps, which are handed over instead of copied; the
 * caller's own objects stay usable.
 */
export async function prepareImage(source: ImageInput): Promise<{ picture: Picture; transfer: Transferable[] }> {
  if (source instanceof Blob) return { picture: source, transfer: [] };
  if (is("ImageData", source)) return { picture: source as ImageData, transfer: [] };
  const what = name(source);
  if (what === null) throw new AvseError("image", `${describe(source)} is no picture`);
  try {
    if (is("HTMLImageElement", source)) await loaded(source as HTMLImageElement);
    const { width, height } = sizeOf(source);
    if (width === 0 || height === 0) throw new AvseError("image", `${what} has nothing to show yet`);
    if (width * height > MOST_PIXELS) throw new AvseError("image", `${what} has ${width} x ${height} pixels, which is too large`);
    const picture = await createImageBitmap(source as ImageBitmapSource, OPTIONS);
    return { picture, transfer: [picture] };
  } catch (thrown) {
    if (thrown instanceof AvseError) throw thrown;
    throw new AvseError("image", `${what} cannot be read: ${messageOf(thrown)}`, { cause: thrown });
  }
}

const KINDS = {
  ImageBitmap: "the bitmap",
  HTMLImageElement: "the image element",
  HTMLCanvasElement: "the canvas",
  OffscreenCanvas: "the canvas",
  HTMLVideoElement: "the video",
} as const;

/** What messages call it; `null` when it is no picture. */
function name(source: unknown): string | null {
  for (const [kind, what] of Object.entries(KINDS)) {
    if (!is(kind, source)) continue;
    const address = (source as HTMLImageElement).currentSrc;
    return address && !address.startsWith("data:") ? `${what} ${address}` : what;
  }
  return null;
}

function is(kind: string, value: unknown): boolean {
  const type = (globalThis as Record<string, unknown>)[kind];
  return typeof type === "function" && value instanceof type;
}

function describe(value: unknown): string {
  return value === null ? "null" : typeof value === "object" ? (value.constructor?.name ?? "an object") : typeof value;
}

async function loaded(image: HTMLImageElement): Promise<void> {
  // Decodes beside the main thread; without it the first use would decode on it.
  await image.decode();
}

function sizeOf(source: unknown): { width: number; height: number } {
  if (is("HTMLImageElement", source)) {
    const { naturalWidth: width, naturalHeight: height } = source as HTMLImageElement;
    return { width, height };
  }
  if (is("HTMLVideoElement", source)) {
    const { videoWidth: width, videoHeight: height } = source as HTMLVideoElement;
    return { width, height };
  }
  return source as { width: number; height: number };
}
