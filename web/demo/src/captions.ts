// A list of sentences, best first.

import type { Hit } from "./avse-web/index.js";
import { el, hiddenText } from "./dom.js";
import { roving } from "./roving.js";

/** A list of hits of a gallery of captions; a press asks why one matches. */
export function captionList(hits: Hit[], best: number, chosen: (hit: Hit) => void): HTMLOListElement {
  const list = el("ol", { class: "sentences", "aria-label": "Sentences, best first", role: "list" });
  for (const hit of hits) {
    const score = el("span", { class: "score", "aria-hidden": "true" }, hit.score.toFixed(2));
    score.style.setProperty("--share", String(Math.min(1, Math.max(0, hit.score / best))));
    const press = el(
      "button",
      { type: "button", class: "sentence" },
      el("span", { class: "words" }, hit.caption ?? hit.key),
      score,
      hiddenText(`, score ${hit.score.toFixed(2)} of ${best}, why it matches`),
    );
    press.addEventListener("click", () => chosen(hit));
    list.append(el("li", {}, press));
  }
  roving(list, "button").refresh();
  return list;
}
