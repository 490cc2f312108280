/**
 * What a GPU's trial has shown, remembered for the next visits: for this adapter, version of the browser, model and engine.
 */

import { FileCache } from "./cache.js";
import { sha256 } from "./hash.js";
import { surroundings } from "./surroundings.js";

/** How long a verdict holds, in milliseconds: drivers change without a word. */
const HOLDS = 14 * 24 * 60 * 60 * 1000;

/** What a verdict is about. */
export interface Subject {
  adapter: string;
  /** Hashes of the model's weights and of the engine for GPUs. */
  model: string;
  engine: string;
}

/** Remembers verdicts in the browser's cache. */
export class Verdicts {
  readonly #cache = new FileCache(surroundings().caches);
  readonly #url: string;
  readonly #name: Promise<string>;

  /** @param model - The address of the model's manifest. A model's last verdict takes the place of those before. */
  constructor(model: string, { adapter, model: weights, engine }: Subject) {
    this.#url = new URL("webgpu-trial.json", model).href;
    this.#name = sha256(new TextEncoder().encode(JSON.stringify([adapter, globalThis.navigator?.userAgent, weights, engine])));
  }

  /** The last verdict: why the GPU was not to be taken, or `null` for one that was. Undefined where there is none that still holds. */
  async last(): Promise<string | null | undefined> {
    try {
      const kept = await this.#cache.file(this.#url, await this.#name);
      const { until, objection } = (await kept?.json()) as { until?: number; objection?: unknown };
      const holds = until !== undefined && until > Date.now() && until <= Date.now() + HOLDS;
      return holds && (objection === null || typeof objection === "string") ? objection : undefined;
    } catch {
      return undefined;
    }
  }

  /** Remembers a verdict. */
  async keep(objection: string | null): Promise<void> {
    await this.#keep(Date.now() + HOLDS, objection);
  }

  /** Whether a verdict will be remembered: a cache can be there and refuse, or be full. One that holds no longer tells. */
  async canKeep(): Promise<boolean> {
    await this.#keep(0, null);
    return (await this.#cache.file(this.#url, await this.#name)) !== undefined;
  }

  async #keep(until: number, objection: string | null): Promise<void> {
    const bytes = new TextEncoder().encode(JSON.stringify({ until, objection }));
    await this.#cache.keepFile(this.#url, await this.#name, bytes, "application/json");
  }
}
