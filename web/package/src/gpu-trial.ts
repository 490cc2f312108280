/**
 * A GPU's trial: in a worker of its own, which ends with it, when the page has had its first answer. Whatever goes wrong
 * there is the GPU's affair, and the memory is given back.
 */

import { Client, type WorkerLike } from "./client.js";
import { AvseError } from "./errors.js";
import type { LoadRequest } from "./protocol.js";
import { objection } from "./trial.js";

/** How long after the first answer it begins, in milliseconds: the page has pictures to show then. */
export const PAUSE = 2_000;

/** What says nothing of the GPU: the next visit tries again. */
const ELSEWHERE = ["network", "format", "aborted", "disposed"];

/**
 * Has the processor and the GPU answer the same questions; why the GPU is not to be taken, or `null` when it is to be taken.
 * Undefined where that did not come out.
 *
 * @param here - The client of the model that runs on the processor.
 * @param begun - Is told of the GPU's client, which whoever disposes of the session has to end.
 */
export async function tryGpu(request: LoadRequest, here: Client, makeWorker: () => WorkerLike, begun: (client: Client) => void): Promise<string | null | undefined> {
  const there = new Client(makeWorker());
  begun(there);
  try {
    await there.call("load", { ...request, device: "webgpu", galleries: [] });
    const run = await there.call("trial", {});
    there.end(new AvseError("disposed", "the trial is over"));
    const known = await here.call("trial", {}).catch(() => null);
    return known ? (objection(run, known) ?? null) : undefined;
  } catch (thrown) {
    if (!(thrown instanceof AvseError) || ELSEWHERE.includes(thrown.code)) return undefined;
    return `WebGPU failed at the start: ${thrown.message}`;
  } finally {
    there.end(new AvseError("disposed", "the trial is over"));
  }
}
