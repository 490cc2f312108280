// Why a hit matches: the picture as the model looked at it, and in numbers the sum of the score and the cosines of all blocks.

import type { Explanation } from "./avse-web/index.js";
import { button, byId, el } from "./dom.js";
import { WEAK } from "./fit.js";
import { heatmap, numbers, viewClass } from "./heatmap.js";
import { views } from "./views.js";
import { isAborted, trouble } from "./words.js";

/** What is explained. */
export interface Match {
  sentence: string;
  /** Address of the picture. */
  picture: Promise<string | null>;
  explanation(signal: AbortSignal): Promise<Explanation>;
  /** Where to go from here. */
  next: { label: string; action(): void };
}

/** The dialog; the browser keeps the focus inside and gives it back afterwards. */
export class ExplainDialog {
  private readonly dialog = byId("explain", HTMLDialogElement);
  private showing: AbortController | null = null;
  private numbersShown = false;

  constructor() {
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.dialog.addEventListener("close", () => this.showing?.abort());
  }

  /** Opens the dialog for a match. */
  async open(match: Match): Promise<void> {
    this.showing?.abort();
    const showing = new AbortController();
    this.showing = showing;
    const body = el("div", { class: "explain-body" }, el("p", { class: "aside", role: "status" }, "Looking closely…"));
    this.dialog.replaceChildren(this.header(), body);
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.scrollTop = 0;
    try {
      const [explanation, picture] = await Promise.all([match.explanation(showing.signal), match.picture]);
      if (showing.signal.aborted) return;
      body.replaceChildren(...this.content(match, explanation, picture));
    } catch (error) {
      if (isAborted(error)) return;
      const { title, help } = trouble(error);
      body.replaceChildren(el("p", { class: "trouble", role: "alert" }, el("b", {}, title), ` ${help}`));
    }
  }

  private header(): HTMLElement {
    const close = button("", () => this.dialog.close(), { class: "quiet icon-button", "aria-label": "Close" });
    close.append(cross());
    return el("header", { class: "explain-head" }, el("h2", { id: "explain-title" }, "Why it matches"), close);
  }

  private content(match: Match, explanation: Explanation, picture: string | null): Node[] {
    const { imageBlocks, captionBlocks, views: kept, score } = explanation;
    const pair = el(
      "div",
      { class: "pair" },
      el("span", { class: "paper" }, picture && el("img", { src: picture, alt: "the picture" })),
      el("blockquote", {}, match.sentence),
    );
    const twice = kept.length === 2 ? "twice" : `${kept.length} times`;
    const inNumbers = el(
      "details",
      { class: "in-numbers" },
      el("summary", {}, "In numbers"),
      el("h3", {}, `Score ${score.toFixed(2)} of ${captionBlocks}`),
      el("p", {}, `Each view becomes ${imageBlocks / kept.length} blocks of numbers, the sentence ${captionBlocks}. Every block of the sentence picks the block of the picture that fits it best. The score is the sum of these fits; blocks are parts of a description the model invented for itself, not words.`),
      sum(explanation),
      el("h3", {}, "All pairs of blocks"),
      el("p", {}, `The stronger the colour, the better the fit (the cosine of the two blocks). A frame with a dot marks the best of a column: the one that counts.`),
      this.map(explanation),
    );
    return [
      pair,
      el("p", { class: "verdict" }, verdict(explanation)),
      el("h3", {}, "How the model looked"),
      el("p", {}, `It looked at the picture ${twice}, each time from another point. The hatched patches are farthest from that point, and it left them out.`),
      views(picture, explanation),
      inNumbers,
      el("p", { class: "next" }, button(match.next.label, () => {
        this.dialog.close();
        match.next.action();
      }, { class: "button strong" })),
    ];
  }

  private map(explanation: Explanation): HTMLElement {
    const table = heatmap(explanation);
    const toggle = button("Show numbers", () => {
      this.numbersShown = !this.numbersShown;
      show();
    });
    const show = () => {
      table.classList.toggle("numbers", this.numbersShown);
      toggle.setAttribute("aria-pressed", String(this.numbersShown));
    };
    show();
    return el("div", { class: "heat-frame" }, table, toggle);
  }
}

/** In a visitor's words: how well it fits, and which of the looks told more. */
function verdict({ score, captionBlocks, chosenView, views: kept }: Explanation): string {
  const share = score / captionBlocks;
  const well = share < WEAK ? "hardly fits the sentence" : share < 0.7 ? "fits the sentence" : "fits the sentence well";
  const counts = kept.map((_, view) => [...chosenView].filter((other) => other === view).length);
  const most = Math.max(...counts);
  const told = counts.filter((count) => count === most).length > 1 ? "All views told the same amount." : `View ${counts.indexOf(most) + 1} told most of that.`;
  return `For the model this picture ${well}. ${told}`;
}

/** The fits that the score adds up, with the view each comes from. */
function sum({ matrix, captionBlocks, chosen, chosenView, views: kept }: Explanation): HTMLElement {
  const fits = numbers(captionBlocks).map((column) => {
    const row = chosen[column] ?? 0;
    const view = chosenView[column] ?? 0;
    const cosine = matrix[row * captionBlocks + column] ?? 0;
    return el(
      "li",
      { class: `fit ${viewClass(view)}` },
      el("b", {}, cosine.toFixed(2)),
      el("span", {}, `sentence block ${column + 1}`),
      el("span", { class: "from" }, `view ${view + 1}, block ${row + 1}`),
    );
  });
  const counts = kept.map((_, view) => [...chosenView].filter((other) => other === view).length);
  const said = counts.map((picked, view) => `view ${view + 1} for ${picked} of ${captionBlocks}`).join(", ");
  return el("div", {}, el("ol", { class: "fits", role: "list" }, ...fits), el("p", { class: "aside" }, `Chosen: ${said} blocks.`));
}

/** The closing cross. */
export function cross(): SVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M6 6l12 12M18 6L6 18");
  path.setAttribute("class", "stroke");
  svg.append(path);
  return svg;
}
