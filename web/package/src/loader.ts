/**
 * Getting files: manifests first, so that the whole amount is known; then all files at once, from the cache or the
 * network, straight into buffers of their size. Nothing is kept before its hash is known to be right.
 */

import { FileCache, type Caches } from "./cache.js";
import { AvseError, asAvseError, messageOf } from "./errors.js";
import { canHash, sha256 } from "./hash.js";
import { htmlError, isMissing, parseManifest, type FileEntry, type Manifest } from "./manifest.js";
import type { Progress } from "./types.js";

type Bytes = Uint8Array<ArrayBuffer>;

/** What the loader needs of the browser. */
export interface Surroundings {
  fetch: typeof fetch;
  caches?: Caches | undefined;
}

export interface LoaderOptions {
  cache: boolean;
  signal?: AbortSignal;
  onProgress?(progress: Progress): void;
}

/** A file to be fetched. */
export interface FileSpec extends FileEntry {
  url: string;
  /** What reports call it. */
  what: string;
  /** Its media type in the cache; default `application/octet-stream`. */
  type?: string;
}

interface Fetched {
  bytes: Bytes;
  fromCache: boolean;
}

/** Least time between two reports, in milliseconds. */
const REPORT = 50;

export class Loader {
  readonly #fetch: typeof fetch;
  readonly #cache: FileCache;
  readonly #signal: AbortSignal | undefined;
  /** Ends all downloads when one has failed or the caller gives up. */
  readonly #stop = new AbortController();
  /** The first failure; the others only follow from it. */
  #failure: unknown;
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  readonly #manifests: { url: string; bytes: Bytes }[] = [];
  /** Files that are being written to the cache. */
  readonly #keeping: Promise<void>[] = [];
  readonly #loaded = new Map<string, number>();
  #total = 0;
  #reported = -Infinity;

  constructor(surroundings: Surroundings, options: LoaderOptions) {
    this.#fetch = surroundings.fetch;
    this.#cache = new FileCache(options.cache ? surroundings.caches : undefined);
    this.#signal = options.signal;
    this.#onProgress = options.onProgress;
    this.#signal?.addEventListener("abort", () => this.#stop.abort());
  }

  /** Bytes of everything planned so far. */
  get total(): number {
    return this.#total;
  }

  /**
   * The first of some manifests that exists: from the network, and where that fails from the cache.
   *
   * @throws AvseError `network`, or `format` when what is there is no manifest of this kind.
   */
  async manifest(candidates: string[]): Promise<Manifest> {
    const failures: AvseError[] = [];
    for (const url of candidates) {
      try {
        return await this.#manifest(url);
      } catch (thrown) {
        this.#signal?.throwIfAborted();
        failures.push(asAvseError(thrown));
      }
    }
    const [first, ...others] = failures as [AvseError, ...AvseError[]];
    if (others.length === 0) throw first;
    const html = failures.every(({ cause }) => (cause as { html?: boolean } | undefined)?.html);
    const names = others.map(({ url }) => new URL(url!).pathname.split("/").at(-1)).join(" or ");
    const rest = html ? `, and so it does for ${names}` : others.every(isMissing) ? `; nor is there ${names}` : `; ${others.map(({ message }) => message).join("; ")}`;
    throw new AvseError(first.code, first.message + rest, { url: first.url!, cause: first });
  }

  /** Counts files into the total before the first of them is fetched. */
  plan(files: FileSpec[]): void {
    for (const file of files) this.#total += file.bytes;
  }

