/**
 * A loaded model over the life of several workers: a lost GPU or a crash costs the worker, not the session.
 */

import { Client, type SendOptions, type WorkerLike } from "./client.js";
import { AvseError } from "./errors.js";
import { PAUSE, tryGpu } from "./gpu-trial.js";
import type { CallName, Calls, Changed, Loaded, LoadRequest, Snapshot } from "./protocol.js";
import type { Kind, Progress } from "./types.js";

/** Two losses of the GPU within this time, in milliseconds, and the CPU takes over. */
const LOSS_WINDOW = 10_000;
/** How long a broken worker may take to hand out its galleries, in milliseconds. */
const SALVAGE_TIME = 3_000;
/** How often a call is repeated after the GPU was lost: the second time it runs on the CPU. */
const REPEATS = 2;

export type SessionEvent = "devicelost" | "restarted";

/** How a gallery is opened once more in a fresh worker. */
interface OpenGallery {
  origin: { url: string } | { name?: string; kind?: Kind };
  /** What a broken worker handed out. */
  snapshot?: Snapshot;
  /** Counts the changes since it was saved: rows that are in no store. */
  unsaved: number;
  /** How often its rows have moved through other tabs. */
  version: number;
  /** Is told of what other tabs have done to it. */
  onChanged?: (changed: Changed) => void;
  /** The worker in which it is open. */
  openIn?: Client;
  /** Its opening in a fresh worker. */
  opening?: { client: Client; done: Promise<void> };
}

/** What a call asks; made anew for each attempt, because pictures are handed over and are gone afterwards. */
export interface Prepared<N extends CallName> {
  request: Calls[N]["request"];
  transfer?: Transferable[];
}

export class Session {
  readonly #makeWorker: () => WorkerLike;
  readonly #request: LoadRequest;
  readonly #listeners: Record<SessionEvent, Set<() => void>> = { devicelost: new Set(), restarted: new Set() };
  readonly #galleries = new Map<number, OpenGallery>();
  /** Every client that has not been ended. */
  readonly #alive = new Set<Client>();
  #client: Client | null = null;
  #starting: Promise<Client> | null = null;
  #salvaging: Promise<void> = Promise.resolve();
  #lastLoss = -Infinity;
  #lastGallery = 0;
  #disposed: AvseError | null = null;
  #loaded: Loaded | null = null;
  #fallback: string | undefined;
  #tried = false;

  private constructor(request: LoadRequest, makeWorker: () => WorkerLike) {
    this.#request = request;
    this.#makeWorker = makeWorker;
  }

  /** Starts a worker and loads the model in it. */
  static async open(
    request: LoadRequest,
    makeWorker: () => WorkerLike,
    options: { signal?: AbortSignal | undefined; onProgress?: ((progress: Progress) => void) | undefined } = {},
  ): Promise<Session> {
    options.signal?.throwIfAborted();
    const session = new Session({ ...request }, makeWorker);
    try {
      session.#client = await session.#load(options);
      return session;
    } catch (error) {
      session.dispose();
      throw error;
    }
  }

  get loaded(): Loaded {
    return this.#loaded!;
  }

  get disposed(): boolean {
    return this.#disposed !== null;
  }

