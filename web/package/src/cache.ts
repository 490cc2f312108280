/**
 * The browser's cache of this package. Files are kept by address and hash, so that a new version of a file never meets
 * an old one; manifests by address alone, for when there is no network.
 *
 * The cache only saves time: whatever fails in it (no room, private mode) counts as "not there".
 */

const NAME = "avse-web-v1";
const HASH = "sha256";

/** What this needs of the browser's `caches`. */
export type Caches = Pick<CacheStorage, "open">;

export class FileCache {
  readonly #opened: Promise<Cache | null>;

  /** @param caches - The browser's, or none to keep nothing. */
  constructor(caches: Caches | undefined) {
    this.#opened = caches ? caches.open(NAME).catch(() => null) : Promise.resolve(null);
  }

  /** The kept file with this hash; not checked. */
  async file(url: string, sha256: string): Promise<Response | undefined> {
    return this.#match(keyed(url, sha256));
  }

  /** Keeps a file, and drops what was kept of the same address with another hash. */
  async keepFile(url: string, sha256: string, bytes: Uint8Array<ArrayBuffer>, type: string): Promise<void> {
    const key = keyed(url, sha256);
    await this.#keep(key, bytes, type);
    await this.#try(async (cache) => {
      for (const request of await cache.keys(url, { ignoreSearch: true })) {
        if (request.url !== key && isKeyedOf(request.url, url)) await cache.delete(request);
      }
    });
  }

  async dropFile(url: string, sha256: string): Promise<void> {
    await this.#try((cache) => cache.delete(keyed(url, sha256)));
  }

  /** The kept manifest of this address. */
  manifest(url: string): Promise<Response | undefined> {
    return this.#match(url);
  }

  keepManifest(url: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#keep(url, bytes, "application/json");
  }

  async #match(key: string): Promise<Response | undefined> {
    return this.#try((cache) => cache.match(key));
  }

  async #keep(key: string, bytes: Uint8Array<ArrayBuffer>, type: string): Promise<void> {
    const headers = { "content-type": type, "content-length": String(bytes.length) };
    await this.#try((cache) => cache.put(key, new Response(bytes, { headers })));
  }

  async #try<T>(use: (cache: Cache) => Promise<T>): Promise<T | undefined> {
    const cache = await this.#opened;
    if (!cache) return undefined;
    try {
      return await use(cache);
    } catch {
      return undefined;
    }
  }
}

function keyed(url: string, sha256: string): string {
  const key = new URL(url);
  key.hash = "";
  key.searchParams.append(HASH, sha256);
  return key.href;
}

function isKeyedOf(key: string, url: string): boolean {
  const hash = new URL(key).searchParams.getAll(HASH).at(-1);
  return hash !== undefined && keyed(url, hash) === key;
}
