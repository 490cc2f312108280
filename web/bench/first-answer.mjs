// How soon the demo page shows its first answer, on a first and on a second visit. Each round starts a browser with an
// empty profile for the first visit, ends it, and starts it again with the same profile for the second one. The sites
// take turns within a round, in changing order, so that what else the machine does falls on all of them alike.
//
//   node web/bench/first-answer.mjs --site DIR [--site DIR]… [--runs 7] [--query "an angry cat"] [--json FILE]

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { chromium } from "playwright-core";

import { findChromium, QUIET } from "../tools/chromium.mjs";
import { serve } from "../tools/serve.mjs";
import { median, range } from "./statistics.mjs";

/** For one visit, in milliseconds. */
const PATIENCE = 60_000;

const { values } = parseArgs({
  options: {
    site: { type: "string", multiple: true, default: [] },
    runs: { type: "string", default: "7" },
    query: { type: "string", default: "an angry cat" },
    json: { type: "string" },
  },
});
if (values.site.length === 0) {
  console.error("first-answer.mjs: --site DIR is missing");
  process.exit(2);
}

/* Runs in the page before its scripts: notes when it has shown an answer, its first picture too, and what its main
   thread was held up by until then. Times count from the start of the navigation. */
function watch() {
  const seen = (globalThis.seen = { answer: 0, picture: 0, blocked: 0 });
  const hits = '#found ul[aria-label="Pictures, best first"]';
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) if (!seen.answer || startTime < seen.answer) seen.blocked += Math.max(0, duration - 50);
  }).observe({ type: "longtask", buffered: true });
  const look = () => {
    // The browser has painted what it finds here when the next frame begins.
    if (!seen.answer && document.querySelector(`${hits} .words`)) requestAnimationFrame(() => (seen.answer = performance.now()));
    const image = document.querySelector(`${hits} img`);
    if (image?.complete && image.naturalWidth > 0) seen.picture = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** One visit: seconds to the answer and to its first picture, and how long the main thread was blocked before. */
async function visit(profile, url, kept) {
  const context = await chromium.launchPersistentContext(profile, { executablePath: findChromium(), args: QUIET });
  try {
    const page = context.pages()[0] ?? (await context.newPage());
    page.setDefaultTimeout(PATIENCE);
    await page.addInitScript(watch);
    await page.goto(`${url}?${new URLSearchParams({ q: values.query })}`, { waitUntil: "commit" });
    await page.waitForFunction(() => seen.answer > 0 && seen.picture > 0);
    const times = await page.evaluate(() => seen);
    if (kept) await page.waitForFunction(() => /the next visit needs no network/.test(document.querySelector("#facts").textContent));
    return Object.fromEntries(Object.entries(times).map(([name, time]) => [name, time / 1000]));
  } finally {
    await context.close();
  }
}

const sites = await Promise.all(values.site.map(async (root) => ({ root, ...(await serve({ root })), first: [], second: [] })));
const load = [];
for (let run = -1; run < Number(values.runs); run++) {
  for (const site of run % 2 === 0 ? sites : sites.toReversed()) {
    const profile = await mkdtemp(join(tmpdir(), "avse-visits-"));
    try {
      const [first, second] = [await visit(profile, site.url, true), await visit(profile, site.url, false)];
      // The round before the first one: the server compresses then, and the system's file cache fills.
      if (run < 0) continue;
      site.first.push(first);
      site.second.push(second);
    } finally {
      await rm(profile, { recursive: true, force: true });
    }
  }
  load.push(loadavg()[0]);
}

const figures = (visits, of) => {
  const times = visits.map((visit) => visit[of]);
  const [least, most] = range(times);
  return { median: median(times), least, most };
};
const report = {
  runs: Number(values.runs),
  load: range(load),
  sites: sites.map(({ root, first, second }) => ({
    root,
    ...Object.fromEntries(
      Object.entries({ first, second }).map(([name, visits]) => [name, Object.fromEntries(["answer", "picture", "blocked"].map((of) => [of, figures(visits, of)]))]),
    ),
  })),
};
for (const { root, first, second } of report.sites) {
  console.log(root);
  for (const [name, visit] of Object.entries({ first, second })) {
    const tell = ({ median, least, most }) => `${median.toFixed(2)} s (${least.toFixed(2)} to ${most.toFixed(2)})`;
    console.log(`  ${name} visit: answer ${tell(visit.answer)}, its first picture ${tell(visit.picture)}, main thread blocked ${tell(visit.blocked)}`);
  }
}
console.log(`${report.runs} runs each, load ${report.load.map((value) => value.toFixed(1)).join(" to ")}`);
if (values.json) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
await Promise.all(sites.map((site) => site.close()));
