// Addresses of thumbnails, made once for every row that is shown.

import type { Gallery } from "./avse-web/index.js";

/** Most addresses kept for one gallery. An image that is shown keeps its pixels when its address is given back. */
const KEPT = 600;

const addresses = new WeakMap<Gallery, Map<number, Promise<string | null>>>();

/** An address for `<img src>`, or null where the gallery has no thumbnail of this row. */
export function thumbnailUrl(gallery: Gallery, row: number): Promise<string | null> {
  const known = addresses.get(gallery) ?? new Map<number, Promise<string | null>>();
  addresses.set(gallery, known);
  const address =
    known.get(row) ??
    gallery.thumbnail(row).then(
      (blob) => blob && URL.createObjectURL(blob),
      () => null,
    );
  known.delete(row);
  known.set(row, address);
  if (known.size > KEPT) release(known, known.keys().next().value ?? row);
  return address;
}

/** Forgets all addresses of a gallery, as when its rows have moved or it was closed. */
export function forgetThumbnails(gallery: Gallery): void {
  const known = addresses.get(gallery);
  for (const row of [...(known?.keys() ?? [])]) release(known!, row);
}

function release(known: Map<number, Promise<string | null>>, row: number): void {
  void known.get(row)?.then((address) => address && URL.revokeObjectURL(address));
  known.delete(row);
}
