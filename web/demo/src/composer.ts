// Where questions are put: the sentence, the examples, the drawing pad.

import { rememberQuestion } from "./address.js";
import type { AskedPicture } from "./asked.js";
import { byId } from "./dom.js";
import { DrawingPad } from "./drawing.js";
import { PAUSE, type Finder } from "./finder.js";

/** What the empty field says while the visitor draws. */
const DRAWING = "what you draw, in words";

/** Puts the visitor's questions to the finder. `nothing` is called when none is left. */
export class Composer {
  private readonly input = byId("sentence", HTMLInputElement);
  private readonly clearButton = byId("clear", HTMLButtonElement);
  private readonly drawButton = byId("draw", HTMLButtonElement);
  private readonly padPlace = byId("pad", HTMLElement);
  private pad: DrawingPad | null = null;
  private pictured = false;
  private readonly placeholder = this.input.placeholder;

  constructor(
    private readonly finder: Finder,
    private readonly asked: AskedPicture,
    private readonly nothing: () => void,
  ) {
    this.input.addEventListener("input", () => this.typed(PAUSE, false));
    byId("form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.typed(0, true);
    });
    this.clearButton.addEventListener("click", () => this.clear());
    this.drawButton.addEventListener("click", () => (this.padPlace.hidden ? this.openPad() : this.clear()));
    // Sentences that the small emoji model answers well.
    for (const example of byId("examples", HTMLElement).querySelectorAll("button")) {
      example.addEventListener("click", () => this.sentence(example.textContent ?? "", true));
    }
    addEventListener("keydown", (event) => {
      const target = event.target instanceof HTMLElement ? event.target : null;
      const inside = target?.closest("input[type=text], textarea, dialog, canvas");
      if (event.key === "/" && !inside && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        this.input.focus();
        this.input.select();
      } else if (event.key === "Escape" && (target === this.input || !inside) && !this.clearButton.hidden) this.clear();
    });
  }

  /** Asks for a sentence, as from the address, an example, or a caption. `step`: as a step in the history. */
  sentence(text: string, step: boolean): void {
    this.input.value = text;
    this.typed(0, step);
  }

  /** Asks about a picture; the sentence goes. */
  picture(source: Blob, name: string): void {
    this.closePad();
    this.showPicture(source, name, false);
    document.getElementById("asked")?.scrollIntoView({ block: "nearest", behavior: calm() });
  }

  /** Back to the beginning. */
  clear(): void {
    this.input.value = "";
    this.typed(0, true);
    this.input.focus();
  }

  private typed(pause: number, step: boolean): void {
    const text = this.input.value.trim();
    rememberQuestion(text, step);
    title(text);
    this.closePad();
    this.asked.hide();
    this.pictured = false;
    this.clearButton.hidden = this.input.value === "";
    hasQuestion(text !== "");
    if (text) this.finder.ask({ kind: "sentence", text }, pause);
    else {
      this.finder.stop();
      this.nothing();
    }
  }

  private showPicture(source: Blob, name: string, drawn: boolean): void {
    if (!this.pictured) rememberQuestion("", true);
    this.pictured = true;
    this.input.value = "";
    this.clearButton.hidden = false;
    title(drawn ? "A drawing" : name);
    hasQuestion(true);
    this.asked.show(source, name, drawn);
    this.finder.ask({ kind: "picture", source, name });
  }

  private openPad(): void {
    this.pad ??= new DrawingPad((drawing) => {
      if (drawing) this.showPicture(drawing, "your drawing", true);
      else {
        this.finder.stop();
        this.nothing();
      }
    });
    this.input.value = "";
    this.clearButton.hidden = false;
    rememberQuestion("", true);
    this.finder.stop();
    this.nothing();
    hasQuestion(true);
    this.input.placeholder = DRAWING;
    this.padPlace.hidden = false;
    this.asked.open();
    this.drawButton.setAttribute("aria-expanded", "true");
    this.pad.focus();
    this.padPlace.scrollIntoView({ block: "nearest", behavior: calm() });
  }

  private closePad(): void {
    this.input.placeholder = this.placeholder;
    this.padPlace.hidden = true;
    this.drawButton.setAttribute("aria-expanded", "false");
  }
}

/** Once something is asked its answer gets the room: what introduces the page goes. */
function hasQuestion(asked: boolean): void {
  document.documentElement.toggleAttribute("data-asked", asked);
}

/** Smooth movement only for those who want it. */
function calm(): ScrollBehavior {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
}

function title(question: string): void {
  document.title = question ? `${question} · AVSE` : "AVSE: pictures from sentences";
}
