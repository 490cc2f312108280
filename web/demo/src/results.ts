// The answer on the page: pictures for a sentence, sentences and similar pictures for a picture,
// and before any question a handful of the collection to begin with.

import type { Gallery, Hit } from "./avse-web/index.js";
import { captionList } from "./captions.js";
import { announce, button, byId, el } from "./dom.js";
import type { Answer, Group } from "./finder.js";
import { isWeak, tailFrom } from "./fit.js";
import { PictureGrid, type Tile } from "./pictures.js";
import type { Loaded } from "./session.js";
import { count, deviceName, many, time } from "./words.js";

/** What the visitor does with results. */
export interface Chooser {
  /** Why does this row of a gallery match the question? */
  why(gallery: Gallery, row: number, words: string): void;
  /** What is this picture of a gallery? */
  lookUp(gallery: Gallery, row: number, words: string): void;
}

/** Pictures in the first handful: whole rows of three, six and nine columns. */
const HANDFUL = 36;

/** Frames for an answer that is on its way: as many as it has pictures. */
const FRAMES = 24;

/** Shows answers. */
export class Results {
  private readonly place = byId("found", HTMLElement);
  private readonly grids: { pictures: PictureGrid; own: PictureGrid; similar: PictureGrid; ownSimilar: PictureGrid };
  private answer: Answer | null = null;
  private handful = 0;
  /** How long the answer took. */
  private readonly time = el("p", { class: "line" });

  constructor(private readonly chooser: Chooser) {
    const why = (which: "pictures" | "own") => (tile: Tile) => {
      const group = which === "own" ? this.answer?.own : this.answer?.pictures;
      if (group) chooser.why(group.gallery, tile.row, tile.words);
    };
    const again = (which: "pictures" | "own") => (tile: Tile) => {
      const group = which === "own" ? this.answer?.own : this.answer?.pictures;
      if (group) chooser.lookUp(group.gallery, tile.row, tile.words);
    };
    this.grids = {
      pictures: new PictureGrid({ label: "Pictures, best first", look: "ranked", action: "why it matches", chosen: why("pictures") }),
      own: new PictureGrid({ label: "Your pictures, best first", action: "why it matches", chosen: why("own") }),
      similar: new PictureGrid({ label: "Similar pictures, best first", action: "look this one up", chosen: again("pictures") }),
      ownSimilar: new PictureGrid({ label: "Similar pictures of yours, best first", action: "look this one up", chosen: again("own") }),
    };
  }

  /** Says that an answer is on its way. */
  busy(busy: boolean): void {
    this.place.setAttribute("aria-busy", String(busy));
  }

  /** Shows an answer. */
  show(answer: Answer, loaded: Loaded): void {
    this.answer = answer;
    this.place.classList.toggle("with-own", !!answer.own && answer.own.hits.length > 0);
    this.timed(answer, loaded);
    this.place.replaceChildren(...(answer.question.kind === "sentence" ? this.forSentence(answer) : this.forPicture(answer)));
  }

  /** Another time for the answer that is shown. */
  timed(answer: Answer, loaded: Loaded): void {
    const gallery = (answer.captions ?? answer.pictures).gallery;
    this.time.textContent = this.line(answer, loaded, gallery.size);
  }

  /** Before any question: a handful of pictures to begin with. */
  async welcome(loaded: Loaded): Promise<void> {
    this.answer = null;
    this.place.classList.remove("with-own");
    const { pictures, site } = loaded;
    const grid = new PictureGrid({
      label: "Pictures of the collection",
      look: "sample",
      action: "look this one up",
      chosen: (tile) => this.chooser.lookUp(pictures, tile.row, tile.words),
    });
    const tiles = await sample(pictures, this.handful);
    if (this.answer) return;
    grid.show(pictures, tiles);
    const more = button("Another handful", () => {
      this.handful += 1;
      void sample(pictures, this.handful).then((next) => grid.show(pictures, next));
    }, { class: "button plain" });
    const title = el("div", { class: "group-head" }, el("h2", {}, "Or pick a picture"), more);
    const about = el("p", { class: "aside" }, `${many(pictures.size, "picture")} are waiting here${site.domain ? `, all of them ${site.domain}` : ""}. Press one to see which sentences the model finds for it.`);
    this.place.replaceChildren(title, about, grid.element);
  }

