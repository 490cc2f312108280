// The download: how much has come, stopping, trying again, and what went wrong.

import { button, byId, el } from "./dom.js";
import type { Session } from "./session.js";
import { size, trouble } from "./words.js";

/** Between two reports of progress, in milliseconds. */
const PAUSE = 200;

/** Wires the loading panel and the panel of troubles at start. */
export class LoadingPanel {
  private readonly panel = byId("loading", HTMLElement);
  private readonly title = el("h2", { id: "loading-title" });
  private readonly bar = el("progress", { "aria-labelledby": "loading-title" });
  private readonly line = el("p", { class: "line" });
  private readonly stop = button("Stop", () => this.session.cancel());
  private soon = 0;
  private readonly again = button("Go on", () => void this.session.start(), { class: "button strong" });

  constructor(private readonly session: Session) {
    this.panel.append(this.title, this.bar, el("div", { class: "loading-foot" }, this.line, this.stop, this.again));
    for (const event of ["stage", "captions"]) session.addEventListener(event, () => this.show());
    session.addEventListener("progress", () => this.showSoon());
    this.show();
  }

  /** Reports come faster than anybody reads, and each would have the page laid out. */
  private showSoon(): void {
    if (this.soon) return;
    this.soon = setTimeout(() => {
      this.soon = 0;
      this.show();
    }, PAUSE);
  }

  private show(): void {
    const { stage } = this.session;
    const load = this.session.progress();
    const rest = stage === "ready" && load !== null && load.loaded < load.total;
    this.panel.hidden = !(stage === "loading" || stage === "stopped" || stage === "idle" || rest);
    if (this.panel.hidden) return;
    const focused = document.activeElement;
    this.panel.classList.toggle("slim", rest);
    this.stop.hidden = stage !== "loading";
    this.again.hidden = stage !== "stopped" && stage !== "idle";
    this.again.textContent = stage === "idle" ? "Load the model" : "Go on";
    // A button that goes away hands the focus to the one that takes its place.
    if (focused === this.stop && this.stop.hidden && !this.again.hidden) this.again.focus();
    if (focused === this.again && this.again.hidden && !this.stop.hidden) this.stop.focus();
    this.title.textContent = title(stage, load?.fromCache ?? false);
    if (load && load.total > 0) {
      this.bar.max = load.total;
      this.bar.value = Math.min(load.loaded, load.total);
      const done = load.loaded >= load.total && stage === "loading";
      this.line.textContent = done ? "starting…" : `${size(load.loaded)} of ${size(load.total)}, ${load.what}`;
    } else {
      this.bar.removeAttribute("value");
      this.line.textContent = stage === "loading" ? "asking for sizes…" : "";
    }
    this.bar.hidden = stage === "idle";
  }
}

function title(stage: string, fromCache: boolean): string {
  switch (stage) {
    case "idle":
      return "Your browser asks to save data, so the model waits";
    case "stopped":
      return "Stopped";
    case "ready":
      return "Ready for sentences; the rest is on its way";
    default:
      return fromCache ? "Fetching the model from this device" : "Fetching the model, once";
  }
}

/** A way out of a trouble. */
export interface Remedy {
  label: string;
  action(): void;
}

/** Shows an error in plain words with ways out; null takes it away. */
export function showTrouble(error: unknown, remedies: Remedy[] = []): void {
  const panel = byId("trouble", HTMLElement);
  panel.hidden = error === null;
  if (error === null) return panel.replaceChildren();
  const { title, help, detail } = trouble(error);
  const close = () => showTrouble(null);
  const ways = remedies.map(({ label, action }, at) =>
    button(label, () => {
      close();
      action();
    }, { class: at === 0 ? "button strong" : "button" }),
  );
  panel.replaceChildren(
    el("h2", {}, title),
    el("p", {}, help),
    el("div", { class: "ways" }, ...ways, button("Dismiss", close)),
    detail ? el("details", {}, el("summary", {}, "What the program said"), el("p", { class: "code" }, detail)) : "",
  );
}
