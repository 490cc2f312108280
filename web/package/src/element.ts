/**
 * `<avse-search>`: a search field with results, for any page.
 *
 * Importing this module defines the element where there are elements to define, and does nothing elsewhere.
 *
 * @packageDocumentation
 */

import type { Avse } from "./avse.js";
import { Grid } from "./element-grid.js";
import { Lease, type ModelChoice } from "./element-pool.js";
import { megabytes, View } from "./element-view.js";
import { asAvseError, AvseError } from "./errors.js";
import type { Gallery } from "./gallery.js";
import type { Device, Hit, ImageInput, ModelInfo, Progress, SearchResult } from "./types.js";

/** How long the visitor has to stop typing before a search begins, in milliseconds. */
const PAUSE = 120;

/** From when on a search is said to be running, in milliseconds: most are over by then. */
const SLOW = 400;

/** `detail` of `avse-results`: what was found, and the text that was asked for (`null` for a picture). */
export type ResultsDetail = SearchResult & { text: string | null };

/** The events of the element; all of them bubble out of shadow trees. */
export interface AvseSearchEvents {
  "avse-ready": CustomEvent<{ info: ModelInfo }>;
  "avse-results": CustomEvent<ResultsDetail>;
  "avse-select": CustomEvent<Hit>;
  "avse-error": CustomEvent<AvseError>;
}

type Ask = { text: string } | { picture: ImageInput };

// Where there is no page the class can still be imported.
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

/**
 * `<avse-search model="…" gallery="…">`
 *
 * | attribute | meaning |
 * |---|---|
 * | `model` | address of the model's folder, or of an export for the web |
 * | `gallery` | address of the gallery's folder; by default the first one of the export |
 * | `placeholder` | of the field |
 * | `label` | of the field, for screen readers; by default the placeholder |
 * | `k` | number of results; default 12 |
 * | `device` | `auto`, `webgpu` or `wasm` |
 * | `lazy` | loads when the element is first seen or focused, not at once |
 * | `wasm-url` | folder of the WebAssembly builds, where it is not beside the script |
 * | `worker-url` | address of the worker's script, where it is not found by itself |
 *
 * Events: see {@link AvseSearchEvents}. Parts: `frame bar input pick status progress grid item image caption score error`.
 */
export class AvseSearchElement extends Base {
  static readonly observedAttributes = ["model", "gallery", "placeholder", "label", "k", "device", "wasm-url", "worker-url"];

