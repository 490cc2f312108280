/**
 * Pictures as pixels, decoded by the browser in the worker.
 */

import { asAvseError, AvseError, messageOf } from "./errors.js";
import type { Engine } from "./engine.js";
import { sha256 } from "./hash.js";
import type { Picture } from "./protocol.js";

/** More pixels than this are refused before anything is decoded. */
const MOST_PIXELS = 100_000_000;
/** Larger files are refused unread, in bytes. */
const MOST_BYTES = 512 * 1024 * 1024;
/** Longer sides are scaled down while drawing. */
const LONGEST_SIDE = 4096;
/** Longest side of a thumbnail. */
const THUMBNAIL = 160;

const OPTIONS = { premultiplyAlpha: "none", colorSpaceConversion: "none" } as const;

/** A picture on white. */
export interface Pixels {
  width: number;
  height: number;
  /** Red, green, blue, 255; rows from the top. */
  rgba: Uint8ClampedArray<ArrayBuffer>;
  /** The drawing surface that they were read from. */
  canvas: OffscreenCanvas;
  /** Length of the file, where it was one. */
  bytes?: number;
  /** Hash of the file, or else of the pixels; only when it was asked for. */
  hash?: string;
}

/**
 * Decodes a picture.
 *
 * @throws AvseError `image` for what is no picture, broken, or too large; the message names the file.
 */
export async function pixelsOf(picture: Picture, engine: Engine, options: { hash?: boolean } = {}): Promise<Pixels> {
  const name = typeof File === "function" && picture instanceof File && picture.name ? picture.name : "the picture";
  try {
    const pixels = picture instanceof Blob ? await fromFile(picture, engine, options) : await draw(picture);
    if (options.hash) pixels.hash ??= await sha256(new Uint8Array(pixels.rgba.buffer));
    return pixels;
  } catch (thrown) {
    if (thrown instanceof WebAssembly.RuntimeError) throw thrown;
    const { code, message } = asAvseError(thrown, "image");
    throw new AvseError(code, `${name}: ${message}`, { cause: thrown });
  }
}

async function fromFile(file: Blob, engine: Engine, options: { hash?: boolean }): Promise<Pixels> {
  if (file.size > MOST_BYTES) throw new AvseError("image", `a file of ${file.size} bytes is too large`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  const { width, height, format } = engine.imageSize(bytes);
  check(width, height);
  const hash = options.hash ? await sha256(bytes) : undefined;
  let bitmap: ImageBitmap;
  try {
    // The type comes from the content: what the file is called must not make the browser take it for an SVG.
    bitmap = await createImageBitmap(new Blob([bytes], { type: `image/${format}` }), OPTIONS);
  } catch (thrown) {
    throw new AvseError("image", `the browser cannot decode this ${format} file (${messageOf(thrown)})`, { cause: thrown });
  }
  const pixels = await draw(bitmap);
  pixels.bytes = bytes.length;
  if (hash !== undefined) pixels.hash = hash;
  return pixels;
}

/** Draws a picture on white, at its own size where that is not too large; bitmaps are used up. */
async function draw(picture: ImageBitmap | ImageData): Promise<Pixels> {
  check(picture.width, picture.height);
  const bitmap = picture instanceof ImageData ? await createImageBitmap(picture, OPTIONS) : picture;
  const [width, height] = fitted(bitmap.width, bitmap.height, LONGEST_SIDE);
  const { canvas, context } = surface(width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return { width, height, rgba: context.getImageData(0, 0, width, height).data as Uint8ClampedArray<ArrayBuffer>, canvas };
}

/** A small copy, as a file. */
export async function thumbnailOf(pixels: Pixels): Promise<Blob> {
  const [width, height] = fitted(pixels.width, pixels.height, THUMBNAIL);
  const { canvas, context } = surface(width, height);
  context.drawImage(pixels.canvas, 0, 0, width, height);
  // Browsers that cannot write WebP write PNG instead.
  return canvas.convertToBlob({ type: "image/webp", quality: 0.85 });
}

function surface(width: number, height: number): { canvas: OffscreenCanvas; context: OffscreenCanvasRenderingContext2D } {
  if (typeof OffscreenCanvas !== "function") throw new AvseError("unsupported", "this browser has no OffscreenCanvas");
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new AvseError("unsupported", "this browser draws nothing in workers");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  return { canvas, context };
}

function check(width: number, height: number): void {
  if (width < 1 || height < 1) throw new AvseError("image", `the picture has ${width} x ${height} pixels`);
  if (width * height > MOST_PIXELS) {
    throw new AvseError("image", `${width} x ${height} pixels are too many (the limit is 100 million)`);
  }
}

/** A size scaled down so that its longer side is at most `longest`. */
function fitted(width: number, height: number, longest: number): [width: number, height: number] {
  const scale = Math.min(1, longest / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}
