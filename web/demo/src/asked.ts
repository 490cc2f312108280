// The picture that is asked about, beside its answer, with notes about what the model can know.

import { byId, el } from "./dom.js";
import { looksLikePhotograph } from "./photograph.js";

/** The column beside the answer to a picture. */
export class AskedPicture {
  private readonly column = byId("asked", HTMLElement);
  private readonly figure = byId("shown", HTMLElement);
  private readonly note = byId("photograph", HTMLElement);
  private readonly guess = byId("guess", HTMLElement);
  /** Address of the picture while it is asked about. */
  url: string | null = null;
  /** What the model knows, from the site's description; empty while unknown. */
  domain = "";

  /** Shows a picture. `drawn` pictures come from the pad, which is shown in their place. */
  show(source: Blob, name: string, drawn: boolean): void {
    this.forget();
    this.column.hidden = false;
    this.figure.hidden = drawn;
    this.guess.hidden = !drawn;
    this.url = URL.createObjectURL(source);
    const knows = this.domain ? `This model knows ${this.domain} only.` : "";
    this.note.hidden = true;
    if (!drawn) {
      this.figure.replaceChildren(
        el("span", { class: "paper" }, el("img", { src: this.url, alt: name ? `Your picture: ${name}` : "Your picture" })),
        el("figcaption", {}, name && el("b", {}, name), knows),
      );
      void this.judge(source);
    }
  }

  /** Shows the pad without a picture. */
  open(): void {
    this.forget();
    this.figure.hidden = this.note.hidden = true;
    this.column.hidden = false;
    this.guessed([]);
  }

  /** The best sentences for what is drawn, beside the pad: the list of all is further down on a phone. */
  guessed(sentences: string[]): void {
    this.guess.hidden = byId("pad", HTMLElement).hidden;
    if (sentences.length === 0) return this.guess.replaceChildren(el("span", { class: "line" }, "Draw, and the best three sentences stand here."));
    const best = sentences.slice(0, 3).map((words, at) => el(at === 0 ? "b" : "span", {}, words));
    this.guess.replaceChildren(el("span", { class: "line" }, "Looks like"), ...best);
  }

  /** Takes the column away. */
  hide(): void {
    this.forget();
    this.column.hidden = true;
  }

  private async judge(source: Blob): Promise<void> {
    const url = this.url;
    const photograph = this.domain !== "" && (await looksLikePhotograph(source));
    if (url !== this.url || !photograph) return;
    this.note.hidden = false;
    this.note.textContent = `This looks like a photograph. The model has seen ${this.domain} and nothing else, so its sentences about photographs are guesses.`;
  }

  private forget(): void {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
  }
}
