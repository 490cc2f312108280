// The table of what works where, in the package's README.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { PACKAGE } from "../../support/paths.mjs";

const README = join(PACKAGE, "README.md");
const [BEGIN, END] = ["<!-- Written by tests/browser/engines. -->\n", "<!-- To here. -->"];

/** A table: its columns, and the cells of each row by column. */
export class Table {
  /** Titles above the columns, with versions. */
  titles = new Map();
  rows = new Map();

  set(row, column, cell) {
    if (!this.rows.has(row)) this.rows.set(row, new Map());
    this.rows.get(row).set(column, cell);
  }

  get(row, column) {
    return this.rows.get(row)?.get(column);
  }
}

/** The columns' names without versions: `Firefox 153.8 private` is `Firefox private`. */
const nameOf = (title) => title.replace(/ [\d.]+/, "").trim();
const cellsOf = (line) => line.split("|").slice(1, -1).map((cell) => cell.trim());

/** The table that is committed. */
export async function committed() {
  const { table } = await parts();
  const [header = "", , ...lines] = table.trim().split("\n");
  const titles = cellsOf(header).slice(1);
  const read = new Table();
  for (const title of titles) read.titles.set(nameOf(title), title);
  for (const line of lines) {
    const [row, ...cells] = cellsOf(line);
    for (const [at, cell] of cells.entries()) read.set(row, nameOf(titles[at]), cell);
  }
  return read;
}

/** Writes what was found; columns of engines that did not run stay as they were. */
export async function rewrite(found) {
  const { before, after } = await parts();
  const old = await committed();
  const columns = [...new Set([...found.titles.keys(), ...old.titles.keys()])];
  const line = (cells) => `| ${cells.join(" | ")} |\n`;
  const title = (column) => found.titles.get(column) ?? old.titles.get(column);
  let text = line(["", ...columns.map(title)]) + line(["---", ...columns.map(() => "---")]);
  for (const row of found.rows.keys()) text += line([row, ...columns.map((column) => found.get(row, column) ?? old.get(row, column) ?? "")]);
  await writeFile(README, before + text + after);
}

/** What differs between the committed table and what was found. */
export async function differences(found) {
  const old = await committed();
  const different = [];
  for (const [row, cells] of found.rows) {
    for (const [column, cell] of cells) {
      const stated = old.get(row, column);
      if (stated !== cell) different.push(`${row}, ${column}: found "${cell}", the README says "${stated ?? ""}"`);
    }
  }
  for (const row of old.rows.keys()) if (!found.rows.has(row)) different.push(`${row}: the README has this row, and no case of this name ran`);
  return different;
}

async function parts() {
  const text = await readFile(README, "utf8");
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${README} has no place for the table of engines`);
  const from = begin + BEGIN.length;
  return { before: text.slice(0, from), table: text.slice(from, end), after: text.slice(end) };
}
