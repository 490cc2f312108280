// Timed runs: ours and the peer in turn, one run each, then again in the other order.

import { row } from "./statistics.mjs";

/** Embeddings of the same network may differ by this; a search must find the same row. */
const TOLERANCE = 1e-2;

/** Calls before the timed ones: compilers of the browser have their say in them. */
const WARM_UP = { wasm: 10, webgpu: 2 };

/** How far two embeddings are apart, or throws; hits have to be the same. */
function difference(work, { value: ours }, { value: peer }) {
  const apart = Array.isArray(ours)
    ? ours.reduce((most, number, at) => Math.max(most, Math.abs(number - peer[at])), 0)
    : Math.abs(ours - peer) && Infinity;
  // Also refuses NaN.
  if (!(apart <= TOLERANCE)) throw new Error(`${work}: ours and the peer disagree`);
  return apart;
}

/** Runs `method` on each of `sides` (ours first). `inner`: the time is the worker's own, without messages to and
 * from the page. */
export async function rounds(page, { work, backend, method, gallery, runs, inner, sentences }, sides, peer) {
  const call = (name, run) =>
    page.evaluate((args) => bench.call(...args), [name, method, gallery, sentences ? run % sentences : run]);
  const times = Object.fromEntries(sides.map((name) => [name, { page: [], inner: [] }]));
  let apart = 0;
  for (let run = -WARM_UP[backend]; run < runs; run++) {
    const found = [];
    for (const name of run % 2 === 0 ? sides : sides.toReversed()) {
      const once = await call(name, run + WARM_UP[backend]);
      found.push(once);
      if (run >= 0) {
        times[name].page.push(once.page);
        times[name].inner.push(once.inner);
      }
    }
    if (found.length === 2) apart = Math.max(apart, difference(work, ...found));
    if (method === "search") {
      const planted = await page.evaluate((name) => bench.planted(name), gallery);
      if (found.some(({ value }) => value !== planted)) throw new Error(`${work}: the planted row was not found`);
    }
  }
  const [ours, theirs] = sides.map((name) => times[name][inner ? "inner" : "page"]);
  const about = method.startsWith("encode") && theirs ? { difference: apart } : {};
  return { ...row(work, ours, peer, theirs), ...about };
}