  /**
   * Fetches planned files and hands them to `use`. Where the browser hashes, what is not as the manifest says is fetched
   * once more, past the caches, and `use` is told that all hashes are right. Elsewhere `use` has to compare them; when
   * it rejects, files that are wrong are fetched once more. Accepted files are kept.
   *
   * @returns What `use` gave.
   * @throws AvseError `network` or `format`, naming the file, or what `use` threw.
   */
  async files<T>(files: FileSpec[], use: (contents: Bytes[], hashed: boolean) => T | Promise<T>): Promise<T> {
    const hashed = canHash();
    const fetched = await this.#all(files.map((file) => (hashed ? this.#hashed(file) : this.#file(file))));
    const contents = () => fetched.map(({ bytes }) => bytes);
    if (hashed) {
      // The browser writes while the engine works; `finish` waits for it.
      this.#keeping.push(this.#keep(files, fetched));
      return use(contents(), true);
    }
    let result: T;
    try {
      result = await use(contents(), false);
    } catch (thrown) {
      const wrong = await this.#wrong(files, fetched);
      if (wrong.length === 0) throw thrown;
      const again = await this.#all(wrong.map((at) => this.#refetch(files[at]!, fetched[at]!)));
      wrong.forEach((at, i) => (fetched[at] = again[i]!));
      result = await use(contents(), false);
    }
    await this.#keep(files, fetched);
    return result;
  }

  /** Waits until all files are kept, and keeps the manifests; for when all that they list has been accepted. */
  async finish(): Promise<void> {
    await Promise.all(this.#keeping);
    await Promise.all(this.#manifests.map(({ url, bytes }) => this.#cache.keepManifest(url, bytes)));
  }

  async #manifest(url: string): Promise<Manifest> {
    try {
      const response = await this.#request(url, "no-cache");
      const bytes = new Uint8Array(await response.arrayBuffer());
      const manifest = parseManifest(url, bytes);
      this.#manifests.push({ url, bytes });
      return manifest;
    } catch (thrown) {
      this.#signal?.throwIfAborted();
      // What the server says is gone is gone; what cannot be reached may still be here.
      const status = (thrown as { cause?: { status?: number } }).cause?.status ?? 0;
      const unreachable = !(thrown instanceof AvseError && thrown.code === "format") && !(status >= 400 && status < 500);
      const kept = unreachable ? await this.#cache.manifest(url) : undefined;
      if (kept) return parseManifest(url, new Uint8Array(await kept.arrayBuffer()));
      throw thrown instanceof AvseError ? thrown : new AvseError("network", `${url}: ${messageOf(thrown)}`, { url, cause: thrown });
    }
  }

  /** A file from the cache or the network, of the right length. */
  async #file(file: FileSpec): Promise<Fetched> {
    const kept = await this.#cache.file(file.url, file.sha256);
    if (kept) {
      try {
        return { bytes: await this.#read(kept, file, true), fromCache: true };
      } catch {
        this.#signal?.throwIfAborted();
        await this.#cache.dropFile(file.url, file.sha256);
      }
    }
    const response = await this.#request(file.url, "default");
    try {
      return { bytes: await this.#read(response, file, false), fromCache: false };
    } catch (thrown) {
      // The HTTP cache may hold the file of an older version; asking the server tells.
      if (!(thrown instanceof AvseError && thrown.code === "format") || this.#stop.signal.aborted) throw thrown;
      return { bytes: await this.#read(await this.#request(file.url, "reload"), file, false), fromCache: false };
    }
  }

  /** A file with the right hash. */
  async #hashed(file: FileSpec): Promise<Fetched> {
    const fetched = await this.#file(file);
    return (await sha256(fetched.bytes)) === file.sha256 ? fetched : this.#refetch(file, fetched);
  }

  async #refetch(file: FileSpec, { fromCache }: Fetched): Promise<Fetched> {
    if (fromCache) await this.#cache.dropFile(file.url, file.sha256);
    const response = await this.#request(file.url, "reload");
    const bytes = await this.#read(response, file, false);
    const hash = await sha256(bytes);
    if (hash !== file.sha256) {
      const message = `${file.url}: the content is not what the manifest says (SHA-256 ${hash.slice(0, 12)}…, expected ${file.sha256.slice(0, 12)}…)`;
      throw new AvseError("format", message, { url: file.url });
    }
    return { bytes, fromCache: false };
  }

  async #request(url: string, cache: RequestCache): Promise<Response> {
    this.#signal?.throwIfAborted();
    // Bundlers turn small files into data addresses, which a policy for connections may forbid to fetch.
    if (url.startsWith("data:")) return new Response(bytesOfData(url));
    let response: Response;
    try {
      response = await this.#fetch(url, { cache, signal: this.#stop.signal });
    } catch (thrown) {
      this.#signal?.throwIfAborted();
      throw new AvseError("network", `${url}: cannot be fetched (${messageOf(thrown)})`, { url, cause: thrown });
    }
    if (response.ok) return response;
    const message = `${url}: HTTP ${response.status} ${response.statusText}`.trimEnd();
    throw new AvseError("network", message, { url, cause: { status: response.status } });
  }

  /** Reads a body into a buffer of the file's length; the length has to be right. */
  async #read(response: Response, file: FileSpec, fromCache: boolean): Promise<Bytes> {
    const bytes = new Uint8Array(file.bytes);
    const html = response.headers.get("content-type")?.startsWith("text/html");
    const wrong = (is: string) =>
      html ? htmlError(file.url) : new AvseError("format", `${file.url}: is ${is} bytes long, but its manifest says ${file.bytes}`, { url: file.url });
    let at = 0;
    const reader = response.body?.getReader();
    try {
      while (reader) {
        this.#signal?.throwIfAborted();
        const { done, value } = await reader.read();
        if (done) break;
        if (at + value.length > bytes.length) throw wrong(`more than ${bytes.length}`);
        bytes.set(value, at);
        at += value.length;
        this.#report(file, at, fromCache);
      }
    } catch (thrown) {
      reader?.cancel().catch(() => {});
      this.#signal?.throwIfAborted();
      if (thrown instanceof AvseError) throw thrown;
      const message = `${file.url}: the connection broke off after ${at} of ${file.bytes} bytes (${messageOf(thrown)})`;
      throw new AvseError("network", message, { url: file.url, cause: thrown });
    }
    if (at < bytes.length) throw wrong(String(at));
    if (at === 0) this.#report(file, 0, fromCache);
    return bytes;
  }

