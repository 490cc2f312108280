/**
 * Galleries that are kept in the browser (the origin's private file system).
 *
 * Each state of a gallery is a folder of its own, numbered upwards; its list of files is written last, so that a state
 * without it is one that was never completed. Older states go when a newer one is complete.
 */

import { AvseError, messageOf } from "./errors.js";

const ROOT = "avse-web-galleries";
const LIST = "complete.json";

/** The files of a gallery by name. */
export type Files = Record<string, Blob>;

/** Keeps a gallery. */
export function write(name: string, files: Files): Promise<void> {
  return exclusively(name, async () => {
    const folder = (await folderOf(name, true))!;
    const states = await numbers(folder);
    const state = String((states[0] ?? 0) + 1);
    const target = await folder.getDirectoryHandle(state, { create: true });
    try {
      for (const [file, content] of Object.entries(files)) await put(target, file, content);
      const sizes = Object.fromEntries(Object.entries(files).map(([file, { size }]) => [file, size]));
      await put(target, LIST, new Blob([JSON.stringify(sizes)]));
    } catch (thrown) {
      await folder.removeEntry(state, { recursive: true }).catch(() => {});
      throw thrown;
    }
    for (const old of states) await folder.removeEntry(String(old), { recursive: true }).catch(() => {});
  });
}

/** The newest complete state of a gallery; `null` when there is none. */
export function read(name: string): Promise<Files | null> {
  return exclusively(name, async () => {
    const folder = await folderOf(name, false);
    if (!folder) return null;
    for (const state of await numbers(folder)) {
      const files = await complete(await folder.getDirectoryHandle(String(state)));
      if (files) return files;
    }
    return null;
  });
}

/** The names of all kept galleries, in alphabetical order. */
export async function names(): Promise<string[]> {
  return reporting("the kept galleries", async () => {
    const found: string[] = [];
    for await (const entry of (await root()).values()) {
      if (entry.kind !== "directory") continue;
      const name = decodeURIComponent(entry.name.slice(1));
      if (await read(name)) found.push(name);
    }
    return found.sort();
  });
}

/** Deletes a kept gallery, if there is one. */
export function remove(name: string): Promise<void> {
  return exclusively(name, async () => {
    await (await root()).removeEntry(folderName(name), { recursive: true }).catch((thrown: unknown) => {
      if ((thrown as DOMException).name !== "NotFoundError") throw thrown;
    });
  });
}

/** The files of a state, or `null` when its list is missing or does not fit. */
async function complete(state: FileSystemDirectoryHandle): Promise<Files | null> {
  try {
    const file = async (name: string) => (await state.getFileHandle(name)).getFile();
    const sizes = JSON.parse(await (await file(LIST)).text()) as Record<string, number>;
    const files: Files = {};
    for (const [name, size] of Object.entries(sizes)) {
      const content = await file(name);
      if (content.size !== size) return null;
      // A copy: the file itself goes when a newer state is complete.
      files[name] = new Blob([await content.arrayBuffer()]);
    }
    return files;
  } catch {
    return null;
  }
}

/** The numbers of a gallery's states, newest first. */
async function numbers(folder: FileSystemDirectoryHandle): Promise<number[]> {
  const found: number[] = [];
  for await (const name of folder.keys()) if (/^\d+$/.test(name)) found.push(Number(name));
  return found.sort((a, b) => b - a);
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
    access.write(new Uint8Array(await content.arrayBuffer()));
    access.flush();
  } finally {
    access.close();
  }
}

interface SyncFile {
  createSyncAccessHandle(): Promise<{ write(bytes: Uint8Array): number; flush(): void; close(): void }>;
}

async function root(): Promise<FileSystemDirectoryHandle> {
  const storage = globalThis.navigator?.storage as Partial<StorageManager> | undefined;
  if (!storage?.getDirectory) {
    throw new AvseError("unsupported", "this browser keeps no files for this page (it needs https, and no private window)");
  }
  return (await storage.getDirectory()).getDirectoryHandle(ROOT, { create: true });
}

async function folderOf(name: string, create: boolean): Promise<FileSystemDirectoryHandle | null> {
  try {
    return await (await root()).getDirectoryHandle(folderName(name), { create });
  } catch (thrown) {
    if (!create && (thrown as DOMException).name === "NotFoundError") return null;
    throw thrown;
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
    if (thrown instanceof AvseError) throw thrown;
    const full = (thrown as DOMException).name === "QuotaExceededError";
    const message = full ? `${what}: the browser's store for this page is full` : `${what}: ${messageOf(thrown)}`;
    throw new AvseError("storage", message, { cause: thrown });
  }
}
