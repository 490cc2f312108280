// The page of the timed runs: the driver calls `bench.start`, then `bench.call` again and again.

import { imageData, imageFile } from "./picture.js";
import { side } from "./sides.js";

const sides = {};
const queries = await (await fetch("/graphs/queries.json")).json();
const [image, file] = [imageData(), await imageFile()];
const planted = {};

/** One call: its seconds as the page sees them, those that the worker says, and what came out. */
async function call(name, method, gallery, run) {
  const args = {
    encodeText: () => [queries[run % queries.length]],
    encodeImage: () => [image],
    search: () => [gallery, planted[gallery].query],
    queryText: () => [queries[run % queries.length], gallery],
    queryImage: () => [file, gallery],
  }[method]();
  const begun = performance.now();
  const found = await sides[name][method](...args);
  const page = (performance.now() - begun) / 1000;
  const value = found.value ?? found;
  return { page, inner: found.seconds, value: value.length ? Array.from(value) : value };
}

globalThis.bench = {
  call,
  async start(name) {
    const started = side(name);
    await started.load();
    sides[name] = started;
  },
  async open(name, gallery) {
    if (!planted[gallery]) {
      const { row, query } = await (await fetch(`/made/${gallery}/query.json`)).json();
      const manifest = await (await fetch(`/made/${gallery}/manifest.json`)).json();
      const { width } = manifest.shape;
      planted[gallery] = { row, query: Float32Array.from(query), shape: [query.length / width, width] };
    }
    await sides[name].open(gallery, planted[gallery].shape);
  },
  close: (name, gallery) => sides[name].close(gallery),
  planted: (gallery) => planted[gallery].row,
};
globalThis.ready = true;
