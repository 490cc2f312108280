// Files of the tests.

import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** Writes a file, with the folders above it; its path. */
export async function write(path, content) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}