  /** While the model is on its way: empty frames, so that the page does not jump. */
  waiting(asked: boolean): void {
    this.answer = null;
    const frames = Array.from({ length: asked ? FRAMES : HANDFUL }, () => el("li", {}, el("span", { class: "tile frame" })));
    if (asked) return this.place.replaceChildren(this.head("Pictures"), el("ul", { class: "grid ranked frames", "aria-hidden": "true" }, ...frames));
    // As tall as what comes in their place.
    const head = el("div", { class: "group-head", "aria-hidden": "true" }, el("h2", {}, "Or pick a picture"));
    const about = el("p", { class: "aside", "aria-hidden": "true" }, "The pictures are on their way. Press one to see which sentences the model finds for it.");
    this.place.replaceChildren(head, about, el("ul", { class: "grid sample frames", "aria-hidden": "true" }, ...frames));
  }

  private forSentence(answer: Answer): (Node | string)[] {
    const { pictures, own } = answer;
    this.grids.pictures.show(pictures.gallery, tiles(pictures, tailFrom(pictures)));
    const weak = isWeak(pictures);
    // Where nothing fits no picture stands out.
    this.grids.pictures.element.classList.toggle("ranked", !weak);
    const best = pictures.hits[0];
    announce(`${weak ? "Perhaps nothing fits. " : ""}${many(pictures.hits.length, "picture")}, best: ${best?.caption ?? best?.key ?? "none"}`);
    const nodes: (Node | string)[] = [];
    if (own && own.hits.length > 0) {
      this.grids.own.show(own.gallery, tiles(own, tailFrom(own, pictures)));
      nodes.push(el("section", { class: "beside" }, this.head("From your pictures"), this.grids.own.element));
    }
    nodes.push(
      this.head("Pictures", this.time),
      weak ? el("p", { class: "weak" }, el("b", {}, "Perhaps nothing here fits."), " These are the nearest pictures, but all of them score low. Try other words for it, or name a thing that can be drawn.") : "",
      this.grids.pictures.element,
      el("p", { class: "aside" }, "The names under the pictures come from the collection; the search does not read them. Press a picture to see why it matches."),
    );
    return nodes;
  }

  private forPicture(answer: Answer): Node[] {
    const { captions, pictures, own } = answer;
    const nodes: Node[] = [];
    if (captions) {
      const best = captions.hits[0];
      announce(`${many(captions.hits.length, "sentence")}, best: ${best?.caption ?? "none"}`);
      nodes.push(
        this.head("Sentences", this.time),
        captionList(captions.hits, captions.best, (hit) => this.chooser.why(captions.gallery, hit.index, hit.caption ?? hit.key)),
      );
    }
    if (own && own.hits.length > 0) {
      this.grids.ownSimilar.show(own.gallery, tiles(own));
      nodes.push(el("section", { class: "beside" }, this.head("Similar among yours"), this.grids.ownSimilar.element));
    }
    this.grids.similar.show(pictures.gallery, tiles(pictures));
    nodes.push(this.head("Similar pictures"), this.grids.similar.element);
    return nodes;
  }

  private head(title: string, line?: HTMLElement): HTMLElement {
    return el("div", { class: "group-head" }, el("h2", {}, title), line);
  }

  private line(answer: Answer, loaded: Loaded, of: number): string {
    const { encode, search, total } = answer.timing;
    const reading = answer.question.kind === "sentence" ? "reading" : "looking";
    return `out of ${count(of)} in ${time(total)} (${reading} ${time(encode)}, searching ${time(search)}) on ${deviceName(loaded.avse.info.device)}`;
  }
}

function tiles(group: Group, tail = group.hits.length): Tile[] {
  return group.hits.map((hit, at) => ({ row: hit.index, words: wordsOf(hit), score: hit.score, best: group.best, faint: at >= tail }));
}

/** A picture's name in the collection; the file name of one of the visitor's own. */
function wordsOf(hit: Hit): string {
  const name = hit.metadata?.["name"];
  return hit.caption ?? (typeof name === "string" ? name : "");
}

/** Rows spread over the whole collection, others every time. */
async function sample(gallery: Gallery, handful: number): Promise<Tile[]> {
  const stride = Math.max(1, Math.floor(gallery.size / HANDFUL));
  const rows = Array.from({ length: Math.min(HANDFUL, gallery.size) }, (_, at) => (at * stride + handful * 7) % gallery.size);
  return Promise.all(
    [...new Set(rows)].map(async (row) => ({ row, words: (await gallery.item(row)).caption ?? "" })),
  );
}