  /** Calls the worker; after a lost GPU once more in its successor. */
  async call<N extends CallName>(
    name: N,
    prepare: () => Prepared<N> | Promise<Prepared<N>>,
    options: SendOptions = {},
  ): Promise<Calls[N]["answer"]> {
    for (let attempt = 0; ; attempt++) {
      options.signal?.throwIfAborted();
      if (this.#disposed) throw this.#disposed;
      const client = await this.#ready(options.signal);
      try {
        const { request, transfer = [] } = await prepare();
        const gallery = (request as { gallery?: number }).gallery;
        if (gallery !== undefined) await this.#reopen(client, gallery);
        const answer = await client.call(name, request, { ...options, transfer });
        if (name === "search" || name === "encode") this.#tryGpu();
        return answer;
      } catch (error) {
        const lost = error instanceof AvseError && error.code === "device-lost";
        if (!lost || attempt >= REPEATS || this.#disposed) throw error;
        this.#replace(client);
      }
    }
  }

  /** Opens a gallery with `name`; its number and what is known of it. */
  async open(
    origin: OpenGallery["origin"],
    options: SendOptions = {},
  ): Promise<{ gallery: number; info: Calls["openGallery"]["answer"] }> {
    const gallery = ++this.#lastGallery;
    const call =
      "url" in origin
        ? this.call("openGallery", () => ({ request: { gallery, url: origin.url } }), options)
        : this.call("createGallery", () => ({ request: { gallery, ...origin } }), options);
    const info = await call.catch((error: unknown) => {
      // When it is given up late, the worker may have opened it already.
      if (this.#client?.usable) void this.#client.call("closeGallery", { gallery }).catch(() => {});
      throw error;
    });
    // The worker that answered may be gone already; then the next call opens it again.
    const opened: OpenGallery = { origin, unsaved: 0, version: 0 };
    if (this.#client) opened.openIn = this.#client;
    this.#galleries.set(gallery, opened);
    return { gallery, info };
  }

  /** Notes that a gallery has changed; how often it has since it was saved. */
  changed(gallery: number, times = 1): number {
    const open = this.#galleries.get(gallery);
    return open ? (open.unsaved += times) : 0;
  }

  /** How often a gallery's rows have moved through other tabs, as far as the page has been told. */
  version(gallery: number): number {
    return this.#galleries.get(gallery)?.version ?? 0;
  }

  /** Listens for what other tabs do to a gallery. */
  listen(gallery: number, listener: (changed: Changed) => void): void {
    const open = this.#galleries.get(gallery);
    if (open) open.onChanged = listener;
  }

  /** Closes a gallery. */
  async close(gallery: number): Promise<void> {
    const open = this.#galleries.get(gallery);
    this.#galleries.delete(gallery);
    // Where it is not open there is nothing to close, least of all by starting a worker.
    const client = open?.openIn;
    if (client?.usable && client === this.#client) await client.call("closeGallery", { gallery });
  }

  on(event: SessionEvent, listener: () => void): () => void {
    this.#listeners[event].add(listener);
    return () => this.#listeners[event].delete(listener);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = new AvseError("disposed", "this Avse has been disposed of");
    for (const client of this.#alive) client.end(this.#disposed);
    this.#alive.clear();
    this.#client = null;
    this.#galleries.clear();
    for (const listeners of Object.values(this.#listeners)) listeners.clear();
  }

  /** The worker, started when there is none. Waiting ends with the signal; the start goes on for the other calls. */
  async #ready(signal: AbortSignal | undefined): Promise<Client> {
    if (this.#client?.usable) return this.#client;
    this.#starting ??= this.#restart().finally(() => (this.#starting = null));
    return untilAborted(this.#starting, signal);
  }

  async #restart(): Promise<Client> {
    await this.#salvaging;
    if (this.#disposed) throw this.#disposed;
    const client = await this.#load({});
    this.#client = client;
    // One that does not open now is tried once more by the call that needs it.
    await Promise.allSettled([...this.#galleries.keys()].map((gallery) => this.#reopen(client, gallery)));
    if (this.#disposed) throw this.#disposed;
    this.#emit("restarted");
    return client;
  }

  /** A worker with the model in it. */
  async #load(options: { signal?: AbortSignal | undefined; onProgress?: ((progress: Progress) => void) | undefined }): Promise<Client> {
    let crashed = false;
    const client = new Client(this.#makeWorker());
    this.#alive.add(client);
    client.onCrash = () => (crashed = true);
    try {
      const loaded = await client.call("load", this.#request, options);
      if (this.#fallback !== undefined) loaded.info.fallback ??= this.#fallback;
      this.#loaded = loaded;
      client.onCrash = (error) => this.#crashed(client, error);
      client.onChanged = (changed) => this.#changed(changed);
      return client;
    } catch (error) {
      this.#end(client, error instanceof AvseError ? error : new AvseError("aborted", "loading was given up"));
      // A worker that died while WebGPU was tried leaves nothing to fall back in, so another one is taken.
      const died = crashed && error instanceof AvseError && error.code !== "network";
      if (died && this.#request.device === "auto" && !this.#disposed) {
        this.#leaveGpu(`the start with WebGPU failed: ${error.message}`);
        return this.#load(options);
      }
      throw this.#disposed ?? error;
    }
  }

  /** The GPU is gone: another worker takes over, on the CPU when it says why. Calls that are pending fail, and repeat themselves there. */
  #replace(client: Client, why?: string): void {
    if (client !== this.#client) return;
    this.#client = null;
    const now = performance.now();
    if (now - this.#lastLoss < LOSS_WINDOW) why = "the GPU was lost twice within 10 seconds";
    if (why !== undefined) this.#leaveGpu(why);
    this.#lastLoss = now;
    this.#salvaging = this.#salvage(client, new AvseError("device-lost", "the GPU was lost"));
    this.#emit("devicelost");
  }

  /** Goes on on the processor. Where nobody asked for the GPU, later visits will know why. */
  #leaveGpu(why: string): void {
    if (this.#request.device === "auto") this.#request.distrust = why;
    this.#request.device = "wasm";
    this.#fallback = why;
  }

  #crashed(client: Client, error: AvseError): void {
    if (client !== this.#client) return;
    // One that stopped without a word would do so again.
    if (error.code === "device-lost") return this.#replace(client, error.message);
    this.#client = null;
    this.#salvaging = this.#salvage(client, new AvseError("internal", "the worker crashed"));
  }

  /** Takes the galleries that were made in the page out of a broken worker, and ends it. */
  async #salvage(client: Client, reason: AvseError): Promise<void> {
    const made = [...this.#galleries].filter(([, open]) => !("url" in open.origin) && open.openIn === client);
    if (made.length > 0) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<Snapshot[]>((resolve) => {
        timer = setTimeout(resolve, SALVAGE_TIME, []);
      });
      const snapshots = await Promise.race([client.call("salvage", {}).catch(() => []), late]);
      clearTimeout(timer);
      for (const snapshot of snapshots) {
        const open = this.#galleries.get(snapshot.gallery);
        if (open) open.snapshot = snapshot;
      }
    }
    this.#end(client, reason);
  }

  /** Opens a gallery in a worker that has not got it yet. */
  async #reopen(client: Client, gallery: number): Promise<void> {
    const open = this.#galleries.get(gallery);
    // A gallery that is only being opened now is not listed yet.
    if (!open || open.openIn === client) return;
    if (open.opening?.client !== client) open.opening = { client, done: this.#openAgain(client, gallery, open) };
    const { opening } = open;
    try {
      await opening.done;
    } finally {
      if (open.opening === opening) delete open.opening;
    }
  }

  async #openAgain(client: Client, gallery: number, open: OpenGallery): Promise<void> {
    if ("url" in open.origin) {
      await client.call("openGallery", { gallery, url: open.origin.url });
    } else if (open.snapshot) {
      await client.call("restoreGallery", { gallery, snapshot: open.snapshot });
      delete open.snapshot;
    } else if (open.unsaved > 0) {
      throw new AvseError("internal", "the gallery's unsaved rows were lost when the worker crashed");
    } else {
      // Without what the worker knew it cannot be said which rows have moved.
      const { items } = await client.call("createGallery", { gallery, ...open.origin, version: open.version + 1 });
      this.#changed({ gallery, what: "changed", items, version: open.version + 1 });
    }
    open.openIn = client;
  }

  /** After the first answer a GPU that nobody has tried is; the next visit takes it, if it is worth it. */
  #tryGpu(): void {
    if (this.#tried || !this.#loaded?.untried) return;
    this.#tried = true;
    setTimeout(() => void this.#judgeGpu(this.#loaded!), PAUSE);
  }

  async #judgeGpu({ info }: Loaded): Promise<void> {
    const client = this.#client;
    if (!client?.usable) return;
    let gpu: Client | undefined;
    const found = await tryGpu(this.#request, client, this.#makeWorker, (begun) => this.#alive.add((gpu = begun))).catch(() => undefined);
    if (gpu) this.#alive.delete(gpu);
    if (found === undefined || !client.usable) return;
    info.fallback = found ?? "it has been tried and is faster, so the next visit takes it";
    await client.call("judge", { objection: found }).catch(() => {});
  }

  #changed(changed: Changed): void {
    const open = this.#galleries.get(changed.gallery);
    if (!open) return;
    open.version = changed.version;
    open.onChanged?.(changed);
  }

  #end(client: Client, reason: AvseError): void {
    this.#alive.delete(client);
    client.end(reason);
  }

  #emit(event: SessionEvent): void {
    for (const listener of [...this.#listeners[event]]) listener();
  }
}

/** The session of each loaded model, for the galleries that are made with it. */
export const SESSIONS = new WeakMap<object, Session>();

/** A promise's outcome, or the signal's reason as soon as it is aborted. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
