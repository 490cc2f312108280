// The two views of a picture: which patches each one keeps.

import type { Explanation } from "./avse-web/index.js";
import { el } from "./dom.js";
import { numbers, viewClass } from "./heatmap.js";

/** The picture once for each view, with the patches that the view leaves out hatched. */
export function views(picture: string | null, explanation: Explanation): HTMLElement {
  const { gridSide, views: kept } = explanation;
  return el("div", { class: "views" }, ...kept.map((patches, view) => figure(picture, gridSide, new Set(patches), view)));
}

function figure(picture: string | null, side: number, kept: Set<number>, view: number): HTMLElement {
  const all = side * side;
  const left = numbers(all).filter((patch) => !kept.has(patch));
  const where = left.map((patch) => `row ${Math.floor(patch / side) + 1} column ${(patch % side) + 1}`).join(", ");
  const label = `View ${view + 1} keeps ${kept.size} of ${all} patches. Left out: ${where || "none"}.`;
  const grid = el("span", { class: "patches" }, ...numbers(all).map((patch) => el("i", { class: kept.has(patch) ? "kept" : "left" })));
  grid.style.setProperty("--side", String(side));
  return el(
    "figure",
    { class: `view ${viewClass(view)}` },
    el("span", { class: "frame", role: "img", "aria-label": label }, picture && el("img", { src: picture, alt: "" }), grid),
    el("figcaption", {}, el("b", {}, `View ${view + 1}`), ` keeps ${kept.size} of ${all} patches`),
  );
}
