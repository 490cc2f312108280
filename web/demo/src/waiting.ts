// A question that takes its time: that it is being worked on, and two ways out.

import { button, byId, el } from "./dom.js";

/** From when on a question is said to be under way, and from when on there are ways out, in milliseconds. */
const SOON = 600;
const LONG = 4000;

/** What the visitor can do meanwhile. */
export interface WaysOut {
  /** Gives the question up. */
  stop(): void;
  /** What changes to another device, where that may help. */
  otherDevice(): (() => void) | null;
}

/** The line above the answer. */
export class Waiting {
  private readonly place = byId("waiting", HTMLElement);
  private timers: number[] = [];

  constructor(private readonly ways: WaysOut) {}

  /** A question has begun (`true`), or none is left. */
  busy(busy: boolean): void {
    this.timers.forEach(clearTimeout);
    this.timers = busy ? [setTimeout(() => this.show(), SOON), setTimeout(() => this.offer(), LONG)] : [];
    if (!busy) this.place.hidden = true;
  }

  /** Says that the visitor has given the question up. */
  stopped(again: () => void): void {
    this.place.replaceChildren(el("p", { class: "line" }, "Stopped: this question has no answer yet."), button("Ask again", again));
    this.place.hidden = false;
  }

  private show(): void {
    this.place.replaceChildren(el("p", { class: "line" }, "Looking…"));
    this.place.hidden = false;
  }

  private offer(): void {
    const change = this.ways.otherDevice();
    const text = change ? "Still looking. This graphics device is slow, or still at its first question." : "Still looking…";
    const others = change ? button("Use WebAssembly", change) : null;
    this.place.replaceChildren(el("p", { class: "line" }, text), button("Stop", () => this.ways.stop()), others ?? "");
  }
}
