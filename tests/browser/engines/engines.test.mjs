// The package, the element and the demo page in three engines, in normal and private windows and over plain http, and the
// table of what works where.
//
// AVSE_ENGINES=Firefox,WebKitGTK names those that run; AVSE_TABLE=write writes the table into web/package/README.md.

import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { test } from "node:test";

import { PATIENCE } from "../support/browser.mjs";
import { site } from "../support/server.mjs";
import { DEMO } from "./cases/demo.mjs";
import { ELEMENT, ELSEWHERE, SANDBOX, TRUSTED } from "./cases/element.mjs";
import { PACKAGE } from "./cases/package.mjs";
import { KNOWN } from "./known.mjs";
import { ENGINES } from "./support/engines.mjs";
import { Table } from "./support/table.mjs";

const GROUPS = { package: PACKAGE, element: ELEMENT, "other origin": ELSEWHERE, "Trusted Types": TRUSTED, sandbox: SANDBOX, "demo page": DEMO };
const required = ["true", "1"].includes(process.env.CI);
const chosen = process.env.AVSE_ENGINES?.split(",");
/** All kinds of window; the first two are of one browser. */
const MODES = ["normal", "http", "private"];
const columnOf = (engine, mode) => (mode === "normal" ? engine : `${engine} ${mode}`);
const found = new Table(ENGINES.flatMap(({ name }) => MODES.map((mode) => columnOf(name, mode))));

/** An address of this machine that browsers trust no more than one of another machine: 127.0.0.1 counts as secure. */
const address = Object.values(networkInterfaces()).flat().find(({ family, internal }) => family === "IPv4" && !internal)?.address;

/** Says loudly what does not run; a failure where a build server has to have it. */
function leaveOut(what, t) {
  const note = `*** LEFT OUT: ${what} ***`;
  if (required) throw new Error(note);
  console.error(`\n${note}\n`);
  if (process.env.AVSE_LEFT_OUT) appendFileSync(process.env.AVSE_LEFT_OUT, `${note}\n`);
  t.skip(what);
}

test("three engines", { concurrency: true }, async (t) => {
  const run = ENGINES.filter(({ name }) => !chosen || chosen.includes(name));
  await Promise.all(run.map((engine) => t.test(engine.name, { timeout: 15 * PATIENCE }, (t) => inEngine(t, engine))));
});

async function inEngine(t, engine) {
  if (engine.lack) return leaveOut(`tests in ${engine.name}: ${engine.lack}`, t);
  for (const profile of ["normal", "private"]) {
    const browser = await engine.launch(profile);
    found.versions.set(engine.name, browser.version.match(/^\d+(\.\d+)?/)[0]);
    try {
      await inWindow(t, browser, engine.name, profile, "127.0.0.1");
      if (profile === "private") continue;
      if (address) await inWindow(t, browser, engine.name, "http", address);
      else await t.test("http", (t) => leaveOut(`plain http in ${engine.name}: this machine has no address but its own`, t));
    } finally {
      await browser.close();
    }
  }
}

/** All cases in one kind of window. Each group of them has servers, and with these an origin, of its own. */
function inWindow(t, browser, engine, mode, host) {
  const column = columnOf(engine, mode);
  return t.test(mode, async (t) => {
    for (const [group, { setup, rows }] of Object.entries(GROUPS)) {
      await t.test(group, async (t) => {
        const kit = {
          mode,
          site: (options) => site(t, { host, ...options }),
          async open(url) {
            const page = await browser.open(url);
            t.after(() => page.close().catch(() => {}));
            return page;
          },
        };
        const state = setup(kit);
        state.catch(() => {});
        for (const [row, run] of Object.entries(rows)) {
          await t.test(row, { timeout: 2 * PATIENCE }, (t) => inCase(t, row, column, async () => run(await state)));
        }
      });
    }
  });
}

/** One case: what it finds goes into the table. */
async function inCase(t, row, column, run) {
  const reason = KNOWN.find(([name, columns]) => name === row && columns.includes(column))?.[2];
  let cell;
  try {
    cell = (await run()) ?? "yes";
  } catch (error) {
    found.set(row, column, "no");
    if (!reason) throw error;
    return t.diagnostic(`known to fail, ${reason}: ${error.message.split("\n")[0]}`);
  }
  found.set(row, column, cell);
  assert.ok(!reason, `this works now (${cell}): take it off the list of known failures`);
}

test("the table in web/package/README.md is what was found", async () => {
  if (process.env.AVSE_TABLE === "write") return found.write();
  const different = await found.differences();
  assert.equal(different.length, 0, `${different.join("\n")}\nIf that is right: cargo xtask web table`);
});
