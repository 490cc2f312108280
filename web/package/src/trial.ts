/**
 * Whether a GPU is worth its name. Drivers have been seen that compute wrong numbers without a word, and small models are
 * quicker on the processor than the way to the GPU and back takes.
 *
 * The known numbers are the processor's: the build for GPUs runs there as well, with the same weights. So nothing has
 * to be stored beside the model, and nothing can grow old.
 */

import type { Engine } from "./engine.js";
import { answered } from "./watch.js";

/** Most that two numbers of an embedding may differ. The devices add up in other orders; wrong ones differ by a hundred times as much. */
const TOLERANCE = 2e-3;

const SENTENCE = "a black cat on a red roof";

interface Run {
  blocks: Float32Array[];
  best: { index: number; score: number };
  /** Milliseconds of the two encodings. */
  time: number;
}

/** Why `gpu` is not to be taken; undefined when it computes what `cpu` computes, and sooner. */
export async function objection(gpu: Engine, cpu: Engine): Promise<string | undefined> {
  // The first run compiles what the second one measures.
  await run(gpu);
  await run(cpu);
  const [there, here] = [await run(gpu), await run(cpu)];
  const farthest = Math.max(...there.blocks.map((blocks, at) => difference(blocks, here.blocks[at]!)), Math.abs(there.best.score - here.best.score));
  // Also when it is no number at all.
  if (!(farthest <= TOLERANCE) || there.best.index !== here.best.index) return "the WebGPU adapter computes wrong numbers";
  const tell = (time: number) => `${time < 10 ? time.toFixed(1) : Math.round(time)} ms`;
  return there.time < here.time ? undefined : `WebGPU is slower here than WebAssembly (${tell(there.time)} and ${tell(here.time)})`;
}

/** A sentence, a picture where the model knows pictures, and a search among the two embeddings and their opposites. */
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
    return { blocks, best: best ?? { index: -1, score: NaN }, time };
  } finally {
    engine.closeGallery(gallery);
  }
}

function difference(one: Float32Array, other: Float32Array): number {
  if (one.length !== other.length) return Infinity;
  // NaN goes through a maximum.
  return one.reduce((most, number, at) => Math.max(most, Math.abs(number - other[at]!)), 0);
}
