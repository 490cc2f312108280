/**
 * Rows of gallery files: taken out, and put together to files of fewer or more rows, without the engine.
 *
 * `embeddings.safetensors` begins with the length of its header (8 bytes, little endian) and the header, JSON that says
 * where each tensor lies. All tensors have the rows as their first dimension, so a row is a stretch of each.
 */

import type { GalleryParts } from "./engine.js";
import { AvseError } from "./errors.js";
import { sha256 } from "./hash.js";
import { parseManifest } from "./manifest.js";

export const FILES = { manifest: "manifest.json", embeddings: "embeddings.safetensors", items: "items.jsonl" } as const;

/** The first tensor starts at a multiple of this, as the engine's own files have it. */
const ALIGNMENT = 64;

interface Tensor {
  dtype: string;
  shape: number[];
  data_offsets: [start: number, end: number];
}

interface Column {
  name: string;
  dtype: string;
  /** Its shape without the rows. */
  tail: number[];
  rowBytes: number;
  /** Where its first row lies in the file. */
  start: number;
}

/** Gallery files, as rows. */
export class Table {
  readonly rows: number;
  readonly manifest: Record<string, unknown>;
  readonly columns: Column[];
  readonly #embeddings: Uint8Array;
  readonly #items: Uint8Array;
  /** Where each line ends. */
  readonly #ends: number[] = [];

  constructor({ manifest, embeddings, items }: GalleryParts) {
    this.manifest = parseManifest(FILES.manifest, manifest).content;
    this.rows = Number(this.manifest["items"]);
    this.#embeddings = embeddings;
    this.#items = items;
    for (let end = items.indexOf(10); end >= 0; end = items.indexOf(10, end + 1)) this.#ends.push(end + 1);
    if (this.#ends.length !== this.rows) throw bad(FILES.items, `has ${this.#ends.length} lines, not ${this.rows}`);
    this.columns = columnsOf(embeddings, this.rows);
  }

  /** Whether rows of another table can stand among these. */
  fits(other: Table): boolean {
    const form = ({ columns }: Table) => JSON.stringify(columns.map(({ name, dtype, tail }) => [name, dtype, tail]));
    return form(this) === form(other);
  }

  /** The numbers of some rows that follow each other. */
  stretch({ start, rowBytes }: Column, from: number, to: number): Uint8Array {
    return this.#embeddings.subarray(start + from * rowBytes, start + to * rowBytes);
  }

  /** The lines of some rows that follow each other. */
  lines(from: number, to: number): Uint8Array {
    return this.#items.subarray(from === 0 ? 0 : this.#ends[from - 1], to === 0 ? 0 : this.#ends[to - 1]);
  }
}

/** Writes gallery files of a known number of rows, table after table; only the result is held in memory. */
export class Composer {
  readonly #first: Table;
  readonly #rows: number;
  readonly #embeddings: Uint8Array<ArrayBuffer>;
  readonly #places: number[] = [];
  readonly #lines: Uint8Array[] = [];
  #done = 0;

  /** `first` says what the rows have in common. */
  constructor(first: Table, rows: number) {
    this.#first = first;
    this.#rows = rows;
    let end = 0;
    const tensors: Record<string, unknown> = { __metadata__: { generation: "1" } };
    for (const { name, dtype, tail, rowBytes } of first.columns) {
      tensors[name] = { dtype, shape: [rows, ...tail], data_offsets: [end, end + rows * rowBytes] } satisfies Tensor;
      this.#places.push(end);
      end += rows * rowBytes;
    }
    const json = JSON.stringify(tensors);
    const length = Math.ceil((8 + json.length) / ALIGNMENT) * ALIGNMENT;
    this.#embeddings = new Uint8Array(length + end);
    new DataView(this.#embeddings.buffer).setUint32(0, length - 8, true);
    this.#embeddings.set(new TextEncoder().encode(json.padEnd(length - 8)), 8);
    this.#places = this.#places.map((place) => length + place);
  }

  /** Rows `from` to `to` of a table come next. */
  put(table: Table, from = 0, to = table.rows): void {
    if (!table.fits(this.#first)) throw new AvseError("refused", "rows of another precision or shape cannot stand among these");
    table.columns.forEach((column, at) => {
      this.#embeddings.set(table.stretch(column, from, to), this.#places[at]! + this.#done * column.rowBytes);
    });
    // A copy: the table itself is not to be kept.
    this.#lines.push(table.lines(from, to).slice());
    this.#done += to - from;
  }

  async finish(): Promise<GalleryParts> {
    if (this.#done !== this.#rows) throw new AvseError("internal", `${this.#done} rows instead of ${this.#rows}`);
    const [embeddings, items] = [this.#embeddings, joined(this.#lines)];
    const files = {
      [FILES.embeddings]: { bytes: embeddings.length, sha256: await sha256(embeddings) },
      [FILES.items]: { bytes: items.length, sha256: await sha256(items) },
    };
    const manifest = { ...this.#first.manifest, generation: 1, items: this.#rows, files };
    return { manifest: new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`), embeddings, items };
  }
}

function columnsOf(file: Uint8Array, rows: number): Column[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const length = file.length < 8 ? NaN : view.getUint32(0, true);
  if (!(8 + length <= file.length)) throw bad(FILES.embeddings, "is too short");
  let header: Record<string, Tensor>;
  try {
    header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))) as Record<string, Tensor>;
  } catch {
    throw bad(FILES.embeddings, "has a broken header");
  }
  return Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .sort(([, one], [, other]) => one.data_offsets[0] - other.data_offsets[0])
    .map(([name, { dtype, shape, data_offsets: [start, end] }]) => {
      const right = shape[0] === rows && 8 + length + end <= file.length && end >= start;
      const rowBytes = rows === 0 ? 0 : (end - start) / rows;
      if (!right || !Number.isInteger(rowBytes)) throw bad(FILES.embeddings, `tensor "${name}" does not fit ${rows} rows`);
      return { name, dtype, tail: shape.slice(1), rowBytes, start: 8 + length + start };
    });
}

function joined(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function bad(file: string, what: string): AvseError {
  return new AvseError("format", `${file}: ${what}`);
}
