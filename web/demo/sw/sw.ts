// Keeps the page's shell (HTML, CSS, scripts, the glue of the engine, descriptions in JSON) for visits
// without a network. The network is asked first, so a new version is never hidden by an old copy; when it
// does not answer within moments the copy does. Model files and WebAssembly code are not touched: the
// package keeps them by their hashes.
{
  const scope = self as unknown as ServiceWorkerGlobalScope;
  const CACHE = "avse-demo-shell";
  const PATIENCE = 4000;
  const home = new URL("./", scope.location.href);

  scope.addEventListener("install", (event) => {
    event.waitUntil(keepEverything().then(() => scope.skipWaiting()));
  });

  scope.addEventListener("activate", (event) => {
    event.waitUntil(scope.clients.claim());
  });

  scope.addEventListener("fetch", (event) => {
    const url = new URL(event.request.url);
    if (event.request.method === "GET" && isShell(url)) event.respondWith(networkFirst(event));
  });

  /** Small files of the site. Large ones are the package's affair. */
  function isShell(url: URL): boolean {
    if (url.origin !== home.origin || !url.pathname.startsWith(home.pathname)) return false;
    const name = url.pathname.slice(home.pathname.length);
    if (name === "" || name.endsWith("/")) return !name.startsWith("data/");
    return /\.(html|css|js|svg|webmanifest|json)$/.test(name) && !/tokenizer\.json$/.test(name);
  }

  async function networkFirst(event: FetchEvent): Promise<Response> {
    const { request } = event;
    // The network is asked before the cache is opened, which takes its time.
    const asked = fetch(request);
    asked.catch(() => undefined);
    const cache = await caches.open(CACHE);
    // A question in the address does not make another page.
    const key = request.mode === "navigate" ? home.href : withoutQuery(request.url);
    const kept = await cache.match(key);
    const write = async (response: Response) => {
      // What has not changed is not written again.
      const same = kept && response.headers.has("etag") && response.headers.get("etag") === kept.headers.get("etag");
      if (response.ok && response.type === "basic" && !same) await cache.put(key, response.clone());
    };
    // The page does not wait for the writing.
    event.waitUntil(asked.then(write).catch(() => undefined));
    if (!kept) return asked;
    const patience = new Promise<Response>((resolve) => setTimeout(() => resolve(kept.clone()), PATIENCE));
    return Promise.race([asked.catch(() => kept.clone()), patience]);
  }

  /**
   * Follows what the page names, so that no list of files has to be kept up to date: links and scripts
   * of the page, imports and workers of the scripts, the engine's glue and the site's descriptions.
   */
  async function keepEverything(): Promise<void> {
    const cache = await caches.open(CACHE);
    const seen = new Set<string>();
    let wave = new Set([home.href, new URL("avse-web/wasm/manifest.json", home).href, new URL("data/avse.json", home).href]);
    while (wave.size > 0) {
      for (const url of wave) seen.add(url);
      const found = await Promise.all([...wave].map((url) => keep(cache, url)));
      // Many files name the same ones: each is asked for once.
      wave = new Set(found.flat().filter((url) => !seen.has(url)));
    }
  }

  /** Keeps one file; the addresses that it names. */
  async function keep(cache: Cache, url: string): Promise<string[]> {
    // On a first visit the page has just fetched nearly all of it, so the browser's own copies are new. When another
    // version takes over they may be old, and the server is asked.
    const response = await fetch(url, { cache: scope.registration.active ? "no-cache" : "force-cache" }).catch(() => null);
    if (!response?.ok) return [];
    await cache.put(url, response.clone());
    const type = response.headers.get("content-type") ?? "";
    const names = (pattern: RegExp, text: string) => [...text.matchAll(pattern)].map((match) => match[1] ?? "");
    let named: string[] = [];
    if (/html/.test(type)) named = names(/<(?:link|script)[^>]+(?:href|src)="([^"]+)"/g, await response.text());
    else if (/javascript/.test(type)) {
      const text = await response.text();
      named = [
        ...names(/(?:from|import)\s*\(?\s*["'](\.[^"'`]+)["']/g, text),
        ...names(/new URL\(\s*["']([^"'`]+\.js)["']\s*,\s*import\.meta\.url/g, text),
      ];
    } else if (/json/.test(type) && !url.endsWith(".webmanifest")) named = inJson(await response.json());
    return named.map((name) => new URL(name, url)).filter(isShell).map(withoutQuery);
  }

  /** The glue in `wasm/manifest.json`, the manifests of model and galleries in `avse.json`. */
  function inJson(json: { builds?: unknown; format?: unknown; model?: unknown; galleries?: unknown }): string[] {
    if (json.builds) return Object.values(json.builds as Record<string, { js?: unknown }>).map(({ js }) => js).filter(isText);
    // Other descriptions have a `model` too: a gallery's says which one made it.
    if (json.format !== "avse-web") return [];
    const galleries = Array.isArray(json.galleries) ? (json.galleries as { path?: unknown; kind?: unknown }[]) : [];
    const folders = [json.model, ...galleries.map(({ path }) => path)].filter(isText);
    const pictures = galleries.filter(({ kind }) => kind === "images").map(({ path }) => path).filter(isText);
    return [...folders.map((folder) => `${folder}manifest.json`), ...pictures.map((path) => `${path}thumbnails.json`)];
  }

  function isText(value: unknown): value is string {
    return typeof value === "string" && value !== "";
  }

  function withoutQuery(url: string | URL): string {
    const plain = new URL(url);
    plain.search = plain.hash = "";
    return plain.href;
  }
}
