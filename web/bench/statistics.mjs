// What is reported of a number of runs.

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const last = sorted.length - 1;
  return (sorted[Math.floor(last / 2)] + sorted[Math.ceil(last / 2)]) / 2;
}

export const range = (values) => [Math.min(...values), Math.max(...values)];

/** A row of the report, of seconds; `peers` may be empty. */
export function row(work, ours, peer, peers) {
  const ours_s = median(ours);
  const base = { work, ours_s, ours_range_s: range(ours), runs: ours.length };
  if (!peers?.length) return base;
  const peer_s = median(peers);
  return { ...base, peer, peer_s, peer_range_s: range(peers), ratio: peer_s / ours_s };
}
