// Folders of files as `avse export-web` and the package's build make them, for the fake engine.

import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { deflateSync } from "node:zlib";

import { Engine } from "./fake-engine.mjs";

/** An empty module: the fake engine needs none, but what is compiled has to be one. */
const WASM = Buffer.concat([Buffer.from([0, 97, 115, 109, 1, 0, 0, 0]), section(200_000)]);

function section(length) {
  // A custom section that pads the module to a size worth a progress bar.
  const body = Buffer.concat([Buffer.from([3]), Buffer.from("pad"), Buffer.alloc(length)]);
  const size = [];
  for (let rest = body.length; ; rest >>>= 7) {
    size.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    if (rest <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([0, ...size]), body]);
}

export function described(content) {
  return { bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
}

/** Writes files by path below a folder. */
export async function write(folder, files) {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), typeof content === "string" || content instanceof Uint8Array ? content : JSON.stringify(content));
  }
}

/** An empty folder that is gone after the test. */
export async function folder(context) {
  const path = await mkdtemp(join(tmpdir(), "avse-web-"));
  context.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Both builds of the fake engine, as `dist/wasm` would hold them. */
export async function builds() {
  const glue = await readFile(new URL("fake-engine.mjs", import.meta.url));
  const entry = (build) => ({ js: `${build}/avse_web.js`, wasm: `${build}/avse_web_bg.wasm`, ...described(WASM) });
  return {
    "wasm/manifest.json": { version: "0.1.0", builds: { cpu: entry("cpu"), gpu: entry("gpu") } },
    "wasm/cpu/avse_web.js": glue,
    "wasm/cpu/avse_web_bg.wasm": WASM,
    "wasm/gpu/avse_web.js": glue,
    "wasm/gpu/avse_web_bg.wasm": WASM,
  };
}

/** A model's folder. */
export function bundle(path = "export/model/", config = {}) {
  const files = {
    "config.json": Buffer.from(JSON.stringify(config)),
    "model.safetensors": Buffer.alloc(300_000, 7),
    "tokenizer.json": Buffer.from("{}"),
  };
  const manifest = { format: "avse-bundle", version: 1, created_by: "test", precision: "f32", files: {} };
  for (const [name, content] of Object.entries(files)) manifest.files[name] = described(content);
  const all = { ...files, "manifest.json": manifest };
  return Object.fromEntries(Object.entries(all).map(([name, content]) => [path + name, content]));
}

/** A whole export: model, one gallery of pictures with thumbnails, one of captions. */
export async function exported() {
  const engine = new Engine();
  const colours = { red: [255, 0, 0], green: [0, 255, 0], blue: [0, 0, 255], white: [255, 255, 255], black: [0, 0, 0] };
  const thumbnails = Object.values(colours).map((colour) => png(8, 8, () => [...colour, 255]));
  const pictures = engine.createGallery("images");
  const captions = engine.createGallery("captions");
  for (const [name, colour] of Object.entries(colours)) {
    const pixels = new Uint8Array(Array.from({ length: 64 }, () => [...colour, 255]).flat());
    engine.add(pictures, await engine.encodeImage(8, 8, pixels), { key: `${name}.png`, caption: `a ${name} square`, path: `all/${name}.png` }, "00");
    engine.add(captions, await engine.encodeText(name), { key: `about ${name}`, caption: `something ${name}` }, "00");
  }
  const file = Buffer.concat(thumbnails);
  let end = 0;
  const ends = thumbnails.map(({ length }) => (end += length));
  const galleries = [
    { name: "pictures", path: "pictures/", kind: "images", items: 5 },
    { name: "captions", path: "captions/", kind: "captions", items: 5 },
  ];
  return {
    "export/avse.json": { format: "avse-web", version: 1, model: "model/", galleries, domain: "squares" },
    ...bundle(),
    ...gallery("export/pictures/", engine.galleryFiles(pictures), { kind: "images", items: 5 }),
    ...gallery("export/captions/", engine.galleryFiles(captions), { kind: "captions", items: 5 }),
    "export/pictures/thumbnails.bin": file,
    "export/pictures/thumbnails.json": { format: "avse-thumbnails", version: 1, side: 8, ends, file: described(file) },
  };
}

function gallery(path, { embeddings, items }, rest) {
  const files = { "embeddings.safetensors": described(embeddings), "items.jsonl": described(items) };
  const manifest = { format: "avse-gallery", version: 1, ...rest, files };
  return { [`${path}manifest.json`]: manifest, [`${path}embeddings.safetensors`]: embeddings, [`${path}items.jsonl`]: items };
}

/** A PNG file; `pixel(x, y)` gives red, green, blue and opacity. */
export function png(width, height, pixel) {
  const rows = [];
  for (let y = 0; y < height; y++) {
    rows.push(0);
    for (let x = 0; x < width; x++) rows.push(...pixel(x, y));
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 6, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", deflateSync(Buffer.from(rows))), chunk("IEND", Buffer.alloc(0))]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  let crc = -1;
  for (const byte of body) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  out.writeInt32BE(~crc, body.length + 4);
  return out;
}
