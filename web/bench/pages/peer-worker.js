// onnxruntime-web in a worker of its own, as ours is: the same network, and search as a graph.

import { decode, pixels } from "./pixels.js";

const GRAPHS = "/graphs/";
const sessions = {};
let ort;
let options;
let side;

const graph = (name, more) => ort.InferenceSession.create(`${GRAPHS}${name}.onnx`, { ...options, ...more });

async function run(session, name, type, values, shape) {
  return sessions[session].run({ [name]: new ort.Tensor(type, values, shape) });
}

async function encodeText({ ids }) {
  const { blocks } = await run("text", "ids", "int64", BigInt64Array.from(ids, BigInt), [1, ids.length]);
  return blocks.data;
}

async function encodeImage(image) {
  const { blocks } = await run("image", "pixels", "float32", pixels(image, side), [1, 3, side, side]);
  return blocks.data;
}

async function search(gallery, query) {
  const session = sessions[gallery];
  const { rows } = await run(gallery, "query", "float32", query, session.shape);
  return Number(rows.data[0]);
}

async function timed(work) {
  const begun = performance.now();
  const value = await work();
  return { value, seconds: (performance.now() - begun) / 1000 };
}

const methods = {
  async load(backend) {
    ort = await import(`/ort/ort.${backend}.bundle.min.mjs`);
    ort.env.wasm.wasmPaths = "/ort/";
    ort.env.wasm.numThreads = 1;
    // Else every session says that shapes are worked out on the processor.
    ort.env.logLevel = "error";
    options = { executionProviders: [backend], logSeverityLevel: 3 };
    const about = await (await fetch("/site/data/avse.json")).json();
    const config = await (await fetch(`/site/data/${about.model}config.json`)).json();
    side = config.image_size;
    [sessions.text, sessions.image] = [await graph("text"), await graph("image")];
  },
  async open(gallery, shape) {
    const data = new Uint8Array(await (await fetch(`/made/${gallery}/gallery.f32`)).arrayBuffer());
    sessions[gallery] = await graph(`search-${gallery}`, { externalData: [{ path: "gallery.f32", data }] });
    sessions[gallery].shape = shape;
  },
  close: (gallery) => sessions[gallery].release(),
  encodeText: (query) => timed(() => encodeText(query)),
  encodeImage: (image) => timed(() => encodeImage(image)),
  search: (gallery, query) => timed(() => search(gallery, query)),
  queryText: async (query, gallery) => search(gallery, await encodeText(query)),
  queryImage: async (file, gallery) => search(gallery, await encodeImage(await decode(file))),
};

self.onmessage = async ({ data: { id, method, args } }) => {
  try {
    self.postMessage({ id, value: await methods[method](...args) });
  } catch (error) {
    self.postMessage({ id, error: `${error.message ?? error}` });
  }
};
