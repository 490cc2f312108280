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
    if (event.request.method === "GET" && isShell(url)) event.respondWith(networkFirst(event.request));
  });

  /** Small files of the site. Large ones are the package's affair. */
  function isShell(url: URL): boolean {
    if (url.origin !== home.origin || !url.pathname.startsWith(home.pathname)) return false;
    const name = url.pathname.slice(home.pathname.length);
    if (name === "" || name.endsWith("/")) return !name.startsWith("data/");
    return /\.(html|css|js|svg|webmanifest|json)$/.test(name) && !/tokenizer\.json$/.test(name);
  }

  async function networkFirst(request: Request): Promise<Response> {
    const cache = await caches.open(CACHE);
    // A question in the address does not make another page.
    const key = request.mode === "navigate" ? home.href : withoutQuery(request.url);
    const kept = await cache.match(key);
    const fresh = fetch(request).then(async (response) => {
      if (response.ok && response.type === "basic") await cache.put(key, response.clone());
      return response;
    });
    if (!kept) return fresh;
    const patience = new Promise<Response>((resolve) => setTimeout(() => resolve(kept.clone()), PATIENCE));
    return Promise.race([fresh.catch(() => kept.clone()), patience]);
  }

  /**
   * Follows what the page names, so that no list of files has to be kept up to date: links and scripts
   * of the page, imports and workers of the scripts, the engine's glue and the site's descriptions.
   */
  async function keepEverything(): Promise<void> {
    const cache = await caches.open(CACHE);
    const seen = new Set<string>();
    const open = [home.href];
    const also = [new URL("avse-web/wasm/manifest.json", home), new URL("data/avse.json", home)];
    open.push(...also.map(String));
    while (open.length > 0) {
      const wave = open.splice(0).filter((url) => !seen.has(url));
      for (const url of wave) seen.add(url);
      const found = await Promise.all(wave.map((url) => keep(cache, url)));
      open.push(...found.flat());
    }
  }

  /** Keeps one file; the addresses that it names. */
  async function keep(cache: Cache, url: string): Promise<string[]> {
    const response = await fetch(url, { cache: "no-cache" }).catch(() => null);
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
  function inJson(json: { builds?: Record<string, { js?: string }>; model?: string; galleries?: { path?: string; kind?: string }[] }): string[] {
    const glue = Object.values(json.builds ?? {}).map((build) => build.js);
    const folders = [json.model, ...(json.galleries ?? []).map((gallery) => gallery.path)];
    const pictures = (json.galleries ?? []).filter(({ kind, path }) => kind === "images" && path);
    const described = [...folders.map((folder) => folder && `${folder}manifest.json`), ...pictures.map(({ path }) => `${path}thumbnails.json`)];
    return [...glue, ...described].filter((name): name is string => !!name);
  }

  function withoutQuery(url: string | URL): string {
    const plain = new URL(url);
    plain.search = plain.hash = "";
    return plain.href;
  }
}
