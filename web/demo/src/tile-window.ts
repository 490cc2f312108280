// A grid of any number of tiles, of which only those in sight are in the document.

import { el } from "./dom.js";

/** Rows of tiles above and below the visible ones. */
const MARGIN = 2;
/** Narrowest tile and gaps, in pixels. */
const [NARROWEST, GAP] = [104, 12];

/** A tile as it is in the document. */
export interface WindowTile {
  /** Its place; it changes when one before it goes. */
  at: number;
  readonly item: HTMLLIElement;
}

interface Options {
  label: string;
  /** Makes a tile; its first button is where the focus goes. */
  make(tile: WindowTile): void;
}

/** One tab stop for all tiles and arrow keys among them, as in the other grids of the page. */
export class TileWindow {
  readonly element: HTMLElement;
  private readonly list: HTMLUListElement;
  private readonly tiles = new Map<number, WindowTile>();
  /** Draws nothing: for while a row is being taken out, when numbers of rows are ambiguous. */
  frozen = false;
  private size = 0;
  private columns = 3;
  private height = 0;
  private current = 0;
  private frame = 0;

  constructor(private readonly options: Options) {
    this.list = el("ul", { class: "mine", "aria-label": options.label, role: "list" });
    this.element = el("div", { class: "mine-frame" }, this.list);
    this.element.addEventListener("scroll", () => this.soon());
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("focusin", (event) => {
      const tile = [...this.tiles.values()].find(({ item }) => item.contains(event.target as Node));
      if (tile) this.choose(tile.at);
    });
    new ResizeObserver(() => {
      this.height = 0;
      this.soon();
    }).observe(this.element);
  }

  /** There are so many now; those that were there stay. */
  resize(size: number): void {
    this.size = size;
    this.soon();
  }

  /** All are others than before. */
  renew(size: number): void {
    for (const tile of [...this.tiles.values()]) this.drop(tile);
    this.size = size;
    this.soon();
  }

  /** One has gone; those behind it move up, and the focus goes to the one in its place. */
  remove(at: number): void {
    const gone = this.tiles.get(at);
    const focused = gone?.item.contains(document.activeElement) ?? false;
    if (gone) this.drop(gone);
    const behind = [...this.tiles.values()].filter((tile) => tile.at > at);
    for (const tile of behind) this.tiles.delete(tile.at);
    for (const tile of behind) this.tiles.set((tile.at -= 1), tile);
    this.size -= 1;
    this.draw();
    if (focused && this.size > 0) this.focus(Math.min(at, this.size - 1));
  }

  /** Brings a tile into sight and gives it the focus. */
  focus(at: number): void {
    if (this.height === 0) this.draw();
    const top = Math.floor(at / this.columns) * this.height;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) this.element.scrollTop = top + this.height - clientHeight;
    this.current = at;
    this.draw();
    this.tiles.get(at)?.item.querySelector("button")?.focus({ preventScroll: true });
  }

  private soon(): void {
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (this.frozen) return;
    this.current = Math.max(0, Math.min(this.current, this.size - 1));
    const width = this.list.clientWidth;
    if (width === 0) return;
    this.columns = Math.min(9, Math.max(3, Math.floor((width + GAP) / (NARROWEST + GAP))));
    if (this.height === 0) this.measure();
    const rows = Math.ceil(this.size / this.columns);
    this.list.style.height = `${rows * this.height}px`;
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / this.height) - MARGIN) * this.columns;
    const end = Math.min(this.size, (Math.ceil((scrollTop + clientHeight) / this.height) + MARGIN) * this.columns);
    for (const tile of [...this.tiles.values()]) {
      const inside = tile.at >= first && tile.at < end;
      // The one with the focus stays: otherwise a reader who scrolls would lose the place.
      if (tile.at >= this.size || (!inside && !tile.item.contains(document.activeElement))) this.drop(tile);
    }
    for (let at = first; at < end; at++) if (!this.tiles.has(at)) this.add(at);
    const all = [...this.tiles.values()].sort((a, b) => a.at - b.at);
    all.forEach((tile, index) => {
      this.place(tile);
      // Readers go through the document in its order.
      if (this.list.children[index] !== tile.item) this.list.insertBefore(tile.item, this.list.children[index] ?? null);
    });
    this.choose(this.tiles.has(this.current) ? this.current : (all[0]?.at ?? 0));
  }

  /** The height of a tile follows from its width. */
  private measure(): void {
    if (this.size === 0) return;
    const tile = this.tiles.values().next().value ?? this.add(0);
    this.place(tile);
    this.height = tile.item.offsetHeight + GAP;
  }

  private add(at: number): WindowTile {
    const tile: WindowTile = { at, item: el("li", {}) };
    this.tiles.set(at, tile);
    this.options.make(tile);
    this.list.append(tile.item);
    return tile;
  }

  private place({ at, item }: WindowTile): void {
    const share = `(100% + ${GAP}px) / ${this.columns}`;
    item.style.width = `calc(${share} - ${GAP}px)`;
    item.style.left = `calc(${share} * ${at % this.columns})`;
    item.style.top = `${Math.floor(at / this.columns) * this.height}px`;
    item.setAttribute("aria-posinset", String(at + 1));
    item.setAttribute("aria-setsize", String(this.size));
  }

  private drop(tile: WindowTile): void {
    tile.item.remove();
    this.tiles.delete(tile.at);
  }

  private choose(at: number): void {
    this.current = at;
    for (const tile of this.tiles.values()) {
      for (const button of tile.item.querySelectorAll("button")) button.tabIndex = tile.at === at ? 0 : -1;
    }
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.height)) * this.columns;
    const last = this.size - 1;
    const targets: Record<string, number> = {
      ArrowRight: this.current + 1, ArrowLeft: this.current - 1, ArrowDown: this.current + this.columns, ArrowUp: this.current - this.columns,
      PageDown: Math.min(last, this.current + page), PageUp: Math.max(0, this.current - page), Home: 0, End: last,
    };
    const target = targets[event.key];
    if (target === undefined) return;
    event.preventDefault();
    if (target >= 0 && target <= last) this.focus(target);
  }
}
