/**
 * Some rows of a gallery as one file, and back: for the store, for other tabs, for export and import.
 */

import { Composer, FILES, Table } from "./columns.js";
import type { GalleryParts } from "./engine.js";
import { AvseError } from "./errors.js";
import { sha256 } from "./hash.js";
import { fileOf, parseManifest } from "./manifest.js";
import type { FileBlobs } from "./protocol.js";
import { packTar } from "./tar.js";
import { endsOf, FORMAT, pack, stretchesOf, type Thumbnail } from "./thumbnails.js";

const PACKED = { list: "thumbnails.json", file: "thumbnails.bin" } as const;

/** Gallery files with their thumbnails as one tar file: unpacked it is a gallery's folder. */
export function segmentOf(files: FileBlobs, thumbnails: (Thumbnail | null)[]): { file: Blob; packed: (Thumbnail | null)[] } {
  const { blob, ends, packed } = pack(thumbnails);
  const list = { format: FORMAT, version: 1, ends };
  const file = packTar({
    [FILES.manifest]: files.manifest,
    [FILES.embeddings]: files.embeddings,
    [FILES.items]: files.items,
    [PACKED.list]: new Blob([JSON.stringify(list)]),
    [PACKED.file]: blob,
  });
  return { file, packed };
}

/** What a tar file, or a folder, holds of a gallery. */
export async function contentOf(files: Record<string, Blob>): Promise<{ parts: GalleryParts; thumbnails: (Thumbnail | null)[] }> {
  const bytes = async (name: string) => {
    const file = files[name];
    if (!file) throw new AvseError("format", `this holds no gallery: ${name} is missing`);
    return new Uint8Array(await file.arrayBuffer());
  };
  const parts = { manifest: await bytes(FILES.manifest), embeddings: await bytes(FILES.embeddings), items: await bytes(FILES.items) };
  const rows = Number(parseManifest(FILES.manifest, parts.manifest).content["items"]);
  return { parts, thumbnails: await unpack(files, rows) };
}

/** The thumbnails; they may be missing, the gallery is whole without them. */
async function unpack(files: Record<string, Blob>, rows: number): Promise<(Thumbnail | null)[]> {
  try {
    const list = parseManifest(PACKED.list, new Uint8Array(await files[PACKED.list]!.arrayBuffer()));
    const bytes = new Uint8Array(await files[PACKED.file]!.arrayBuffer());
    // One blob for all, outside of the worker's memory. A copy: the file itself may go.
    const all = new Blob([bytes]);
    return stretchesOf(bytes, all, endsOf(list, rows));
  } catch {
    return new Array<null>(rows).fill(null);
  }
}

/** Gallery files of some rows alone; `rows` rise. */
export async function chosen(parts: GalleryParts, rows: number[]): Promise<GalleryParts> {
  const table = new Table(parts);
  if (rows.length === table.rows) return parts;
  const composer = new Composer(table, rows.length);
  for (const row of rows) composer.put(table, row, row + 1);
  return composer.finish();
}

/** Gallery files of the rows of several; each is asked for when its turn has come. */
export async function together(files: (() => GalleryParts)[], rows: number): Promise<GalleryParts> {
  let composer: Composer | undefined;
  for (const each of files) {
    const table = new Table(each());
    composer ??= new Composer(table, rows);
    composer.put(table);
  }
  return composer!.finish();
}

/** Gallery files of at most `rows` rows each. */
export async function* apart(parts: GalleryParts, rows: number): AsyncGenerator<{ parts: GalleryParts; from: number; to: number }> {
  const table = new Table(parts);
  for (let from = 0; from < table.rows; from += rows) {
    const to = Math.min(from + rows, table.rows);
    const composer = new Composer(table, to - from);
    composer.put(table, from, to);
    yield { parts: await composer.finish(), from, to };
  }
}

/** Checks that files from outside are what their manifest says. */
export async function verify(parts: GalleryParts): Promise<void> {
  // Addresses are made of the names of the files beside it; here there is none.
  const manifest = { ...parseManifest(FILES.manifest, parts.manifest), url: "file:///manifest.json" };
  for (const [name, bytes] of [[FILES.embeddings, parts.embeddings], [FILES.items, parts.items]] as const) {
    const said = fileOf(manifest, name);
    if (bytes.length !== said.bytes || (await sha256(bytes)) !== said.sha256) {
      throw new AvseError("format", `${name} is not what the manifest says`);
    }
  }
}

