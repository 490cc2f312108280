/**
 * A GPU that has stopped without a word: its driver reports nothing, and what was asked of it is never answered.
 */

import { AvseError } from "./errors.js";

/** Longest time for one piece of work, in milliseconds. Adapters made of software take a quarter of it to compile what a first question needs. */
const PATIENCE = 60_000;

/** No answer came: the device is taken for lost. */
export class Stuck extends AvseError {
  constructor() {
    super("device-lost", `the GPU gave no answer within ${PATIENCE / 1000} seconds`);
  }
}

/**
 * The outcome of a piece of the engine's work.
 *
 * @throws Stuck when there is none in time. Work on the processor is over before a timer can run.
 */
export function answered<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Stuck()), PATIENCE);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