  /** Which files are not what their manifest says. */
  async #wrong(files: FileSpec[], fetched: Fetched[]): Promise<number[]> {
    const right = await Promise.all(files.map(async (file, at) => (await sha256(fetched[at]!.bytes)) === file.sha256));
    return right.flatMap((fits, at) => (fits ? [] : [at]));
  }

  async #keep(files: FileSpec[], fetched: Fetched[]): Promise<void> {
    await Promise.all(
      files.map(async (file, at) => {
        const { bytes, fromCache } = fetched[at]!;
        if (!fromCache) await this.#cache.keepFile(file.url, file.sha256, bytes, file.type ?? "application/octet-stream");
      }),
    );
  }

  /** The outcome of all, and the end of all others when one has failed. */
  async #all<T>(tasks: Promise<T>[]): Promise<T[]> {
    try {
      return await Promise.all(tasks);
    } catch (error) {
      this.#failure ??= error;
      this.#stop.abort();
      await Promise.allSettled(tasks);
      throw this.#failure;
    }
  }

  #report(file: FileSpec, bytes: number, fromCache: boolean): void {
    // A file that is fetched once more counts as far as it had come.
    this.#loaded.set(file.url, Math.max(bytes, this.#loaded.get(file.url) ?? 0));
    let loaded = 0;
    for (const part of this.#loaded.values()) loaded += part;
    const now = performance.now();
    if (loaded < this.#total && now - this.#reported < REPORT) return;
    this.#reported = now;
    this.#onProgress?.({ loaded, total: this.#total, what: file.what, fromCache });
  }
}

function bytesOfData(url: string): Bytes {
  const comma = url.indexOf(",");
  const text = decodeURIComponent(url.slice(comma + 1));
  return url.slice(0, comma).endsWith(";base64")
    ? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
    : new TextEncoder().encode(text);
}
