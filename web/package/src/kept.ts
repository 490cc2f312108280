/**
 * What is known of a kept gallery: a list of its segments. A segment is a tar file with some of its rows; it is never
 * changed. A row that is removed is noted in the list, until its segment is written anew without it.
 */

export interface KeptList {
  format: "avse-kept";
  version: 1;
  /** Counts the states of the gallery; the newest list counts. */
  state: number;
  /** One of a kind, so that a gallery that was deleted and made again is not taken for the same. */
  made: string;
  kind: "images" | "captions";
  /** The number that the next row gets. A row keeps its number as long as it is there. */
  next: number;
  segments: Segment[];
}

export interface Segment {
  /** A tar file, or the folder of a state as former versions wrote it. */
  file: string;
  /** The numbers of its rows, as stretches: the first one and how many. They rise from segment to segment. */
  ids: [first: number, count: number][];
  /** The numbers of those that have been removed. */
  gone: number[];
}

/** From so many rows on a segment is full. */
export const FULL = 512;

/** The number of each row of a segment; `null` where it has been removed. */
export function idsOf({ ids, gone }: Segment): (number | null)[] {
  const removed = new Set(gone);
  return ids.flatMap(([first, count]) =>
    Array.from({ length: count }, (_, at) => (removed.has(first + at) ? null : first + at)),
  );
}

/** Rising numbers as stretches. */
export function stretches(ids: number[]): [number, number][] {
  const found: [number, number][] = [];
  for (const id of ids) {
    const last = found.at(-1);
    if (last && last[0] + last[1] === id) last[1] += 1;
    else found.push([id, 1]);
  }
  return found;
}

/** What a plan needs to know of some rows that are, or will be, one segment. */
export interface Part {
  /** Rows that are there. */
  rows: number;
  /** Rows of its segment that are not; `null` when it is in no segment yet. */
  gone: number | null;
}

/**
 * Which parts become one new segment, in their order. Parts that are in no group stay the segments that they are.
 *
 * What is new is written. A small segment just before it is written along when it is not larger than what is
 * written anyway: so a row is written at most log2(FULL) times, and there are few small segments, however few rows each
 * save adds. A segment is also written anew when more than half of its rows have been removed.
 */
export function plan(parts: Part[]): number[][] {
  const groups: number[][] = [];
  let group: number[] = [];
  let rows = 0;
  for (let at = parts.length - 1; at >= 0; at--) {
    const part = parts[at]!;
    const must = part.gone === null || part.gone > part.rows;
    const along = rows > 0 && part.rows <= rows;
    const joins = rows > 0 && rows + part.rows <= FULL;
    if (!must && !(along && joins)) {
      rows = 0;
      continue;
    }
    if (!joins) {
      group = [];
      groups.unshift(group);
      rows = 0;
    }
    group.unshift(at);
    rows += part.rows;
  }
  return groups;
}
