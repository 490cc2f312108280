// Tells photographs from flat drawings, for models that know drawings only.
//
// The picture is sampled on a grid of single pixels (no averaging, which would invent colours).
// Flat drawings have few colours, and most neighbours on the grid are equal; photographs have many
// colours and noise, so that hardly two neighbours are. It is a rule of thumb: drawn textures may be
// taken for a photograph, a snapshot of an empty sky for a drawing. It only decides whether a note
// is shown.

/** Samples on each side. */
const SIDE = 96;

/** Colours are counted at 4 bits a channel; a photograph shows at least this many of the 4,096. */
const MANY_COLOURS = 90;

/** Neighbours that differ by at most this much in every channel (of 255) count as equal. */
const EQUAL = 3;

/** A photograph has at most this share of equal neighbours. */
const FLAT = 0.5;

/** What the samples show. */
export interface Look {
  colours: number;
  /** Share of samples that equal the one to their right. */
  flat: number;
}

/** Whether a picture looks like a photograph. False when it cannot be decoded: that is said elsewhere. */
export async function looksLikePhotograph(source: Blob): Promise<boolean> {
  try {
    const { colours, flat } = measure(await samples(source), SIDE);
    return colours >= MANY_COLOURS && flat <= FLAT;
  } catch {
    return false;
  }
}

/** Measures RGBA pixels, rows of `width`. */
export function measure(pixels: Uint8ClampedArray, width: number): Look {
  const seen = new Set<number>();
  const count = pixels.length / 4;
  let equal = 0;
  let pairs = 0;
  for (let at = 0; at < count; at++) {
    const channel = (pixel: number, which: number) => pixels[pixel * 4 + which] ?? 0;
    seen.add(((channel(at, 0) >> 4) << 8) | ((channel(at, 1) >> 4) << 4) | (channel(at, 2) >> 4));
    if (at % width === width - 1) continue;
    pairs += 1;
    if ([0, 1, 2].every((c) => Math.abs(channel(at, c) - channel(at + 1, c)) <= EQUAL)) equal += 1;
  }
  return { colours: seen.size, flat: pairs === 0 ? 1 : equal / pairs };
}

/** Decoding and scaling happen off the main thread; only a small canvas is read here. */
async function samples(source: Blob): Promise<Uint8ClampedArray> {
  const bitmap = await createImageBitmap(source, {
    resizeWidth: SIDE,
    resizeHeight: SIDE,
    resizeQuality: "pixelated",
  });
  const canvas = document.createElement("canvas");
  canvas.width = SIDE;
  canvas.height = SIDE;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("no canvas");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SIDE, SIDE);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, SIDE, SIDE).data;
}
