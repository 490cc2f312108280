/**
 * Progress that only ever grows.
 */

import type { Progress } from "./types.js";

/**
 * Passes reports on so that `loaded` never falls, when a file has to be fetched twice or another worker begins anew.
 */
export function monotonic(listener: (progress: Progress) => void): (progress: Progress) => void {
  let [loaded, total] = [0, 0];
  return (progress) => {
    total = Math.max(total, progress.total);
    loaded = Math.min(Math.max(loaded, progress.loaded), total);
    listener({ ...progress, loaded, total });
  };
}
