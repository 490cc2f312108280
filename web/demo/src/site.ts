// What the site holds: `avse.json` and the sizes in the galleries' manifests.

/** Where `avse export-web` put the data. */
export const DATA = new URL("./data/", document.baseURI);

/** Its description of all that. */
export const EXPORT = new URL("avse.json", DATA);

/** Who made something that is shown here. */
export interface Credit {
  what: string;
  by?: string;
  licence?: string;
  url?: string;
}

/** The page's reading of `avse.json`. */
export interface Site {
  /** What the model knows, in a few words, e.g. "drawings of emoji". */
  domain: string;
  credits: Credit[];
  model: URL;
  pictures: GalleryPlace;
  captions: GalleryPlace;
}

/** A gallery of the site. */
export interface GalleryPlace {
  url: URL;
  items: number;
}

interface Described {
  name?: unknown;
  path?: unknown;
  kind?: unknown;
  items?: unknown;
}

/** Reads `avse.json`. Throws an error with code `network` or `format`. */
export async function readSite(signal: AbortSignal): Promise<Site> {
  const json = await fetchJson(EXPORT, signal);
  const galleries = Array.isArray(json["galleries"]) ? (json["galleries"] as Described[]) : [];
  const place = (kind: string): GalleryPlace => {
    const found = galleries.find((gallery) => gallery.kind === kind);
    if (typeof found?.path !== "string") throw failure("format", `${EXPORT.pathname}: no gallery of ${kind}`);
    return { url: new URL(found.path, DATA), items: typeof found.items === "number" ? found.items : 0 };
  };
  return {
    domain: typeof json["domain"] === "string" ? json["domain"] : "",
    credits: Array.isArray(json["credits"]) ? (json["credits"] as Credit[]) : [],
    model: new URL(typeof json["model"] === "string" ? json["model"] : "model/", DATA),
    pictures: place("images"),
    captions: place("captions"),
  };
}

/** Bytes that a bundle's or gallery's manifest states, or 0 when it cannot be read: only the progress bar needs it. */
export async function statedBytes(folder: URL, signal: AbortSignal): Promise<number> {
  try {
    const manifest = await fetchJson(new URL("manifest.json", folder), signal);
    const files = Object.values((manifest["files"] ?? {}) as Record<string, { bytes?: number }>);
    return files.reduce((sum, file) => sum + (file.bytes ?? 0), 0);
  } catch {
    return 0;
  }
}

/** Bytes of a gallery's thumbnails, or 0 when it has none. */
export async function thumbnailBytes(folder: URL): Promise<number> {
  try {
    const { file } = await fetchJson(new URL("thumbnails.json", folder), new AbortController().signal);
    return (file as { bytes?: number } | undefined)?.bytes ?? 0;
  } catch {
    return 0;
  }
}

async function fetchJson(url: URL, signal: AbortSignal): Promise<Record<string, unknown>> {
  let response: Response;
  try {
    response = await fetch(url, { cache: "no-cache", signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw failure("network", `${url.pathname} cannot be reached`);
  }
  if (!response.ok) throw failure("network", `${url.pathname}: status ${response.status}`);
  // Many servers answer every address that they do not know with the page of the site.
  const html = response.headers.get("content-type")?.startsWith("text/html");
  if (html) throw failure("network", `${url.pathname}: the server sent an HTML page instead`);
  try {
    return (await response.json()) as Record<string, unknown>;
  } catch {
    throw failure("format", `${url.pathname} is not JSON`);
  }
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
