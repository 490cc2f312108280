/**
 * Text with halves of characters in it (lone surrogates): JavaScript keeps them, UTF-8 and readers of JSON refuse them.
 */

import { AvseError, messageOf } from "./errors.js";

/** The text with U+FFFD in the place of such halves, as `TextEncoder` writes them. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

/**
 * A copy of what a program wants to keep, as JSON can hold it; `what` is what errors call it.
 *
 * @throws AvseError `refused` where JSON cannot.
 */
export function plainJson(value: object, what: string): object {
  const mend = (_: string, part: unknown): unknown => {
    if (typeof part === "string") return wellFormed(part);
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).map(([name, inside]) => [wellFormed(name), inside]));
  };
  try {
    return JSON.parse(JSON.stringify(value, mend)) as object;
  } catch (thrown) {
    throw new AvseError("refused", `${what} cannot be written as JSON: ${messageOf(thrown)}`, { cause: thrown });
  }
}
