// The native binary: what it answers is what the browser has to answer.

import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { AVSE, ROOT } from "./paths.mjs";

const execute = promisify(execFile);

/** Runs `avse`; what it printed. Its message is in the error when it fails. */
export async function avse(...args) {
  const env = { ...process.env, RAYON_NUM_THREADS: "2", HF_ENDPOINT: "http://127.0.0.1:9" };
  try {
    const { stdout } = await execute(AVSE, args, { cwd: ROOT, env, maxBuffer: 1 << 26, timeout: 120_000 });
    return stdout;
  } catch (error) {
    throw new Error(`avse ${args.join(" ")}\n${error.stderr || error.message}`, { cause: error });
  }
}

/**
 * `avse search` in a folder that `avse export-web` made.
 *
 * @param {{text?: string, image?: string}} question A sentence, or a picture's path.
 * @returns {Promise<{index: number, score: number, key: string}[]>} The best `k`, best first.
 */
export async function nativeSearch(folder, gallery, { text, image }, k = 10) {
  const asked = image ? ["--image", image] : [text];
  const where = ["--gallery", `${folder}/${gallery}`, "--model", `${folder}/model`, "--gpu-id", "cpu"];
  const { hits } = JSON.parse(await avse("search", ...asked, ...where, "-k", String(k), "--json"));
  return hits;
}
