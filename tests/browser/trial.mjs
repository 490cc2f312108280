// The trial that a GPU has to stand, with the real engine on an adapter made of software: it computes rightly, and slowly.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, PATIENCE } from "./support/browser.mjs";
import { site } from "./support/server.mjs";

test("WebGPU computes what the processor computes, and wrong numbers are found", { timeout: 3 * PATIENCE }, async (t) => {
  const server = await site(t);
  const page = await open(t, server.empty);
  const { right, wrong, alone } = await page.evaluate(async () => {
    const { doubt, objection, trial } = await import("/avse-web/trial.js");
    const glue = await import("/avse-web/wasm/gpu/avse_web.js");
    await glue.default({ module_or_path: await WebAssembly.compileStreaming(fetch("/avse-web/wasm/gpu/avse_web_bg.wasm")) });
    const names = { manifest: "manifest.json", config: "config.json", weights: "model.safetensors", tokenizer: "tokenizer.json" };
    const parts = {};
    for (const [part, name] of Object.entries(names)) parts[part] = new Uint8Array(await (await fetch(`/tiny/model/${name}`)).arrayBuffer());
    const [gpu, cpu] = [await glue.Engine.create(parts, "webgpu", false), await glue.Engine.create(parts, "cpu", false)];
    const [there, here] = [await trial(gpu), await trial(cpu)];
    // One number of many is another one.
    const broken = new Proxy(cpu, {
      get: (engine, name) =>
        name === "encodeText" ? async (text) => (await engine.encodeText(text)).map((number, at) => (at === 7 ? number + 0.05 : number)) : engine[name].bind(engine),
    });
    // Another number every time.
    let drift = 0;
    const random = new Proxy(cpu, {
      get: (engine, name) => (name === "encodeText" ? async (text) => (await engine.encodeText(text)).map((number) => number + 0.05 * drift++) : engine[name].bind(engine)),
    });
    return { right: objection(there, here), wrong: objection(await trial(broken), here), alone: [await doubt(gpu), await doubt(random)] };
  });
  assert.match(right ?? "", /slower here than WebAssembly/, "the software adapter is faster than the processor, or computes wrongly");
  assert.equal(wrong, "the WebGPU adapter computes wrong numbers");
  assert.deepEqual(alone, [undefined, wrong]);
});
