// One tab stop for a whole grid, and arrow keys inside it.

/** Makes the items of `list` that match `selector` one tab stop. Call `refresh` whenever the items have changed. */
export function roving(list: HTMLElement, selector: string): { refresh(): void } {
  const items = () => [...list.querySelectorAll<HTMLElement>(selector)];
  const choose = (chosen: HTMLElement | undefined) => {
    for (const item of items()) item.tabIndex = item === chosen ? 0 : -1;
  };
  list.addEventListener("focusin", (event) => {
    const item = event.target instanceof Element ? event.target.closest<HTMLElement>(selector) : null;
    if (item) choose(item);
  });
  list.addEventListener("keydown", (event) => {
    const all = items();
    const at = all.findIndex((item) => item === document.activeElement);
    const next = at < 0 ? undefined : target(event.key, all, at);
    if (!next || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    next.focus();
  });
  return {
    refresh() {
      const all = items();
      choose(all.find((item) => item === document.activeElement) ?? all[0]);
    },
  };
}

function target(key: string, all: HTMLElement[], at: number): HTMLElement | undefined {
  switch (key) {
    case "ArrowRight":
      return all[at + 1];
    case "ArrowLeft":
      return all[at - 1];
    case "Home":
      return all[0];
    case "End":
      return all[all.length - 1];
    case "ArrowDown":
      return nearest(all, at, 1);
    case "ArrowUp":
      return nearest(all, at, -1);
    default:
      return undefined;
  }
}

/** The item of the next row whose middle is nearest: the grid's columns follow the width of the page. */
function nearest(all: HTMLElement[], at: number, step: 1 | -1): HTMLElement | undefined {
  const from = all[at]!.getBoundingClientRect();
  const middle = from.left + from.width / 2;
  let best: { item: HTMLElement; distance: number } | undefined;
  let row: number | undefined;
  for (let index = at + step; index >= 0 && index < all.length; index += step) {
    const box = all[index]!.getBoundingClientRect();
    const beyond = step > 0 ? box.top >= from.bottom - 1 : box.bottom <= from.top + 1;
    if (!beyond) continue;
    const edge = step > 0 ? box.top : box.bottom;
    row ??= edge;
    if (Math.abs(edge - row) > box.height / 2) break;
    const distance = Math.abs(box.left + box.width / 2 - middle);
    if (!best || distance < best.distance) best = { item: all[index]!, distance };
  }
  return best?.item;
}
