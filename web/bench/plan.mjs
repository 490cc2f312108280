// What is measured, and how often.

/** Synthetic galleries: kind and rows. */
export const GALLERIES = [
  ["images", 1_000],
  ["images", 2_000],
  ["images", 10_000],
  ["images", 50_000],
  ["captions", 5_000],
];

const named = (kind, rows) => `${kind}-${rows}`;
const small = named("images", 2_000);
const captions = named("captions", 5_000);

const search = ([kind, rows], runs) => ({
  work: `search-${named(kind, rows)}`,
  method: "search",
  gallery: named(kind, rows),
  runs,
  inner: true,
});

const common = (runs, sentences) => [
  { work: "encode-text", method: "encodeText", runs: runs.text, sentences, inner: true },
  { work: "encode-image", method: "encodeImage", runs: runs.image, inner: true },
  { work: "query-text-2000-images", method: "queryText", gallery: small, runs: runs.text, sentences },
  { work: "query-image-5000-captions", method: "queryImage", gallery: captions, runs: runs.image },
];

/** For each backend its works, and how often a page is visited. WebGPU on the processor takes a hundred times as
 * long as wasm: little of it. One sentence there, since each length of a sentence compiles shaders anew. */
export function plan(quick) {
  const wasm = quick ? { text: 3, image: 3, search: 3, load: 1 } : { text: 48, image: 40, search: 20, load: 5 };
  const webgpu = quick ? { text: 1, image: 1, search: 1, load: 1 } : { text: 5, image: 5, search: 3, load: 1 };
  const galleries = quick ? GALLERIES.filter(([, rows]) => rows <= 10_000) : GALLERIES;
  const load = (runs) => ({ gallery: small, runs });
  return {
    wasm: {
      works: [...common(wasm), ...galleries.map((gallery) => search(gallery, wasm.search))],
      load: load(wasm.load),
    },
    webgpu: {
      works: [...common(webgpu, 1), ...galleries.map((gallery) => search(gallery, webgpu.search))],
      load: load(webgpu.load),
    },
  };
}
