/**
 * What the element shows around its results: the field, the way to give a picture, status, progress and errors.
 */

import { make } from "./element-grid.js";
import { styleSheet } from "./element-style.js";
import type { Progress } from "./types.js";

/** What the visitor does. */
export interface ViewEvents {
  /** Another text; `now` when it was confirmed. */
  onText(text: string, now: boolean): void;
  onPicture(file: Blob): void;
  onRetry(): void;
  /** The keyboard goes down, to the results. */
  onDown(): void;
}

export class View {
  readonly input: HTMLInputElement;
  readonly #frame: HTMLElement;
  readonly #pick: HTMLButtonElement;
  readonly #status: HTMLElement;
  readonly #progress: HTMLProgressElement;
  readonly #error: HTMLElement;
  readonly #events: ViewEvents;

  constructor(root: ShadowRoot, grid: HTMLElement, events: ViewEvents) {
    this.#events = events;
    root.adoptedStyleSheets = [styleSheet()];
    this.#frame = make("div", "frame");
    this.#frame.setAttribute("role", "search");
    this.input = make("input", "input");
    this.input.type = "search";
    this.input.autocomplete = "off";
    this.input.enterKeyHint = "search";
    this.#pick = this.#picker();
    const bar = make("div", "bar");
    bar.append(this.input, this.#pick);
    this.#status = make("div", "status");
    this.#status.setAttribute("role", "status");
    this.#progress = make("progress", "progress");
    this.#progress.setAttribute("aria-label", "Loading");
    this.#progress.hidden = true;
    this.#error = make("div", "error");
    this.#error.setAttribute("role", "alert");
    this.#error.hidden = true;
    this.#frame.append(bar, this.#progress, this.#status, this.#error, grid);
    root.append(this.#frame);
    this.#listen();
  }

  /** What is said about the state; read out by screen readers. */
  status(text: string): void {
    if (this.#status.textContent !== text) this.#status.textContent = text;
  }

  /** Says that a search is running; loading says more. */
  searching(): void {
    if (this.#progress.hidden && !this.#status.textContent.startsWith("Starting")) this.status("Searching …");
  }

  /** How far loading is; `null` when nothing is loading. */
  progress(progress: Progress | null): void {
    this.#progress.hidden = progress === null;
    if (!progress) return;
    this.#progress.max = Math.max(1, progress.total);
    this.#progress.value = progress.loaded;
    this.#progress.title = `${megabytes(progress.loaded)} of ${megabytes(progress.total)} MB`;
  }

  /** An error, with a way to try again where that may help; `null` takes it away. */
  error(message: string | null, retry = false): void {
    this.#error.hidden = message === null;
    this.#error.textContent = message;
    if (!retry) return;
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = "Try again";
    again.addEventListener("click", () => this.#events.onRetry());
    this.#error.append(again);
  }

  /** Whether pictures may be given. */
  pictures(allowed: boolean): void {
    this.#pick.hidden = !allowed;
  }

  #picker(): HTMLButtonElement {
    const file = document.createElement("input");
    file.type = "file";
    file.accept = "image/*";
    file.addEventListener("change", () => {
      if (file.files?.[0]) this.#events.onPicture(file.files[0]);
      file.value = "";
    });
    const button = make("button", "pick");
    button.type = "button";
    button.hidden = true;
    button.title = "Search with a picture";
    button.setAttribute("aria-label", button.title);
    button.append(icon("M3 6h4l2-2h6l2 2h4v13H3z M12 9a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7z"));
    button.addEventListener("click", () => file.click());
    return button;
  }

  #listen(): void {
    const { input } = this;
    input.addEventListener("input", () => this.#events.onText(input.value, false));
    input.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter") this.#events.onText(input.value, true);
      else if (event.key === "ArrowDown") this.#events.onDown();
      else return;
      event.preventDefault();
    });
    this.#frame.addEventListener("paste", (event) => {
      const file = pictureOf(event.clipboardData);
      if (!file || isText(event, event.clipboardData)) return;
      event.preventDefault();
      this.#events.onPicture(file);
    });
    const over = (inside: boolean) => (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      const text = isText(event, event.dataTransfer);
      if (!text) event.preventDefault();
      this.#frame.classList.toggle("drop", inside && !text);
    };
    this.#frame.addEventListener("dragover", over(true));
    this.#frame.addEventListener("dragleave", over(false));
    this.#frame.addEventListener("drop", (event) => {
      over(false)(event);
      const file = pictureOf(event.dataTransfer);
      if (file && !isText(event, event.dataTransfer)) this.#events.onPicture(file);
    });
  }
}

/**
 * Whether what comes to a field is text, though a picture comes with it: spreadsheets give cells as text and as a picture
 * of them. With a picture that is dragged or copied as such comes at most its address or its name.
 */
function isText(event: Event, data: DataTransfer | null): boolean {
  const field = event.composedPath().some(
    (at) => at instanceof HTMLInputElement || at instanceof HTMLTextAreaElement || (at instanceof HTMLElement && at.isContentEditable),
  );
  if (!field || !data?.types.includes("text/plain") || data.types.includes("text/uri-list")) return false;
  // While something is dragged its text cannot be read, only that there is one.
  const text = data.getData("text/plain").trim();
  return ![...data.files].some(({ name }) => name === text);
}

/** The first file among what was dropped or pasted; what is no picture is told by the search. */
function pictureOf(data: DataTransfer | null): File | null {
  const files = [...(data?.files ?? [])];
  return files.find(({ type }) => type.startsWith("image/")) ?? files[0] ?? null;
}

function icon(path: string): SVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "path");
  drawn.setAttribute("d", path);
  svg.append(drawn);
  return svg;
}

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
