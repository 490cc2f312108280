/**
 * Whether a GPU is worth its name. Drivers have been seen that compute wrong numbers without a word, and small models are
 * quicker on the processor than the way to the GPU and back takes.
 *
 * The known numbers are the processor's, with the same weights. So nothing has to be stored beside the model, and nothing
 * can grow old.
 */

import type { Engine } from "./engine.js";
import { answered } from "./watch.js";

/** Most that two numbers of an embedding may differ. The devices add up in other orders; wrong ones differ by a hundred times as much. */
const TOLERANCE = 2e-3;

const SENTENCE = "a black cat on a red roof";

const WRONG = "the WebGPU adapter computes wrong numbers";

/** What a device makes of the trial's questions. */
export interface Run {
  blocks: Float32Array[];
  best: { index: number; score: number };
  /** Milliseconds of the two encodings. */
  time: number;
}

/** The trial's questions, and how long they take a device that has been asked them before: the first time it compiles. */
export async function trial(engine: Engine): Promise<Run> {
  await run(engine);
  return run(engine);
}

/** Why the GPU is not to be taken; undefined when it computes what the processor computes, and sooner. */
export function objection(there: Run, here: Run): string | undefined {
  if (differ(there, here)) return WRONG;
  const tell = (time: number) => `${time < 10 ? time.toFixed(1) : Math.round(time)} ms`;
  return there.time < here.time ? undefined : `WebGPU is slower here than WebAssembly (${tell(there.time)} and ${tell(here.time)})`;
}

/**
 * What can be said of a GPU by itself, for models that are too large to be held a second time by the processor: it has to
 * give finite numbers, the same ones twice, and find what it looks for.
 */
export async function doubt(engine: Engine): Promise<string | undefined> {
  const [first, second] = [await run(engine), await run(engine)];
  return differ(first, second) || second.best.index !== 1 ? WRONG : undefined;
}

/** A sentence, a picture where the model knows pictures, and a search among the sentence's embedding and its opposite. */
async function run(engine: Engine): Promise<Run> {
  const { imageSize: side, hasImageTower } = engine.info();
  const began = performance.now();
  const sentence = await answered(engine.encodeText(SENTENCE));
  const blocks = [sentence];
  // Four flat fields: no decoder of any browser has a say in them.
  const field = (at: number) => (at % side < side / 2 ? 1 : 0) + (at < (side * side) / 2 ? 2 : 0);
  const pixels = Uint8Array.from({ length: 4 * side * side }, (_, at) => (at % 4 === 3 ? 255 : 40 + 60 * ((field(at >> 2) + (at % 4)) % 4)));
  if (hasImageTower) blocks.push(await answered(engine.encodeImage(side, side, pixels)));
  const time = performance.now() - began;

  const gallery = engine.createGallery("captions");
  try {
    const rows = [sentence.map((number) => -number), sentence];
    rows.forEach((row, at) => engine.add(gallery, row, { key: String(at) }, "0".repeat(64)));
    const [best] = await answered(engine.search(gallery, "captions", sentence, 1));
    return { blocks, best: best ? { index: best.index, score: best.score } : { index: -1, score: NaN }, time };
  } finally {
    engine.closeGallery(gallery);
  }
}

function differ(one: Run, other: Run): boolean {
  const farthest = Math.max(...one.blocks.map((blocks, at) => difference(blocks, other.blocks[at])), Math.abs(one.best.score - other.best.score));
  // Also when it is no number at all.
  return !(farthest <= TOLERANCE) || one.best.index !== other.best.index;
}

function difference(one: Float32Array, other: Float32Array | undefined): number {
  if (one.length !== other?.length) return Infinity;
  // NaN goes through a maximum.
  return one.reduce((most, number, at) => Math.max(most, Math.abs(number - other[at]!)), 0);
}