  readonly #grid: Grid;
  readonly #view: View;
  #lease: Lease | null = null;
  /** The model and the gallery, once both are there. */
  #ready: Promise<{ avse: Avse; gallery: Gallery }> | null = null;
  /** Ends what belongs to the present model and gallery. */
  #life = new AbortController();
  /** Ends the present search. */
  #search = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked: Ask | null = null;
  #seen: IntersectionObserver | undefined;
  #connected = false;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    this.#grid = new Grid((hit) => this.#emit("avse-select", hit), () => this.#view.input.focus());
    this.#view = new View(root, this.#grid.element, {
      onText: (text, now) => this.#type(text, now),
      onPicture: (picture) => void this.search(picture),
      onRetry: () => void this.load().then(() => this.#repeat(), () => {}),
      onDown: () => this.#grid.enter(),
    });
    // Not after a failure: the focus may be on its way to "Try again", which another load would take away.
    this.addEventListener("focusin", () => this.#lease ?? void this.load().catch(() => {}));
  }

  /** The text in the field. Setting it does not search; {@link AvseSearchElement.search} does. */
  get value(): string {
    return this.#view.input.value;
  }

  set value(text: string) {
    this.#view.input.value = text;
  }

  /**
   * Loads model and gallery, as soon as the attributes name them. Resolves when searches can begin; calling it again
   * changes nothing, unless it has failed before.
   */
  async load(): Promise<void> {
    if (!this.#connected) throw new AvseError("refused", "the element is not in the page");
    if (!this.#ready) {
      this.#seen?.disconnect();
      const ready = (this.#ready = this.#load(this.#life.signal));
      ready.catch((thrown: unknown) => {
        if (this.#ready !== ready) return;
        this.#ready = null;
        this.#fail(thrown, true);
      });
    }
    await this.#ready;
  }

  /**
   * Searches for a text or a picture, at once; an earlier search that is still running is given up.
   *
   * Resolves when the results are shown, with `null` when another search came in between or this one failed (the event
   * `avse-error` tells why).
   */
  async search(question: string | ImageInput): Promise<SearchResult | null> {
    clearTimeout(this.#timer);
    this.#search.abort();
    const { signal } = (this.#search = new AbortController());
    if (typeof question === "string") {
      this.value = question;
      if (question.trim() === "") {
        this.#asked = null;
        this.#grid.clear();
        this.#view.status("");
        return null;
      }
    } else {
      this.value = "";
    }
    this.#asked = typeof question === "string" ? { text: question } : { picture: question };
    const text = typeof question === "string" ? question : null;
    this.#grid.element.setAttribute("aria-busy", "true");
    // What is shown still answers the question before.
    const slow = setTimeout(() => !signal.aborted && this.#view.searching(), SLOW);
    try {
      // A failure of loading is shown by the loading.
      const ready = await this.load().then(() => this.#ready, () => null);
      if (!ready || signal.aborted) return null;
      const { avse, gallery } = ready;
      const options = { k: this.#k, signal };
      const result = await (text === null
        ? avse.searchImage(gallery, question as ImageInput, options)
        : avse.searchText(gallery, text, options));
      if (signal.aborted) return null;
      this.#view.error(null);
      this.#grid.show(gallery, result.hits);
      this.#view.status(said(result.hits.length, text));
      this.#emit("avse-results", { ...result, text });
      return result;
    } catch (thrown) {
      if (!signal.aborted) this.#fail(thrown, false);
      return null;
    } finally {
      clearTimeout(slow);
      if (this.#search.signal === signal) this.#grid.element.setAttribute("aria-busy", "false");
    }
  }

  connectedCallback(): void {
    if (this.#connected) return;
    this.#connected = true;
    this.#label();
    this.#begin();
  }

  disconnectedCallback(): void {
    // An element that is only moved is back before the page's next step.
    queueMicrotask(() => {
      if (this.isConnected || !this.#connected) return;
      this.#connected = false;
      this.#end();
    });
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after || !this.#connected) return;
    if (name === "placeholder" || name === "label") return this.#label();
    if (name === "k") return this.#repeat();
    const wanted = this.#ready !== null;
    this.#end();
    this.#begin(wanted);
    this.#repeat();
  }

  get #k(): number {
    const k = Number(this.getAttribute("k") ?? 12);
    return Number.isInteger(k) && k > 0 ? k : 12;
  }

  #label(): void {
    const placeholder = this.getAttribute("placeholder") ?? "Describe a picture";
    this.#view.input.placeholder = placeholder;
    this.#view.input.setAttribute("aria-label", this.getAttribute("label") ?? placeholder);
  }

  /** Loads now, or when the element is seen. Several attributes may be set in one go, so the next step decides. */
  #begin(wanted = false): void {
    queueMicrotask(() => {
      if (!this.#connected || this.#ready || !this.hasAttribute("model")) return;
      if (wanted || !this.hasAttribute("lazy")) return void this.load().catch(() => {});
      this.#seen?.disconnect();
      this.#seen = new IntersectionObserver((entries) => {
        if (entries.some(({ isIntersecting }) => isIntersecting)) void this.load().catch(() => {});
      });
      this.#seen.observe(this);
    });
  }

  /** Gives model and gallery back. */
  #end(): void {
    clearTimeout(this.#timer);
    this.#seen?.disconnect();
    this.#search.abort();
    this.#life.abort();
    this.#life = new AbortController();
    this.#ready = null;
    this.#lease?.release();
    this.#lease = null;
    this.#grid.clear();
    this.#view.progress(null);
    this.#view.error(null);
    this.#view.status("");
  }

  async #load(signal: AbortSignal): Promise<{ avse: Avse; gallery: Gallery }> {
    this.#view.error(null);
    const onProgress = (progress: Progress) => this.#progress(progress, signal);
    this.#lease?.release();
    const lease = (this.#lease = new Lease(this.#choice(), onProgress));
    this.#view.status("Loading …");
    const avse = await lease.avse;
    signal.throwIfAborted();
    const gallery = await lease.gallery(this.#galleryUrl(avse), onProgress, signal);
    signal.throwIfAborted();
    this.#view.progress(null);
    this.#view.status("");
    this.#view.pictures(avse.info.hasImageTower);
    this.#emit("avse-ready", { info: avse.info });
    return { avse, gallery };
  }

  #choice(): ModelChoice {
    const model = this.getAttribute("model");
    if (!model) throw new AvseError("refused", "<avse-search> needs the attribute model");
    const choice: ModelChoice = { url: new URL(model, this.baseURI).href, device: (this.getAttribute("device") ?? "auto") as Device };
    for (const [name, key] of [["wasm-url", "wasmUrl"], ["worker-url", "workerUrl"]] as const) {
      const value = this.getAttribute(name);
      if (value) choice[key] = new URL(value, this.baseURI).href;
    }
    return choice;
  }

  #galleryUrl(avse: Avse): string {
    const gallery = this.getAttribute("gallery");
    if (gallery) return new URL(gallery, this.baseURI).href;
    const first = avse.exported?.galleries[0];
    if (!first) throw new AvseError("refused", "<avse-search> needs the attribute gallery");
    const folder = new URL(this.getAttribute("model")!, this.baseURI);
    if (!/(\/|\.json)$/.test(folder.pathname)) folder.pathname += "/";
    return new URL(first.path, folder).href;
  }

  #progress(progress: Progress, signal: AbortSignal): void {
    if (signal.aborted) return;
    const done = progress.loaded >= progress.total;
    this.#view.progress(done ? null : progress);
    this.#view.status(done ? "Starting …" : `Loading ${megabytes(progress.total)} MB …`);
  }

  #type(text: string, now: boolean): void {
    clearTimeout(this.#timer);
    // What runs is for a text that is no longer there.
    this.#search.abort();
    if (now || text.trim() === "") void this.search(text);
    else this.#timer = setTimeout(() => void this.search(text), PAUSE);
  }

  #repeat(): void {
    if (this.#asked) void this.search("text" in this.#asked ? this.#asked.text : this.#asked.picture);
  }

  #fail(thrown: unknown, retry: boolean): void {
    const error = asAvseError(thrown);
    this.#view.progress(null);
    this.#view.status("");
    this.#view.error(error.message, retry);
    this.#emit("avse-error", error);
  }

  #emit<N extends keyof AvseSearchEvents>(name: N, detail: AvseSearchEvents[N]["detail"]): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

function said(count: number, text: string | null): string {
  const results = count === 1 ? "1 result" : `${count} results`;
  return text === null ? `${results} for the picture` : `${results} for “${text}”`;
}

if (typeof customElements !== "undefined" && !customElements.get("avse-search")) {
  customElements.define("avse-search", AvseSearchElement);
}

declare global {
  interface HTMLElementTagNameMap {
    "avse-search": AvseSearchElement;
  }
  interface HTMLElementEventMap extends AvseSearchEvents {}
}
