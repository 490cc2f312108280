/**
 * Keeping a gallery: what is in no segment yet is written, then the list of all segments.
 */

import { idsOf, type KeptList, plan, type Segment, stretches } from "./kept.js";
import { blobsOf, type Piece, type Pieces } from "./pieces.js";
import { segmentOf, together } from "./segments.js";
import type { Files, Folder } from "./store.js";

/** Keeps the rows as they are now; `list` is the state in the folder, which has been taken over. Gives the new state. */
export async function keep(pieces: Pieces, folder: Folder, list: KeptList | null): Promise<KeptList> {
  const state = (list?.state ?? 0) + 1;
  const segments = new Map(list?.segments.map((segment) => [segment.file, segment]));
  const all = pieces.all.filter(({ segment, rows }) => segment !== undefined || rows.length > 0);
  const groups = plan(all.map(({ segment, rows }) => ({
    rows: rows.length,
    gone: segment === undefined ? null : lengthOf(segments.get(segment)!) - rows.length,
  })));

  const files: Files = {};
  const opened: Piece[] = [];
  const next: { piece: Piece; segment: Segment }[] = [];
  let id = list?.next ?? 0;
  try {
    for (let at = 0; at < all.length; at++) {
      const group = groups.find(([first]) => first === at);
      if (!group) {
        next.push(unchanged(all[at]!, segments));
        continue;
      }
      at += group.length - 1;
      const members = group.map((at) => all[at]!).filter(({ rows }) => rows.length > 0);
      if (members.length === 0) continue;
      const rows = members.flatMap(({ rows }) => rows).map(({ id: known, thumbnail }) => ({ id: known ?? id++, thumbnail }));
      const alone = members.length === 1 ? members[0]! : null;
      const parts = alone ? null : await together(members.map((piece) => () => pieces.files(piece)), rows.length);
      const blobs = parts ? blobsOf(parts) : (alone!.files ?? blobsOf(pieces.files(alone!)));
      const file = `${state}-${next.length}.tar`;
      const content = segmentOf(blobs, rows.map(({ thumbnail }) => thumbnail));
      files[file] = content.file;
      // One blob for all from now on.
      content.packed.forEach((thumbnail, at) => (rows[at]!.thumbnail = thumbnail));
      const piece = parts ? pieces.open(parts, rows, { segment: file }) : { handle: alone!.handle, rows, segment: file };
      if (parts) opened.push(piece);
      next.push({ piece, segment: { file, ids: stretches(rows.map(({ id }) => id)), gone: [] } });
    }
    const made = list?.made ?? crypto.getRandomValues(new Uint32Array(4)).join("-");
    const { kind } = pieces;
    const kept: KeptList = { format: "avse-kept", version: 1, state, made, kind, next: id, segments: next.map(({ segment }) => segment) };
    await folder.commit(kept, files);
    pieces.replace(next.map(({ piece }) => piece));
    return kept;
  } catch (thrown) {
    pieces.close(opened);
    throw thrown;
  }
}

/** A piece that stays the segment that it is; rows may have been removed from it. */
function unchanged(piece: Piece, segments: Map<string, Segment>): { piece: Piece; segment: Segment } {
  const segment = segments.get(piece.segment!)!;
  const there = new Set(piece.rows.map(({ id }) => id));
  const all = idsOf({ ...segment, gone: [] });
  return { piece, segment: { ...segment, gone: all.filter((id): id is number => !there.has(id)) } };
}

function lengthOf({ ids }: Segment): number {
  return ids.reduce((sum, [, count]) => sum + count, 0);
}
