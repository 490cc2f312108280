/**
 * Which build of the engine this browser gets, and getting it.
 */

import { AvseError, messageOf } from "./errors.js";
import type { Glue } from "./engine.js";
import type { FileSpec, Loader } from "./loader.js";
import { entry, type Manifest } from "./manifest.js";
import { sha256 } from "./hash.js";
import type { Device } from "./types.js";

type Build = "cpu" | "gpu";

/** Where the engine will run, and why not on WebGPU. */
export interface Choice {
  build: Build;
  device: "cpu" | "webgpu";
  fallback?: string;
  /** What the browser calls the GPU; it may tell nothing. */
  adapter?: string;
}

/** A build to be fetched. */
export interface Code {
  glue: string;
  wasm: FileSpec;
}

/** Bundlers may leave an address without its origin, which one that starts at the root gets back here. */
function whole({ href }: URL): string {
  const { location } = globalThis;
  return new URL(href, /^(blob|data):/.test(location.href) ? location.origin : location.href).href;
}

// Written out one by one: bundlers find files by these very expressions and give them new names.
const SHIPPED = {
  manifest: () => whole(new URL("./wasm/manifest.json", import.meta.url)),
  cpu: {
    js: () => whole(new URL("./wasm/cpu/avse_web.js", import.meta.url)),
    wasm: () => whole(new URL("./wasm/cpu/avse_web_bg.wasm", import.meta.url)),
  },
  gpu: {
    js: () => whole(new URL("./wasm/gpu/avse_web.js", import.meta.url)),
    wasm: () => whole(new URL("./wasm/gpu/avse_web_bg.wasm", import.meta.url)),
  },
};

/** A module with one SIMD instruction: `(func (result v128) i32.const 0 i8x16.splat)`. */
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];

/** @throws AvseError `unsupported` or `no-simd`. */
export function checkWebAssembly(): void {
  if (typeof WebAssembly !== "object") throw new AvseError("unsupported", "this browser has no WebAssembly");
  if (!WebAssembly.validate(new Uint8Array(SIMD))) {
    throw new AvseError("no-simd", "this browser's WebAssembly has no SIMD, which the model needs");
  }
}

/**
 * Looks for a GPU.
 *
 * @throws AvseError `no-device` when WebGPU is demanded and there is none.
 */
export async function choose(device: Device): Promise<Choice> {
  if (device === "wasm") return { build: "cpu", device: "cpu" };
  const found = await lookForGpu(device === "webgpu");
  if (found.adapter !== undefined) return { build: "gpu", device: "webgpu", adapter: found.adapter };
  if (device === "webgpu") throw new AvseError("no-device", found.lack);
  return { build: "cpu", device: "cpu", fallback: found.lack };
}

/** What the browser calls the GPU, or why WebGPU is no choice. Software adapters are slower than WebAssembly, but serve who asks. */
async function lookForGpu(software: boolean): Promise<{ adapter: string; lack?: never } | { adapter?: never; lack: string }> {
  const gpu = (globalThis.navigator as Partial<NavigatorGPU> | undefined)?.gpu;
  if (!gpu) return { lack: globalThis.isSecureContext === false ? "WebGPU needs a page over https" : "this browser has no WebGPU" };
  let adapter: GPUAdapter | null;
  try {
    adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  } catch (thrown) {
    return { lack: `WebGPU gives no adapter: ${messageOf(thrown)}` };
  }
  if (!adapter) return { lack: "WebGPU gives no adapter" };
  const info = adapter.info as (GPUAdapterInfo & { isFallbackAdapter?: boolean }) | undefined;
  const fallback = info?.isFallbackAdapter ?? (adapter as { isFallbackAdapter?: boolean }).isFallbackAdapter;
  const name = `${info?.vendor ?? ""} ${info?.architecture ?? ""} ${info?.description ?? ""}`.trim();
  if (!software && (fallback || /swiftshader|llvmpipe|lavapipe|basic render/i.test(name))) {
    return { lack: "the WebGPU adapter is made of software" };
  }
  return { adapter: name };
}

/**
 * The list of builds.
 *
 * @throws AvseError `network` or `format`.
 */
export async function findCode(wasmUrl: string | undefined, loader: Loader): Promise<Manifest> {
  try {
    return await loader.manifest([manifestOfCode(wasmUrl)]);
  } catch (thrown) {
    if (wasmUrl !== undefined || !(thrown instanceof AvseError)) throw thrown;
    const { code, message, url } = thrown;
    throw new AvseError(code, `${message} (where the engine lies elsewhere, wasmUrl has to say so)`, { url: url!, cause: thrown });
  }
}

function manifestOfCode(wasmUrl: string | undefined): string {
  if (wasmUrl === undefined) return SHIPPED.manifest();
  const url = new URL(wasmUrl);
  if (url.pathname.endsWith(".json")) return url.href;
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return new URL("manifest.json", url).href;
}

/** A build's files. */
export function codeOf(manifest: Manifest, build: Build, shipped: boolean): Code {
  const builds = manifest.content["builds"] as Record<string, { js?: unknown; wasm?: unknown }> | undefined;
  const found = builds?.[build];
  if (typeof found?.js !== "string" || typeof found.wasm !== "string") {
    throw new AvseError("format", `${manifest.url}: has no build "${build}"`, { url: manifest.url });
  }
  const { bytes, sha256 } = entry(manifest, found, found.wasm);
  const glue = shipped ? SHIPPED[build].js() : new URL(found.js, manifest.url).href;
  const url = shipped ? SHIPPED[build].wasm() : new URL(found.wasm, manifest.url).href;
  return { glue, wasm: { url, bytes, sha256, what: found.wasm.split("/").at(-1)!, type: "application/wasm" } };
}

/**
 * Fetches and compiles a build whose file is planned already. Its hash is checked before it is compiled.
 *
 * @throws AvseError `network`, `format` or `unsupported`.
 */
export async function fetchCode(code: Code, loader: Loader): Promise<{ glue: Glue; module: WebAssembly.Module }> {
  const glue = importGlue(code.glue);
  const module = loader.files([code.wasm], async ([bytes], hashed) => {
    if (!hashed && (await sha256(bytes!)) !== code.wasm.sha256) {
      throw new AvseError("format", `${code.wasm.url}: is not what its manifest says`, { url: code.wasm.url });
    }
    try {
      return await WebAssembly.compile(bytes!);
    } catch (thrown) {
      const policy = /unsafe-eval|content security policy/i.test(messageOf(thrown));
      const message = policy
        ? "the page's security policy forbids WebAssembly: it needs script-src 'wasm-unsafe-eval'"
        : `${code.wasm.url}: ${messageOf(thrown)}`;
      throw new AvseError(policy ? "unsupported" : "format", message, { url: code.wasm.url, cause: thrown });
    }
  });
  // The other one's failure must not stay unhandled.
  const [first, second] = await Promise.allSettled([glue, module]);
  if (second.status === "rejected") throw second.reason;
  if (first.status === "rejected") throw first.reason;
  return { glue: first.value, module: second.value };
}

async function importGlue(url: string): Promise<Glue> {
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ /* turbopackIgnore: true */ url)) as Glue;
  } catch (thrown) {
    throw new AvseError("network", `${url}: cannot be loaded (${messageOf(thrown)})`, { url, cause: thrown });
  }
}
