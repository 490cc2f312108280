// The loaded model and the site's two galleries: starting, cancelling, starting again on another device.

import { Avse, type Device, type Gallery, type Progress } from "./avse-web/index.js";
import { EXPORT, readSite, statedBytes, type Site } from "./site.js";
import { isAborted } from "./words.js";

/** Where the session stands. `ready` means that sentences are answered; the captions may still be on their way. */
export type Stage = "idle" | "loading" | "ready" | "stopped" | "failed";

/** Bytes of the whole download. */
export interface Load {
  loaded: number;
  total: number;
  what: string;
  fromCache: boolean;
}

/** What is loaded. */
export interface Loaded {
  avse: Avse;
  site: Site;
  pictures: Gallery;
  /** The gallery of captions: downloaded when it is first asked for, and again where that has failed. */
  captions(): Promise<Gallery>;
}

type Part = "model" | "pictures" | "captions";

/** Fires `stage`, `progress`, `captions`, `devicelost` and `restarted`. */
export class Session extends EventTarget {
  stage: Stage = "idle";
  error: unknown = null;
  loaded: Loaded | null = null;
  device: Device;
  /** Bytes of the galleries, as downloaded or taken from the cache. */
  galleryBytes = 0;
  private parts = new Map<Part, Load>();
  private running: AbortController | null = null;
  private waiting: ((loaded: Loaded) => void)[] = [];

  constructor(device: Device) {
    super();
    this.device = device;
  }

  /** Begins, or begins again on another device. What was loaded before is disposed of. */
  async start(device: Device = this.device): Promise<void> {
    this.running?.abort();
    this.loaded?.avse.dispose();
    this.loaded = null;
    this.galleryBytes = 0;
    this.device = device;
    const running = new AbortController();
    this.running = running;
    this.parts.clear();
    this.go("loading");
    try {
      const loaded = await this.load(running.signal);
      if (this.running !== running) return loaded.avse.dispose();
      this.loaded = loaded;
      this.go("ready");
      for (const resolve of this.waiting.splice(0)) resolve(loaded);
    } catch (error) {
      // What else is on its way is of no use any more.
      running.abort();
      if (this.running !== running) return;
      this.running = null;
      this.error = error;
      this.go(isAborted(error) ? "stopped" : "failed");
    }
  }

  /** Stops the download. After `start`, files that had arrived come from the cache. */
  cancel(): void {
    if (this.stage !== "loading") return;
    this.running?.abort();
    this.running = null;
    this.go("stopped");
  }

  /** Waits until the session can answer. */
  whenReady(signal: AbortSignal): Promise<Loaded> {
    if (this.loaded) return Promise.resolve(this.loaded);
    return new Promise((resolve, reject) => {
      this.waiting.push(resolve);
      signal.addEventListener("abort", () => {
        this.waiting = this.waiting.filter((other) => other !== resolve);
        reject(signal.reason as Error);
      });
    });
  }

  /** Bytes of everything that is loaded from the start, or null before sizes are known. */
  progress(): Load | null {
    const parts = [...this.parts.values()];
    if (parts.length < 3) return null;
    const sum = (of: (part: Load) => number) => parts.reduce((total, part) => total + of(part), 0);
    const current = parts.find((part) => part.loaded < part.total) ?? parts[parts.length - 1];
    return {
      loaded: sum((part) => part.loaded),
      total: sum((part) => part.total),
      what: current?.what ?? "",
      fromCache: parts.some((part) => part.loaded > 0) && parts.every((part) => part.loaded === 0 || part.fromCache),
    };
  }

  private async load(signal: AbortSignal): Promise<Loaded> {
    // Together with the worker's start: the sizes are for the bar alone, and nothing waits for them.
    const loading = Avse.load(EXPORT, { device: this.device, galleries: ["images"], signal, onProgress: this.follow("model") });
    const sized = this.sizes(signal);
    sized.catch(() => undefined);
    const avse = await loading;
    try {
      const site = await sized;
      avse.on("devicelost", () => this.dispatchEvent(new Event("devicelost")));
      avse.on("restarted", () => this.dispatchEvent(new Event("restarted")));
      const pictures = await avse.openGallery(site.pictures.url, { signal, onProgress: this.follow("pictures") });
      const open = (): Promise<Gallery> => {
        const opening = avse.openGallery(site.captions.url, { signal, onProgress: this.follow("captions") });
        opening.then(
          () => this.finish(signal),
          () => {
            pending = null;
            this.dispatchEvent(new Event("captions"));
          },
        );
        return opening;
      };
      let pending: Promise<Gallery> | null = null;
      return { avse, site, pictures, captions: () => (pending ??= open()) };
    } catch (error) {
      avse.dispose();
      throw error;
    }
  }

  /** Reads the site's description and asks for all sizes, so that the bar shows the whole download and never jumps back. */
  private async sizes(signal: AbortSignal): Promise<Site> {
    const site = await readSite(signal);
    const places: [Part, URL, string][] = [
      ["model", site.model, "the model"],
      ["pictures", site.pictures.url, "the pictures"],
      ["captions", site.captions.url, "the captions"],
    ];
    const sizes = await Promise.all(places.map(([, url]) => statedBytes(url, signal)));
    if (signal.aborted) throw signal.reason;
    places.forEach(([part, , what], at) => {
      // The model's download may have told of itself already.
      const { loaded = 0, total = 0, fromCache = false } = this.parts.get(part) ?? {};
      this.parts.set(part, { loaded, total: Math.max(total, sizes[at]!), what, fromCache });
    });
    this.dispatchEvent(new Event("progress"));
    return site;
  }

  private finish(signal: AbortSignal): void {
    if (signal.aborted) return;
    for (const part of this.parts.values()) part.loaded = part.total;
    this.galleryBytes = (this.parts.get("pictures")?.total ?? 0) + (this.parts.get("captions")?.total ?? 0);
    this.dispatchEvent(new Event("captions"));
  }

  private follow(part: Part): (progress: Progress) => void {
    return ({ loaded, total, fromCache }) => {
      const what = this.parts.get(part)?.what ?? "";
      this.parts.set(part, { loaded, total: Math.max(total, loaded), what, fromCache });
      this.dispatchEvent(new Event("progress"));
    };
  }

  private go(stage: Stage): void {
    this.stage = stage;
    if (stage !== "failed") this.error = null;
    this.dispatchEvent(new Event("stage"));
  }
}
