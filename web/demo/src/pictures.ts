// A grid of pictures: hits, the collection's sample, the visitor's own.

import type { Gallery } from "./avse-web/index.js";
import { el, hiddenText } from "./dom.js";
import { roving } from "./roving.js";
import { thumbnailUrl } from "./thumbnails.js";

/** One picture to show. */
export interface Tile {
  row: number;
  /** What it is called, or an empty string. */
  words: string;
  score?: number;
  /** The best possible score. */
  best?: number;
  /** Fits hardly: shown to fill the grid. */
  faint?: boolean;
}

/** What a grid does. */
export interface GridOptions {
  label: string;
  /** Extra class names. */
  look?: string;
  /** What a press on a tile does, for screen readers: "why it matches". */
  action: string;
  chosen(tile: Tile): void;
}

/** A grid whose tiles are kept from one answer to the next, so that images do not flicker while typing. */
export class PictureGrid {
  readonly element: HTMLUListElement;
  private tiles = new Map<number, { item: HTMLLIElement; show(tile: Tile, rank: number): void }>();
  private readonly keys: { refresh(): void };
  private gallery: Gallery | null = null;

  constructor(private readonly options: GridOptions) {
    this.element = el("ul", { class: `grid ${options.look ?? ""}`, "aria-label": options.label, role: "list" });
    this.keys = roving(this.element, "button");
  }

  /** Shows tiles of a gallery, in this order. */
  show(gallery: Gallery, tiles: Tile[]): void {
    if (gallery !== this.gallery) this.tiles.clear();
    this.gallery = gallery;
    const focused = document.activeElement;
    const kept = new Map<number, { item: HTMLLIElement; show(tile: Tile, rank: number): void }>();
    tiles.forEach((tile, rank) => {
      const made = this.tiles.get(tile.row) ?? this.make(gallery, tile);
      made.show(tile, rank);
      kept.set(tile.row, made);
    });
    this.tiles = kept;
    this.element.replaceChildren(...[...kept.values()].map(({ item }) => item));
    if (focused instanceof HTMLElement && this.element.contains(focused)) focused.focus({ preventScroll: true });
    this.keys.refresh();
  }

  private make(gallery: Gallery, first: Tile): { item: HTMLLIElement; show(tile: Tile, rank: number): void } {
    let current = first;
    const image = el("img", { alt: "", decoding: "async", draggable: "false" });
    const words = el("span", { class: "words" });
    const score = el("span", { class: "score", "aria-hidden": "true" });
    const spoken = hiddenText("");
    const press = el("button", { type: "button", class: "tile" }, el("span", { class: "paper" }, image), words, score, spoken);
    press.addEventListener("click", () => this.options.chosen(current));
    void thumbnailUrl(gallery, first.row).then((url) => {
      if (url) image.src = url;
      else press.classList.add("bare");
    });
    const show = (tile: Tile, rank: number) => {
      current = tile;
      press.classList.toggle("faint", tile.faint === true);
      words.textContent = tile.words || `picture ${tile.row + 1}`;
      const scored = tile.score !== undefined && tile.best !== undefined;
      score.hidden = !scored;
      if (scored) {
        score.textContent = tile.score!.toFixed(2);
        score.style.setProperty("--share", String(Math.min(1, Math.max(0, tile.score! / tile.best!))));
        spoken.textContent = `, number ${rank + 1}, score ${tile.score!.toFixed(2)} of ${tile.best}${tile.faint ? ", hardly fits" : ""}, ${this.options.action}`;
      } else spoken.textContent = `, ${this.options.action}`;
    };
    return { item: el("li", {}, press), show };
  }
}
