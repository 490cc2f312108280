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

/** The longest task of the page's main thread from its first script on, while ours loads and while it is used: from a
 * trace, in seconds as they passed and as the thread computed. The browser's own `longtask` entries, which begin at
 * 50 ms, beside it. */
export async function freeze(browser, origin, { backend, runs, ...asked }) {
  const longest = [];
  let [entries, computed] = [0, 0];
  for (let run = 0; run < runs; run++) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const categories = ["disabled-by-default-devtools.timeline", "blink.user_timing"];
    await browser.startTracing(page, { categories });
    await page.goto(address(origin, `ours-${backend}`, asked));
    await page.waitForFunction(() => globalThis.ready === true);
    await page.evaluate(() => visit);
    entries = Math.max(entries, await page.evaluate(() => use(10)));
    const tasks = mainThreadTasks(JSON.parse(await browser.stopTracing()));
    const most = (key) => tasks.reduce((most, task) => Math.max(most, task[key] ?? 0), 0) / 1e6;
    longest.push(most("dur"));
    computed = Math.max(computed, most("tdur"));
    await context.close();
  }
  const { work, ours_s, ours_range_s } = row(`longest-main-thread-task-${backend}`, longest);
  return { work, ours_s, ours_range_s, runs, computed_s: computed, longtask_entry_s: entries };
}

/** What the thread did that set load.js's mark, from then on: before, the browser made room for the page. */
function mainThreadTasks({ traceEvents }) {
  const mark = traceEvents.find(({ name }) => name === "page-begins");
  const tasks = traceEvents.filter(
    ({ name, ph, pid, tid, ts, dur }) =>
      name === "RunTask" && ph === "X" && pid === mark?.pid && tid === mark.tid && ts + dur > mark.ts,
  );
  if (tasks.length === 0) throw new Error("the trace has no tasks of the page's main thread");
  return tasks;
}
