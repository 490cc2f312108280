/**
 * Where galleries are kept in the browser: in the origin's private file system, each in a folder of its own.
 *
 * The folder holds segments and a numbered list of them, which is written last: without it the new segments do not count.
 * The newest list that is whole counts; older lists and files that it does not name go afterwards. Former
 * versions kept every state of a gallery as a folder of its own, named by a number; such a folder counts as one segment.
 */

import { AvseError, messageOf } from "./errors.js";
import { FILES } from "./columns.js";
import type { KeptList } from "./kept.js";
import { unpackTar } from "./tar.js";

const ROOT = "avse-web-galleries";
const LIST = /^list-(\d+)\.json$/;
/** Written last into the folder of a state of former versions. */
const COMPLETE = "complete.json";

/** The files of a gallery by name. */
export type Files = Record<string, Blob>;

/** A gallery's folder, while nobody else may change it. */
export class Folder {
  readonly #folder: FileSystemDirectoryHandle;

  constructor(folder: FileSystemDirectoryHandle) {
    this.#folder = folder;
  }

  /** The newest list that is whole; `null` when there is none. */
  async list(): Promise<KeptList | null> {
    const names: string[] = [];
    for await (const name of this.#folder.keys()) names.push(name);
    const numbered = (pattern: RegExp) =>
      names.flatMap((name) => pattern.exec(name)?.[1] ?? []).map(Number).sort((a, b) => b - a);
    for (const state of numbered(LIST)) {
      const file = await (await this.#folder.getFileHandle(`list-${state}.json`)).getFile();
      // One that was cut off is no JSON.
      const list = await file.text().then(JSON.parse, () => null).catch(() => null) as KeptList | null;
      if (list?.format !== "avse-kept") continue;
      if (list.version === 1) return list;
      throw new AvseError("format", `was kept by a later version of this package (${String(list.version)})`);
    }
    for (const state of numbered(/^(\d+)$/)) {
      const files = await this.segment(String(state)).catch(() => null);
      if (files) return former(state, files);
    }
    return null;
  }

  /** The files of a segment; they may be gone as soon as the folder is left. */
  async segment(name: string): Promise<Files> {
    if (name.endsWith(".tar")) return unpackTar(await (await this.#folder.getFileHandle(name)).getFile());
    const state = await this.#folder.getDirectoryHandle(name);
    const file = async (name: string) => (await state.getFileHandle(name)).getFile();
    const files: Files = {};
    const sizes = JSON.parse(await (await file(COMPLETE)).text()) as Record<string, number>;
    for (const [name, size] of Object.entries(sizes)) {
      const content = await file(name);
      if (content.size !== size) throw new AvseError("format", `${name} has ${content.size} bytes, not ${size}`);
      files[name] = content;
    }
    return files;
  }

  /** Writes new segments, then the list; then what it does not name goes. Nothing has changed when this fails. */
  async commit(list: KeptList, segments: Files): Promise<void> {
    const name = `list-${list.state}.json`;
    const written: string[] = [];
    try {
      for (const [file, content] of [...Object.entries(segments), [name, new Blob([JSON.stringify(list)])] as const]) {
        written.push(file);
        await put(this.#folder, file, content);
      }
    } catch (thrown) {
      for (const file of written.reverse()) await this.#folder.removeEntry(file).catch(() => {});
      throw thrown;
    }
    const named = new Set([name, ...list.segments.map(({ file }) => file)]);
    const all: string[] = [];
    for await (const entry of this.#folder.keys()) all.push(entry);
    for (const entry of all) if (!named.has(entry)) await this.#folder.removeEntry(entry, { recursive: true }).catch(() => {});
  }
}

/** A state as former versions kept it, as a list of one segment. */
async function former(state: number, files: Files): Promise<KeptList> {
  const { kind, items } = JSON.parse(await files[FILES.manifest]!.text()) as { kind: KeptList["kind"]; items: number };
  const segments = items === 0 ? [] : [{ file: String(state), ids: [[0, items] as [number, number]], gone: [] }];
  return { format: "avse-kept", version: 1, state, made: `state ${state}`, kind, next: items, segments };
}

/**
 * Works in a gallery's folder while no other tab does. Without `create` the folder is `null` when there is none.
 *
 * Rejects with `unsupported` where the browser keeps no files for this page.
 */
export function inFolder<T>(name: string, create: boolean, work: (folder: Folder | null) => Promise<T>): Promise<T> {
  return exclusively(name, async () => {
    const folder = await (await root()).getDirectoryHandle(folderName(name), { create }).catch((thrown: unknown) => {
      if (!create && (thrown as DOMException).name === "NotFoundError") return null;
      throw thrown;
    });
    return work(folder && new Folder(folder));
  });
}

/** The names of all kept galleries, in alphabetical order. */
export async function names(): Promise<string[]> {
  return reporting("the kept galleries", async () => {
    const found: string[] = [];
    for await (const entry of (await root()).values()) {
      if (entry.kind !== "directory") continue;
      const name = decodeURIComponent(entry.name.slice(1));
      if (await inFolder(name, false, async (folder) => folder?.list())) found.push(name);
    }
    return found.sort();
  });
}

/** Deletes a kept gallery, if there is one. */
export async function remove(name: string): Promise<void> {
  await exclusively(name, async () => {
    await (await root()).removeEntry(folderName(name), { recursive: true }).catch((thrown: unknown) => {
      if ((thrown as DOMException).name !== "NotFoundError") throw thrown;
    });
  });
  const channel = channelOf(name);
  channel.postMessage("deleted" satisfies News);
  channel.close();
}

/** What tabs tell each other of a kept gallery. */
export type News = "saved" | "deleted";

/** Where they tell it. */
export function channelOf(name: string): BroadcastChannel {
  return new BroadcastChannel(`avse-web:${name}`);
}

/** Whether the browser keeps files for this page: not on plain http, and in some browsers not in private windows. */
export async function available(): Promise<boolean> {
  return root().then(() => true, () => false);
}

async function put(folder: FileSystemDirectoryHandle, name: string, content: Blob): Promise<void> {
  const handle = await folder.getFileHandle(name, { create: true });
  if ("createWritable" in handle) {
    const stream = await handle.createWritable();
    await stream.write(content);
    await stream.close();
    return;
  }
  // Older Safari, in workers.
  const access = await (handle as unknown as SyncFile).createSyncAccessHandle();
  try {
    access.truncate(0);
    access.write(new Uint8Array(await content.arrayBuffer()));
    access.flush();
  } finally {
    access.close();
  }
}

interface SyncFile {
  createSyncAccessHandle(): Promise<{
    truncate(size: number): void;
    write(bytes: Uint8Array): number;
    flush(): void;
    close(): void;
  }>;
}

async function root(): Promise<FileSystemDirectoryHandle> {
  const storage = globalThis.navigator?.storage as Partial<StorageManager> | undefined;
  try {
    return await (await storage!.getDirectory!()).getDirectoryHandle(ROOT, { create: true });
  } catch (thrown) {
    if ((thrown as DOMException).name === "QuotaExceededError") throw thrown;
    // It is missing on plain http; private windows of some browsers have it and refuse to use it.
    const message = "this browser keeps no files for this page (that needs https, and in some browsers no private window)";
    throw new AvseError("unsupported", message, { cause: thrown });
  }
}

/** A file name for any gallery name: the first letter keeps `.` and `..` and the empty name from meaning something. */
function folderName(name: string): string {
  return `g${encodeURIComponent(name)}`;
}

/** Keeps other tabs away from this gallery meanwhile. */
function exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
  return reporting(`gallery "${name}"`, () => {
    const locks = globalThis.navigator?.locks as LockManager | undefined;
    return locks ? (locks.request(`avse-web:${name}`, work) as Promise<T>) : work();
  });
}

async function reporting<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof AvseError || thrown instanceof WebAssembly.RuntimeError) throw thrown;
    const full = (thrown as DOMException).name === "QuotaExceededError";
    const message = full ? `${what}: the browser's store for this page is full` : `${what}: ${messageOf(thrown)}`;
    throw new AvseError("storage", message, { cause: thrown });
  }
}
