/**
 * The one error type of this package, and how errors cross from the worker to the page.
 */

/**
 * What went wrong, for programs.
 *
 * | code | meaning |
 * |---|---|
 * | `format` | a file is not what its manifest says, or no file of this kind |
 * | `config`, `weights`, `text`, `shape` | the model's files contradict each other |
 * | `image` | no picture, a broken one, or one that is too large |
 * | `network` | a file could not be fetched, or the connection broke off |
 * | `no-device` | WebGPU was asked for and there is none |
 * | `device-lost` | the GPU went away and a fresh worker could not help |
 * | `out-of-memory` | of the page's or of the GPU's memory |
 * | `no-simd` | this browser's WebAssembly has no SIMD |
 * | `unsupported` | this browser, or the page's security policy, lacks something else |
 * | `storage` | the browser's file store failed or is full |
 * | `refused` | the call makes no sense for this model or gallery |
 * | `disposed` | the instance, or the gallery, has been closed |
 * | `aborted` | the call was given up (calls with a signal reject with the signal's reason instead) |
 * | `internal` | a bug; the worker is replaced by a fresh one at the next call |
 */
export type AvseErrorCode =
  | "format"
  | "config"
  | "weights"
  | "image"
  | "text"
  | "shape"
  | "network"
  | "no-device"
  | "device-lost"
  | "out-of-memory"
  | "no-simd"
  | "unsupported"
  | "storage"
  | "refused"
  | "disposed"
  | "aborted"
  | "internal";

/** What every call of this package rejects with, an aborted one apart. */
export class AvseError extends Error {
  /** What went wrong, for programs; {@link Error.message} is for people and names the file or URL. */
  readonly code: AvseErrorCode;
  /** The file that it is about, where there is one. */
  readonly url?: string;

  constructor(code: AvseErrorCode, message: string, options: { url?: string; cause?: unknown } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.name = "AvseError";
    this.code = code;
    if (options.url !== undefined) this.url = options.url;
  }
}

/** An error as it is posted. */
export interface ErrorRecord {
  code: AvseErrorCode;
  message: string;
  url?: string;
}

const CODES = new Set<string>([
  "format", "config", "weights", "image", "text", "shape", "network", "no-device", "device-lost",
  "out-of-memory", "no-simd", "unsupported", "storage", "refused", "disposed", "aborted", "internal",
] satisfies AvseErrorCode[]);

/** Any thrown value as an error of this package; the engine's errors carry their code already.
 * @internal */
export function asAvseError(thrown: unknown, fallback: AvseErrorCode = "internal"): AvseError {
  if (thrown instanceof AvseError) return thrown;
  const message = messageOf(thrown);
  const code = (thrown as { code?: unknown } | null)?.code;
  if (typeof code === "string" && CODES.has(code)) {
    return new AvseError(code as AvseErrorCode, message, { cause: thrown });
  }
  // Browsers answer a failed allocation with a RangeError, whatever was allocated.
  const memory = thrown instanceof RangeError && /alloc|memory|array buffer|length/i.test(message);
  return new AvseError(memory ? "out-of-memory" : fallback, message, { cause: thrown });
}

/** @internal */
export function toRecord(thrown: unknown): ErrorRecord {
  const { code, message, url } = asAvseError(thrown);
  return url === undefined ? { code, message } : { code, message, url };
}

/** @internal */
export function fromRecord(record: ErrorRecord): AvseError {
  return new AvseError(record.code, record.message, record.url === undefined ? {} : { url: record.url });
}

/** What a thrown value says.
 * @internal */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
}
