// The cosines of all pairs of blocks, as a table whose cells are coloured.

import type { Explanation } from "./avse-web/index.js";
import { el } from "./dom.js";

/** A table of image blocks (rows, grouped by view) and caption blocks (columns). The numbers are always in it; the class `numbers` shows them. */
export function heatmap(explanation: Explanation): HTMLTableElement {
  const { matrix, imageBlocks, captionBlocks, chosen, views } = explanation;
  const perView = imageBlocks / Math.max(1, views.length);
  const head = el(
    "tr",
    {},
    el("th", { scope: "col", colspan: 2, class: "corner" }, "block"),
    ...numbers(captionBlocks).map((column) => el("th", { scope: "col" }, `sentence ${column + 1}`)),
  );
  const table = el("table", { class: "heat" }, el("caption", { class: "sr" }, captionText(explanation)), el("thead", {}, head));
  const groups = numbers(Math.ceil(imageBlocks / perView)).map((view) => {
    const group = el("tbody", { class: viewClass(view) });
    const from = view * perView;
    numbers(Math.min(perView, imageBlocks - from)).forEach((inside) => {
      const row = from + inside;
      const line = el("tr");
      if (inside === 0) line.append(el("th", { scope: "rowgroup", rowspan: perView, class: "of-view" }, el("span", {}, `View ${view + 1}`)));
      line.append(el("th", { scope: "row" }, String(row + 1)));
      for (const column of numbers(captionBlocks)) {
        line.append(cell(matrix[row * captionBlocks + column] ?? 0, chosen[column] === row));
      }
      group.append(line);
    });
    return group;
  });
  table.append(...groups);
  return table;
}

/** The class that colours what belongs to a view; a mark tells views apart without colour. */
export function viewClass(view: number): string {
  return view % 2 === 0 ? "view-a" : "view-b";
}

/** 0, 1, … up to `count`. */
export function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}

/** Cosines below 0 look like 0: a maximum hardly ever takes them. The ink turns over where the cell's colour asks for it, which differs between dark and light. */
function cell(cosine: number, best: boolean): HTMLTableCellElement {
  const heat = Math.min(1, Math.max(0, cosine));
  const shown = el("span", { class: "number" }, cosine.toFixed(2));
  const element = el("td", { class: best ? "best" : null }, shown, best && el("span", { class: "sr" }, ", the best of its column"));
  element.style.setProperty("--heat", heat.toFixed(3));
  element.classList.toggle("warm", heat > 0.495);
  element.classList.toggle("hot", heat > 0.615);
  return element;
}

function captionText({ imageBlocks, captionBlocks }: Explanation): string {
  return `Cosines of ${imageBlocks} image blocks in rows and ${captionBlocks} sentence blocks in columns; the best of every column counts`;
}
