/**
 * Loading the model in the worker: code and weights at once, then the engine.
 */

import { choose, checkWebAssembly, codeOf, fetchCode, findCode, type Choice } from "./code.js";
import type { Engine } from "./engine.js";
import { asAvseError, messageOf } from "./errors.js";
import { fetchEarly, type EarlyGallery } from "./gallery-files.js";
import { Loader, type LoaderOptions } from "./loader.js";
import { candidates, expectFormat, exportOf, fileOf, type Manifest } from "./manifest.js";
import type { LoadRequest, Loaded } from "./protocol.js";
import { surroundings } from "./surroundings.js";
import { objection } from "./trial.js";
import type { ExportInfo } from "./types.js";
import { answered } from "./watch.js";

/** A running engine, what is told of it, and its memory. */
export interface Model extends Loaded {
  engine: Engine;
  /** Galleries that are on their way, by address. */
  early: Map<string, EarlyGallery>;
  memory?: WebAssembly.Memory | undefined;
}

/**
 * Loads code and model.
 *
 * @throws AvseError, or what WebAssembly throws when it breaks.
 */
export async function loadModel(request: LoadRequest, options: Omit<LoaderOptions, "cache">): Promise<Model> {
  const { galleries = [], cache, wasmUrl } = request;
  checkWebAssembly();
  const began = performance.now();
  const loader = new Loader(surroundings(), { ...options, cache });
  const [choice, codeManifest, { model, exported, url }] = await Promise.all([
    choose(request.device),
    findCode(wasmUrl, loader),
    findModel(request.url, loader),
  ]);
  const code = codeOf(codeManifest, choice.build, wasmUrl === undefined);
  const files = ["config.json", "model.safetensors", "tokenizer.json"].map((name) => fileOf(model, name));
  loader.plan([code.wasm, ...files]);

  const stop = new AbortController();
  options.signal?.addEventListener("abort", () => stop.abort());
  const early = fetchEarly(url, exported, galleries, cache, stop.signal);
  const coming = fetchCode(code, loader);
  // It is waited for below, unless the model's files fail first.
  coming.catch(() => {});
  let here = began;
  let memory: WebAssembly.Memory | undefined;
  const engine = await loader.files(files, async ([config, weights, tokenizer], hashed) => {
    const { glue, module } = await coming;
    here = performance.now();
    memory = (await glue.default({ module_or_path: module })).memory;
    const parts = { manifest: model.bytes, config: config!, weights: weights!, tokenizer: tokenizer! };
    return createEngine((device) => glue.Engine.create(parts, device, hashed), choice, request.device === "auto");
  });
  const ready = performance.now();
  await loader.finish();
  const told = engine.info();
  const info = {
    ...told,
    // The engine sees less of the adapter than the browser tells of it.
    adapter: told.device === "webgpu" ? told.adapter || (choice.adapter ?? "") : told.adapter,
    bytes: { code: code.wasm.bytes, model: files.reduce((sum, { bytes }) => sum + bytes, 0) },
    seconds: { download: (here - began) / 1000, start: (ready - here) / 1000 },
    ...(choice.fallback === undefined ? {} : { fallback: choice.fallback }),
  };
  return { engine, early, info, exported, memory };
}

/** The manifest of the model at an address, and the export's where it is one. */
async function findModel(url: string, loader: Loader): Promise<{ model: Manifest; exported: ExportInfo | null; url: string }> {
  const found = await loader.manifest(candidates(url, ["manifest.json", "avse.json"]));
  if (found.content["format"] !== "avse-web") {
    expectFormat(found, "avse-bundle");
    return { model: found, exported: null, url: found.url };
  }
  const exported = exportOf(found);
  const model = await loader.manifest(candidates(new URL(exported.model, found.url).href, ["manifest.json"]));
  expectFormat(model, "avse-bundle");
  return { model, exported, url: found.url };
}

/** The engine on the chosen device, or else, where that is allowed, on the CPU: the GPU has to prove itself then. */
async function createEngine(create: (device: string) => Promise<Engine>, choice: Choice, mayFallBack: boolean): Promise<Engine> {
  try {
    const engine = await answered(create(choice.device));
    if (choice.device === "cpu" || !mayFallBack) return engine;
    const cpu = await create("cpu");
    const lack = await objection(engine, cpu);
    if (lack === undefined) {
      cpu.free();
      return engine;
    }
    choice.fallback = lack;
    engine.free();
    return cpu;
  } catch (thrown) {
    // After a trap this instance is no good; the page takes another worker.
    if (thrown instanceof WebAssembly.RuntimeError || choice.device === "cpu" || !mayFallBack) throw thrown;
    const ofDevice = ["no-device", "device-lost", "out-of-memory", "refused", "internal"];
    if (!ofDevice.includes(asAvseError(thrown).code)) throw thrown;
    const engine = await create("cpu");
    choice.fallback = `WebGPU failed at the start: ${messageOf(thrown)}`;
    return engine;
  }
}
