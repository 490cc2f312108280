// First and second visits of a page, and what they do to its main thread.

import { open } from "./browser.mjs";
import { row } from "./statistics.mjs";

const address = (origin, side, { gallery, query, shape }) => {
  const asked = { side, gallery, shape: JSON.stringify(shape), text: query.text, ids: JSON.stringify(query.ids) };
  return `${origin}/bench/load.html?${new URLSearchParams(asked)}`;
};

/** Seconds from navigation to the first hits: in a fresh profile, and again in the same one. */
export async function visits(browser, origin, { backend, runs, ...asked }, sides, peer) {
  const times = Object.fromEntries(sides.map((side) => [side, { cold: [], warm: [] }]));
  for (let run = 0; run < runs; run++) {
    for (const side of sides) {
      const context = await browser.newContext();
      for (const visit of ["cold", "warm"]) {
        const page = await open(context, address(origin, side, asked));
        const { seconds } = await page.evaluate(() => visit);
        times[side][visit].push(seconds);
        await page.close();
      }
      await context.close();
    }
  }
  return ["cold", "warm"].map((visit) => {
    const [ours, theirs] = sides.map((side) => times[side][visit]);
    return row(`load-${visit}-${backend}`, ours, peer, theirs);
  });
}

/** The longest task of the main thread of ours while it loads and while it is used, from a trace; the browser's own
 * `longtask` entries, which begin at 50 ms, beside it. */
export async function freeze(browser, origin, { backend, runs, ...asked }) {
  const longest = [];
  let entries = 0;
  for (let run = 0; run < runs; run++) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await browser.startTracing(page, { categories: ["toplevel", "disabled-by-default-devtools.timeline"] });
    await page.goto(address(origin, `ours-${backend}`, asked));
    await page.waitForFunction(() => globalThis.ready === true);
    await page.evaluate(() => visit);
    entries = Math.max(entries, await page.evaluate(() => use(10)));
    longest.push(longestTask(JSON.parse(await browser.stopTracing())));
    await context.close();
  }
  const { work, ours_s, ours_range_s } = row(`longest-main-thread-task-${backend}`, longest);
  return { work, ours_s, ours_range_s, runs, longtask_entry_s: entries };
}

/** In seconds, over the main threads of all pages. */
function longestTask({ traceEvents }) {
  const key = ({ pid, tid }) => `${pid} ${tid}`;
  const named = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain");
  const main = new Set(named.map(key));
  const tasks = traceEvents.filter(
    (event) => event.ph === "X" && /RunTask$/.test(event.name) && main.has(key(event)),
  );
  if (tasks.length === 0) throw new Error("the trace has no tasks of a main thread");
  return tasks.reduce((longest, { dur = 0 }) => Math.max(longest, dur), 0) / 1e6;
}
