// How well hits fit, from scores that mean nothing by themselves.
//
// The model always finds a best picture, and the best score of a sentence that nothing fits is hardly lower than that of
// a good one. Both bounds come from every second one of the 5,000 sentences of the emoji collection, whose right pictures
// are known: `tests/browser/fit.mjs` measures them again. Where a sentence's best score was below 0.6 of the highest
// possible one, that first picture was the right one for 25 of 100 sentences; above, for 64. A fifth of all sentences stay
// below, and four of five that are about what no drawing shows ("interest rates").
// Of the right pictures among the first 24, 95 of 100 scored at least 0.77 of the sentence's best score.

import type { Group } from "./finder.js";

/** Below this share of the highest possible score the best picture is more likely wrong than right. */
export const WEAK = 0.6;

/** Pictures below this share of the best one's score are hardly ever meant. */
export const TAIL = 0.77;

/** Whether nothing of the collection may fit a sentence. */
export function isWeak({ hits, best }: Group): boolean {
  return (hits[0]?.score ?? 0) < WEAK * best;
}

/** From which place on the hits of a sentence are only shown to fill the grid; `others` may hold better ones. */
export function tailFrom({ hits }: Group, others?: Group): number {
  const least = TAIL * Math.max(hits[0]?.score ?? 0, others?.hits[0]?.score ?? 0);
  const at = hits.findIndex(({ score }) => score < least);
  return at < 0 ? hits.length : at;
}
