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
  if (required) throw new Error(`LEFT OUT: ${what}`);
  note(`LEFT OUT: ${what}`);
  t.skip(what);
}

/** Says something loudly, also at the end of all checks. */
function note(what) {
  const line = `*** ${what} ***`;
  console.error(`\n${line}\n`);
  if (process.env.AVSE_LEFT_OUT) appendFileSync(process.env.AVSE_LEFT_OUT, `${line}\n`);
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
    for (const [name, group] of Object.entries(GROUPS)) {
      await t.test(name, async (t) => {
        const kit = {
          mode,
          site: (options) => site(t, { host, ...options }),
          async open(url) {
            const page = await browser.open(url);
            t.after(() => page.close().catch(() => {}));
            return page;
          },
        };
        let outcomes = await inGroup(group, kit);
        const failed = outcomes.filter(({ row, error }) => error && !known(row, column));
        // Three browsers at once on a busy machine: a case may run out of time. It has a second try, which is not kept quiet.
        if (failed.length > 0) {
          note(`second try of "${name}" in ${column}, since this failed: ${failed.map(({ row, error }) => `${row}: ${firstLine(error)}`).join("; ")}`);
          outcomes = await inGroup(group, kit);
        }
        for (const outcome of outcomes) await t.test(outcome.row, (t) => report(t, outcome, column));
      });
    }
  });
}

/** The cases of a group one after the other: what each gives, or its error. */
async function inGroup({ setup, rows }, kit) {
  const state = setup(kit);
  state.catch(() => {});
  const outcomes = [];
  for (const [row, run] of Object.entries(rows)) {
    let timer;
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("it does not end")), 2 * PATIENCE)));
    const cell = Promise.race([state.then(run), late]).finally(() => clearTimeout(timer));
    outcomes.push(await cell.then((cell) => ({ row, cell: cell ?? "yes" }), (error) => ({ row, error })));
  }
  return outcomes;
}

/** One case: what was found goes into the table. */
function report(t, { row, cell, error }, column) {
  const reason = known(row, column);
  found.set(row, column, cell ?? "no");
  if (error && !reason) throw error;
  if (error) return t.diagnostic(`known to fail, ${reason}: ${firstLine(error)}`);
  assert.ok(!reason, `this works now (${cell}): take it off the list of known failures`);
}

const known = (row, column) => KNOWN.find(([name, columns]) => name === row && columns.includes(column))?.[2];
const firstLine = (error) => error.message.split("\n")[0];

test("the table in web/package/README.md is what was found", async () => {
  if (process.env.AVSE_TABLE === "write") return found.write();
  const different = await found.differences();
  assert.equal(different.length, 0, `${different.join("\n")}\nIf that is right: cargo xtask web table`);
});
