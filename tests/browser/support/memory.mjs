// The memory of the browser's processes.

import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { browser } from "./browser.mjs";

/** Resident bytes of all processes that show pages; null where the system has no /proc. */
export async function rendererBytes() {
  const session = await (await browser()).newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const sizes = await Promise.all(processInfo.filter(({ type }) => type === "renderer").map(({ id }) => resident(id)));
  const known = sizes.filter((size) => size !== null);
  return known.length > 0 ? known.reduce((sum, size) => sum + size, 0) : null;
}

async function resident(pid) {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const size = status.match(/^VmRSS:\s+(\d+) kB/m);
  return size ? Number(size[1]) * 1024 : null;
}

/** Collects garbage in a page, and lets the browser give memory back. */
export async function collectGarbage(page) {
  const session = await page.context().newCDPSession(page);
  for (let round = 0; round < 3; round++) {
    await session.send("HeapProfiler.collectGarbage");
    await sleep(300);
  }
  await session.detach();
}
