// Addresses of thumbnails, made once for every row that is shown.

import type { Gallery } from "./avse-web/index.js";

/** Most addresses kept for one gallery. An image that is shown keeps its pixels when its address is given back. */
const KEPT = 600;
/** How long an image has to begin with an address that is to be given back, in milliseconds. */
const GRACE = 5000;

type Addresses = Map<number, Promise<string | null>>;

const addresses = new WeakMap<Gallery, Addresses>();

/** An address for `<img src>`, or null where the gallery has no thumbnail of this row. */
export function thumbnailUrl(gallery: Gallery, row: number): Promise<string | null> {
  const known: Addresses = addresses.get(gallery) ?? new Map();
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

/** Forgets one row, which has been taken out: those behind it have moved up. */
export function forgetThumbnail(gallery: Gallery, row: number): void {
  const known = addresses.get(gallery);
  if (!known) return;
  release(known, row);
  const moved = [...known].map(([other, address]) => [other > row ? other - 1 : other, address] as const);
  known.clear();
  for (const [other, address] of moved) known.set(other, address);
}

/** Gives an address back when no image is still loading from it: otherwise that image would fail. */
function release(known: Addresses, row: number): void {
  const address = known.get(row);
  known.delete(row);
  void address?.then((url) => {
    if (!url) return;
    const giveBack = () => {
      const loading = [...document.images].some((image) => image.src === url && !image.complete);
      if (loading) setTimeout(giveBack, GRACE);
      else URL.revokeObjectURL(url);
    };
    setTimeout(giveBack, GRACE);
  });
}
