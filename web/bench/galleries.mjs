// Synthetic galleries in this project's format, and their blocks alone for the peer.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { embeddings, half, quantise, queryNear } from "./blocks.mjs";

const ALIGNMENT = 64;

const bytes = (numbers) => Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength);
const sha256 = (content) => createHash("sha256").update(content).digest("hex");

/** A safetensors file of `{ name: [dtype, shape, numbers] }`. */
function safetensors(tensors) {
  let end = 0;
  const header = { __metadata__: { generation: "1" } };
  for (const [name, [dtype, shape, numbers]] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [end, (end += numbers.byteLength)] };
  }
  const json = JSON.stringify(header);
  const size = Math.ceil((8 + json.length) / ALIGNMENT) * ALIGNMENT - 8;
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(size));
  const data = Object.values(tensors).map(([, , numbers]) => bytes(numbers));
  return Buffer.concat([length, Buffer.from(json.padEnd(size)), ...data]);
}

/** Writes `folder`: the gallery, `gallery.f32` with the same numbers for the peer, and `query.json`: a query
 * whose nearest row is `row`. */
function write(folder, { kind, rows, shape, precision, model, asked }) {
  const values = embeddings(rows, shape);
  const precise = precision === "f16" ? half(values) : values;
  const { integers, scales, residuals } = quantise(values, shape.width);
  const whole = [rows, shape.blocks, shape.width];
  const tensors = {
    blocks_i8: ["I8", whole, integers],
    scales: ["F32", whole.slice(0, 2), scales],
    residuals: ["F32", whole.slice(0, 2), residuals],
    ...(precision !== "int8" && { [`blocks_${precision}`]: [precision.toUpperCase(), whole, precise] }),
  };
  const item = (row) => JSON.stringify({ key: `item-${row}`, caption: `synthetic ${row}`, sha256: sha256(`${row}`) });
  const files = {
    "embeddings.safetensors": safetensors(tensors),
    "items.jsonl": Buffer.from(Array.from({ length: rows }, (_, row) => `${item(row)}\n`).join("")),
  };
  const entry = (content) => ({ bytes: content.length, sha256: sha256(content) });
  const entries = Object.entries(files).map(([name, content]) => [name, entry(content)]);
  const manifest = {
    format: "avse-gallery",
    version: 1,
    created_by: "web/bench",
    generation: 1,
    items: rows,
    kind,
    shape,
    precision,
    model,
    sources: [],
    files: Object.fromEntries(entries),
  };
  const row = Math.floor(rows / 3);
  const size = shape.blocks * shape.width;
  const query = queryNear(values.subarray(row * size, (row + 1) * size), asked, shape.width);
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  writeFileSync(join(folder, "gallery.f32"), bytes(values));
  writeFileSync(join(folder, "query.json"), JSON.stringify({ row, query: [...query] }));
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
}

/** Galleries for the model of an export: `made/images-N/`, `made/captions-N/`. Their precision is that of the
 * export's own. */
export function make(data, made, wanted) {
  const read = (path) => JSON.parse(readFileSync(join(data, path)));
  const { model, galleries } = read("avse.json");
  const { embed_size, block_size = 256, sampling } = read(join(model, "config.json"));
  const captionBlocks = embed_size / block_size;
  const imageBlocks = captionBlocks * (sampling?.views ?? 2);
  const like = read(join(galleries[0].path, "manifest.json"));
  for (const [kind, rows] of wanted) {
    const [blocks, asked] = kind === "images" ? [imageBlocks, captionBlocks] : [captionBlocks, imageBlocks];
    const shape = { blocks, width: block_size };
    const { precision, model } = like;
    write(join(made, `${kind}-${rows}`), { kind, rows, shape, precision, model, asked });
  }
}
