/**
 * The files of galleries, fetched before they are asked for.
 */

import { FILES } from "./columns.js";
import { canHash } from "./hash.js";
import { Loader, type FileSpec } from "./loader.js";
import { candidates, expectFormat, fileOf, type Manifest } from "./manifest.js";
import { surroundings } from "./surroundings.js";
import type { ExportInfo, Kind, Progress } from "./types.js";

/** A gallery's manifest, and what it lists of files. */
export interface Listed {
  manifest: Manifest;
  files: [embeddings: FileSpec, items: FileSpec];
}

/** Files that are here, each with the right hash. */
interface Fetched extends Listed {
  contents: Uint8Array<ArrayBuffer>[];
}

/** Asks for a gallery's manifest and plans its files. */
export async function listed(url: string, loader: Loader): Promise<Listed> {
  const manifest = await loader.manifest([manifestOf(url)]);
  expectFormat(manifest, "avse-gallery");
  const files: Listed["files"] = [fileOf(manifest, FILES.embeddings), fileOf(manifest, FILES.items)];
  loader.plan(files);
  return { manifest, files };
}

/** A gallery on its way, for whoever asks for it. */
export class EarlyGallery {
  /** What came of it; `null` where it failed: whoever needs it asks again, and is told why. */
  readonly fetched: Promise<Fetched | null>;
  #progress: Progress | undefined;
  #listener: ((progress: Progress) => void) | undefined;

  constructor(url: string, cache: boolean, signal: AbortSignal | undefined) {
    const onProgress = (progress: Progress) => {
      this.#progress = progress;
      this.#listener?.(progress);
    };
    const loader = new Loader(surroundings(), { cache, onProgress, ...(signal && { signal }) });
    this.fetched = fetchAll(url, loader).catch(() => null);
  }

  /** Reports to a listener, from what has been reported so far on. */
  follow(listener: ((progress: Progress) => void) | undefined): void {
    this.#listener = listener;
    if (this.#progress) listener?.(this.#progress);
  }
}

async function fetchAll(url: string, loader: Loader): Promise<Fetched> {
  const { manifest, files } = await listed(url, loader);
  const contents = await loader.files(files, (contents) => contents);
  await loader.finish();
  return { manifest, files, contents };
}

/** The address of a gallery's manifest, by any address that the gallery may be opened with. */
export function manifestOf(url: string): string {
  return candidates(url, [FILES.manifest])[0]!;
}

/** Galleries on their way, by the address of their manifest. Without the browser's hashes only the engine could tell whether files are right. */
export function fetchEarly(base: string, exported: ExportInfo | null, kinds: Kind[], cache: boolean, signal?: AbortSignal): Map<string, EarlyGallery> {
  const wanted = canHash() ? (exported?.galleries ?? []).filter(({ kind }) => kinds.includes(kind)) : [];
  return new Map(
    wanted.map(({ path }) => {
      const url = manifestOf(new URL(path, base).href);
      return [url, new EarlyGallery(url, cache, signal)];
    }),
  );
}
