// Numbers, sizes and errors in plain words.

/** Bytes as people write them: `9.4 MB`. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1e6) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`;
}

/** Seconds as milliseconds or seconds, whichever reads well: `1.8 ms`, `14 ms`, `2.1 s`. */
export function time(seconds: number): string {
  const ms = seconds * 1000;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${seconds.toFixed(1)} s`;
}

/** `1,000`. By hand: the browser's own way loads its tables of languages first, a tenth of a second on the main thread. */
export function count(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `one picture`, `12 pictures`. */
export function many(number: number, one: string, more = `${one}s`): string {
  return number === 1 ? `one ${one}` : `${count(number)} ${more}`;
}

/** The name of a device of the engine. */
export function deviceName(device: string): string {
  return device === "webgpu" ? "WebGPU" : "WebAssembly";
}

/** What went wrong, for a visitor: a headline and what may help. */
export interface Trouble {
  title: string;
  help: string;
  /** What the program said, for a report. */
  detail: string;
}

const TROUBLES: Record<string, [title: string, help: string]> = {
  network: ["The download did not arrive", "The connection may have dropped, or a file is missing on this site. Try again in a moment."],
  format: ["A file is damaged", "What arrived is not what was published, even after fetching it anew. Try again later."],
  config: ["This model cannot be read", "It was made for another version of this page. Reloading the page may help."],
  weights: ["This model cannot be read", "Its weights do not fit its description. Reloading the page may help."],
  image: ["This is not a picture the page can read", "PNG, JPEG, WebP, GIF and BMP work. SVG files and damaged or enormous pictures do not."],
  text: ["This sentence cannot be read", "Try fewer or other words."],
  "no-simd": ["This browser is too old for the model", "It lacks WebAssembly SIMD, which current versions of Chrome, Edge, Firefox and Safari have."],
  "no-device": ["No graphics device is free", "WebGPU is not available here. WebAssembly does the same work, a little slower."],
  "device-lost": ["The graphics device went away", "Try again, or switch to WebAssembly under “What is running”."],
  "out-of-memory": ["There is not enough memory", "Close other tabs, or remove some of your own pictures, and try again."],
  storage: ["The browser's store is full or closed", "Free some space, or leave a private window."],
  unsupported: ["This browser cannot run the model", "It needs WebAssembly and module workers, which current browsers have."],
};

/** An error in plain words. */
export function trouble(error: unknown): Trouble {
  const code = codeOf(error);
  const detail = error instanceof Error ? error.message : String(error);
  const known = TROUBLES[code];
  if (known) return { title: known[0], help: known[1], detail: code === detail ? "" : detail };
  return { title: "Something went wrong", help: "Try again. If it stays, reload the page.", detail };
}

/** Why pictures cannot be kept, in plain words; the model itself works. */
export function keepingTrouble(error: unknown): string {
  const code = codeOf(error);
  if (code === "storage") return "The browser's store for this page is full: free some space and try again.";
  if (code === "unsupported") return "This browser keeps nothing for this page, as in private windows and on pages without https.";
  if (code === "format") return "They were kept by another model or another version of this page.";
  return trouble(error).help;
}

/** The code of an `AvseError`, or an empty string. */
export function codeOf(error: unknown): string {
  if (typeof error === "object" && error !== null && "code" in error && typeof error.code === "string") return error.code;
  return "";
}

/** Whether an error only says that a call was given up. */
export function isAborted(error: unknown): boolean {
  return (error instanceof DOMException && error.name === "AbortError") || codeOf(error) === "aborted" || codeOf(error) === "disposed";
}
