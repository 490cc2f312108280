/**
 * The results of the element: buttons in a grid, walked through with the arrow keys.
 */

import type { Gallery } from "./gallery.js";
import type { Hit } from "./types.js";

interface Tile {
  button: HTMLButtonElement;
  score: HTMLElement;
  /** The thumbnail's address, to be given back. */
  address?: string;
}

export class Grid {
  readonly element: HTMLElement;
  readonly #onSelect: (hit: Hit) => void;
  readonly #onLeave: () => void;
  /** The buttons that are shown, by row of the gallery, best first. */
  #tiles = new Map<number, Tile>();
  #gallery: Gallery | null = null;

  /**
   * @param onSelect - Is told of the hit that is chosen.
   * @param onLeave - Is called when the keyboard leaves the grid upwards.
   */
  constructor(onSelect: (hit: Hit) => void, onLeave: () => void) {
    this.#onSelect = onSelect;
    this.#onLeave = onLeave;
    this.element = make("div", "grid");
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", "Results");
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("focusin", (event) => this.#reach(event.target as HTMLElement));
  }

  /** Shows hits; buttons of rows that are shown already stay. */
  show(gallery: Gallery, hits: Hit[]): void {
    const before = this.#gallery === gallery ? this.#tiles : new Map<number, Tile>();
    if (this.#gallery !== gallery) this.clear();
    this.#gallery = gallery;
    this.element.className = `grid ${gallery.info.kind}`;
    this.#tiles = new Map();
    for (const hit of hits) {
      const tile = before.get(hit.index) ?? this.#tile(gallery, hit);
      before.delete(hit.index);
      tile.score.textContent = hit.score.toFixed(3);
      tile.button.onclick = () => this.#onSelect(hit);
      this.#tiles.set(hit.index, tile);
    }
    for (const tile of before.values()) drop(tile);
    const buttons = this.#buttons();
    // Moving a button takes the focus from it, so those that stand right already are let be.
    buttons.forEach((button, at) => {
      if (this.element.children[at] !== button) this.element.insertBefore(button, this.element.children[at] ?? null);
    });
    while (this.element.children.length > buttons.length) this.element.lastElementChild!.remove();
    this.#reach(buttons.find((button) => button.tabIndex === 0) ?? buttons[0]);
  }

  clear(): void {
    for (const tile of this.#tiles.values()) drop(tile);
    this.#tiles.clear();
    this.element.replaceChildren();
  }

  /** Moves the focus to the first result, if there is one. */
  enter(): void {
    this.#buttons()[0]?.focus();
  }

  #buttons(): HTMLButtonElement[] {
    return [...this.#tiles.values()].map(({ button }) => button);
  }

  #tile(gallery: Gallery, hit: Hit): Tile {
    const button = make("button", "item");
    button.type = "button";
    button.tabIndex = -1;
    const caption = make("span", "caption");
    caption.textContent = hit.caption ?? hit.key.split("/").at(-1)!;
    const score = make("span", "score");
    const tile: Tile = { button, score };
    if (gallery.info.kind === "images") {
      const image = make("img", "image");
      image.alt = "";
      image.decoding = "async";
      button.append(image);
      void this.#picture(gallery, hit.index, tile, image);
    }
    button.append(caption, score);
    return tile;
  }

  async #picture(gallery: Gallery, row: number, tile: Tile, image: HTMLImageElement): Promise<void> {
    const thumbnail = await gallery.thumbnail(row).catch(() => null);
    // Meanwhile it may have gone.
    if (!thumbnail || this.#tiles.get(row) !== tile) return;
    tile.address = URL.createObjectURL(thumbnail);
    image.src = tile.address;
  }

  /** Makes a button the one that the tab key reaches. */
  #reach(button: HTMLElement | undefined): void {
    for (const other of this.#buttons()) other.tabIndex = other === button ? 0 : -1;
  }

  #key(event: KeyboardEvent): void {
    const buttons = this.#buttons();
    const at = buttons.indexOf(event.target as HTMLButtonElement);
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const top = buttons[0]!.offsetTop;
    const columns = buttons.findIndex((button) => button.offsetTop > top);
    const row = columns < 0 ? buttons.length : columns;
    const forward = getComputedStyle(this.element).direction === "rtl" ? -1 : 1;
    const steps: Record<string, number> = {
      ArrowRight: at + forward,
      ArrowLeft: at - forward,
      ArrowDown: at + row,
      ArrowUp: at - row,
      Home: 0,
      End: buttons.length - 1,
    };
    const to = steps[event.key];
    if (event.key === "Escape" || (event.key === "ArrowUp" && to! < 0)) this.#onLeave();
    else if (to === undefined) return;
    else buttons[to]?.focus();
    event.preventDefault();
  }
}

function drop({ button, address }: Tile): void {
  button.remove();
  if (address) URL.revokeObjectURL(address);
}

/** An element whose class and part have the same name. */
export function make<N extends keyof HTMLElementTagNameMap>(tag: N, name: string): HTMLElementTagNameMap[N] {
  const element = document.createElement(tag);
  element.className = name;
  element.setAttribute("part", name);
  return element;
}
