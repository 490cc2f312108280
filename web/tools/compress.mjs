// Compressed contents for the static server: which files, in which of the encodings that a browser takes, made once.

import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

/** Pictures are compressed already, and packed thumbnails are pictures. */
const WORTH = new Set([
  ".html", ".js", ".mjs", ".css", ".json", ".jsonl", ".map", ".webmanifest", ".txt", ".md", ".ts", ".svg", ".wasm", ".safetensors",
]);
/** Smaller files fit into one packet as they are. */
const LEAST = 1024;

const WAYS = {
  // The level at which brotli is still quick: a visitor may be waiting. Sites that are published compress once, and better.
  br: (content) => promisify(brotliCompress)(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }),
  gzip: (content) => promisify(gzip)(content, { level: 6 }),
};

/** Whether a file of this name and length is sent compressed to those who take it. */
export function isCompressible(file, bytes) {
  return bytes >= LEAST && WORTH.has(extname(file).toLowerCase());
}

/** The best encoding that a request's `Accept-Encoding` allows, or null. */
export function encodingFor(accepted = "") {
  const weights = new Map();
  for (const part of accepted.toLowerCase().split(",")) {
    const [name, ...parameters] = part.split(";").map((text) => text.trim());
    const weight = parameters.find((parameter) => parameter.startsWith("q="));
    weights.set(name, weight === undefined ? 1 : Number(weight.slice(2)));
  }
  return Object.keys(WAYS).find((name) => (weights.get(name) ?? weights.get("*") ?? 0) > 0) ?? null;
}

/** Compressed contents by encoding and file, with the tag of the version that they are of. */
const made = new Map();

/** A file's content in this encoding; `tag` tells its versions apart. The newest version is kept in memory. */
export function compressed(file, tag, encoding) {
  const key = `${encoding} ${file}`;
  const known = made.get(key);
  if (known?.tag === tag) return known.content;
  const content = readFile(file).then(WAYS[encoding]);
  made.set(key, { tag, content });
  // The next request tries again.
  content.catch(() => made.delete(key));
  return content;
}
