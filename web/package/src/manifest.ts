/**
 * The lists of files that come before the files: of a model, a gallery, thumbnails, the code, or a whole export.
 */

import { AvseError } from "./errors.js";
import type { ExportInfo } from "./types.js";

export interface FileEntry {
  bytes: number;
  sha256: string;
}

/** A parsed manifest; its `content` has been looked at only as far as the functions below say. */
export interface Manifest {
  url: string;
  bytes: Uint8Array<ArrayBuffer>;
  content: Record<string, unknown>;
}

/** @throws AvseError `format` when it is no JSON object. */
export function parseManifest(url: string, bytes: Uint8Array<ArrayBuffer>): Manifest {
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw /^\s*</.test(new TextDecoder().decode(bytes.subarray(0, 100))) ? htmlError(url) : new AvseError("format", `${url}: is no JSON`, { url });
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new AvseError("format", `${url}: is no manifest`, { url });
  }
  return { url, bytes, content: content as Record<string, unknown> };
}

/** Many servers answer every address that they do not know with the page of the site. */
export function htmlError(url: string): AvseError {
  const message = `${url}: the server sent an HTML page, as some do for files that are not there`;
  return new AvseError("format", message, { url, cause: { html: true } });
}

/** Whether a failure tells that there is no such file. */
export function isMissing(thrown: unknown): boolean {
  const { status, html } = ((thrown as { cause?: unknown }).cause ?? {}) as { status?: number; html?: boolean };
  return status === 404 || html === true;
}

/** Where the manifest of a model, gallery or export may be: the address itself, or in the folder it names. */
export function candidates(url: string, names: string[]): string[] {
  const address = new URL(url);
  if (address.pathname.endsWith(".json")) return [url];
  if (!address.pathname.endsWith("/")) address.pathname += "/";
  return names.map((name) => {
    const file = new URL(name, address);
    file.search = address.search;
    return file.href;
  });
}

/** Checks what a manifest is of. */
export function expectFormat(manifest: Manifest, format: string): void {
  const { url, content } = manifest;
  if (content["format"] !== format) {
    throw new AvseError("format", `${url}: its format is ${JSON.stringify(content["format"])}, not "${format}"`, { url });
  }
  if (content["version"] !== 1) {
    const message = `${url}: version ${JSON.stringify(content["version"])} of "${format}" is not known here`;
    throw new AvseError("format", message, { url });
  }
}

/** The length and hash of a file that a manifest lists under `files`. */
export function fileOf(manifest: Manifest, name: string): FileEntry & { url: string; what: string } {
  const files = manifest.content["files"] as Record<string, unknown> | undefined;
  return { ...entry(manifest, files?.[name], name), url: new URL(name, manifest.url).href, what: name };
}

/** A length and a hash. */
export function entry(manifest: Manifest, value: unknown, name: string): FileEntry {
  const { bytes, sha256 } = (value ?? {}) as Partial<FileEntry>;
  const right = Number.isSafeInteger(bytes) && bytes! >= 0 && typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256);
  if (!right) throw new AvseError("format", `${manifest.url}: length and hash of ${name} are missing`, { url: manifest.url });
  return { bytes: bytes!, sha256: sha256! };
}

/** The content of `avse.json`. */
export function exportOf(manifest: Manifest): ExportInfo {
  const { url, content } = manifest;
  expectFormat(manifest, "avse-web");
  if (typeof content["model"] !== "string" || !Array.isArray(content["galleries"])) {
    throw new AvseError("format", `${url}: names no model or no galleries`, { url });
  }
  return content as unknown as ExportInfo;
}
