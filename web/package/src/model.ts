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
import { doubt } from "./trial.js";
import type { ExportInfo } from "./types.js";
import { Verdicts } from "./verdict.js";
import { answered } from "./watch.js";

/** A running engine, what is told of it, and its memory. */
export interface Model extends Loaded {
  engine: Engine;
  /** Galleries that are on their way, by address. */
  early: Map<string, EarlyGallery>;
  /** Remembers why the GPU is not to be taken, or `null` when it is to be taken. */
  judge(objection: string | null): Promise<void>;
  memory?: WebAssembly.Memory | undefined;
}

/** From this size on a model is not held twice, once on each device, to compare them: bytes of its files. */
const LARGE = 100e6;

const UNTRIED = "it is tried after the first answer, and the next visit goes by the result";
const NOTHING_KEPT = "nothing is kept here, so it could not be tried";

/** Why a GPU is not tried: what comes of it has to be remembered, and it costs a download. */
function noTrial(cache: boolean): string | undefined {
  const { connection } = (globalThis.navigator ?? {}) as { connection?: { saveData?: boolean } };
  if (!cache) return NOTHING_KEPT;
  return connection?.saveData ? "the browser asks to save data, so it was not tried" : undefined;
}

/**
 * Loads code and model.
 *
 * @throws AvseError, or what WebAssembly throws when it breaks.
 */
export async function loadModel(request: LoadRequest, options: Omit<LoaderOptions, "cache">): Promise<Model> {
  const { galleries = [], cache, wasmUrl, distrust } = request;
  checkWebAssembly();
  const began = performance.now();
  const loader = new Loader(surroundings(), { ...options, cache });
  const [found, codeManifest, { model, exported, url }] = await Promise.all([
    choose(request.device),
    findCode(wasmUrl, loader),
    findModel(request.url, loader),
  ]);
  const files = ["config.json", "model.safetensors", "tokenizer.json"].map((name) => fileOf(model, name));
  const size = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const codeFor = (build: Choice["build"]) => codeOf(codeManifest, build, wasmUrl === undefined);

  const auto = request.device === "auto";
  let choice = found;
  let verdicts: Verdicts | undefined;
  let untried = false;
  const verdictsOn = (adapter: string) =>
    new Verdicts(model.url, { adapter, model: files[1]!.sha256, engine: codeFor("gpu").wasm.sha256 });
  if (cache && distrust !== undefined) {
    // Nobody waits for it: a GPU that is stuck may never be found.
    void choose("auto").then(({ adapter }) => (adapter === undefined ? undefined : verdictsOn(adapter).keep(distrust)));
  }
  if (auto && found.device === "webgpu") {
    if (cache) verdicts = verdictsOn(found.adapter ?? "");
    const last = await verdicts?.last();
    // A large model takes the GPU without a trial.
    const small = size <= LARGE;
    const why = noTrial(cache);
    untried = small && last === undefined && why === undefined;
    // The processor has the first answer sooner: less code, and nothing to compile for it.
    if (small ? last !== null : last != null) choice = { build: "cpu", device: "cpu", fallback: last ?? why ?? UNTRIED };
  }
  const code = codeFor(choice.build);
  loader.plan([code.wasm, ...files]);

  const early = fetchEarly(url, exported, galleries, cache, options.signal);
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
    return createEngine((device) => glue.Engine.create(parts, device, hashed), choice, auto, size > LARGE);
  });
  const ready = performance.now();
  await loader.finish();
  if (untried && !(await verdicts?.canKeep())) {
    untried = false;
    choice.fallback = NOTHING_KEPT;
  }
  const judge = async (objection: string | null) => verdicts?.keep(objection);
  if (choice.device === "webgpu" && choice.fallback !== undefined) await judge(choice.fallback);
  const told = engine.info();
  const info = {
    ...told,
    // The engine sees less of the adapter than the browser tells of it.
    adapter: told.device === "webgpu" ? told.adapter || (choice.adapter ?? "") : told.adapter,
    bytes: { code: code.wasm.bytes, model: size },
    seconds: { download: (here - began) / 1000, start: (ready - here) / 1000 },
    ...(choice.fallback === undefined ? {} : { fallback: choice.fallback }),
  };
  return { engine, early, judge, info, exported, memory, untried };
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

/** The engine on the chosen device, or else, where that is allowed, on the CPU. A `doubtful` GPU is looked at by itself. */
async function createEngine(create: (device: string) => Promise<Engine>, choice: Choice, mayFallBack: boolean, doubtful: boolean): Promise<Engine> {
  try {
    const engine = await answered(create(choice.device));
    if (choice.device === "cpu" || !mayFallBack || !doubtful) return engine;
    const lack = await doubt(engine);
    if (lack === undefined) return engine;
    engine.free();
    choice.fallback = lack;
  } catch (thrown) {
    // After a trap this instance is no good; the page takes another worker.
    if (thrown instanceof WebAssembly.RuntimeError || choice.device === "cpu" || !mayFallBack) throw thrown;
    const ofDevice = ["no-device", "device-lost", "out-of-memory", "refused", "internal"];
    if (!ofDevice.includes(asAvseError(thrown).code)) throw thrown;
    choice.fallback = `WebGPU failed at the start: ${messageOf(thrown)}`;
  }
  return create("cpu");
}
