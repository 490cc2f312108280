/**
 * What this browser offers for loading.
 */

import type { Surroundings } from "./loader.js";

/** `caches` is missing or forbidden on some pages. */
export function surroundings(): Surroundings {
  let caches: CacheStorage | undefined;
  try {
    caches = globalThis.caches;
  } catch {
    caches = undefined;
  }
  return { fetch: (...args) => globalThis.fetch(...args), caches };
}
