// The table of what works where, in the package's README.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { PACKAGE } from "../../support/paths.mjs";

const README = join(PACKAGE, "README.md");
const [BEGIN, END] = ["<!-- Written by tests/browser/engines. -->\n", "<!-- To here. -->"];

/** Cells by row and column. A column is an engine, alone or with a kind of window: `Firefox`, `Firefox private`. */
export class Table {
  #columns;
  #rows = new Map();
  /** The engines' versions. They are for readers: a new one alone makes no difference. */
  versions = new Map();

  constructor(columns) {
    this.#columns = columns;
  }

  set(row, column, cell) {
    if (!this.#rows.has(row)) this.#rows.set(row, new Map());
    this.#rows.get(row).set(column, cell);
  }

  /** What differs between the committed table and this one. Columns that did not run are left out. */
  async differences() {
    const old = await committed();
    const different = [];
    for (const [row, cells] of this.#rows) {
      for (const [column, cell] of cells) {
        const stated = old.#rows.get(row)?.get(column);
        if (stated !== cell) different.push(`${row}, ${column}: found "${cell}", the README says "${stated ?? ""}"`);
      }
    }
    if (this.#rows.size === 0) return different;
    for (const row of old.#rows.keys()) if (!this.#rows.has(row)) different.push(`${row}: stands in the README, and no case has this name`);
    return different;
  }

  /** Writes it into the README; columns that did not run stay as they were. */
  async write() {
    const { before, after } = await parts();
    const old = await committed();
    const line = (cells) => `| ${cells.join(" | ")} |\n`;
    const title = (column) => {
      const [engine, mode] = column.split(" ");
      const version = this.versions.get(engine) ?? old.versions.get(engine) ?? "";
      return [engine, version, mode].filter(Boolean).join(" ");
    };
    let text = line(["", ...this.#columns.map(title)]) + line(["---", ...this.#columns.map(() => "---")]);
    for (const [row, cells] of this.#rows) {
      text += line([row, ...this.#columns.map((column) => cells.get(column) ?? old.#rows.get(row)?.get(column) ?? "")]);
    }
    await writeFile(README, before + text + after);
  }

  static read(text) {
    const cellsOf = (line) => line.split("|").slice(1, -1).map((cell) => cell.trim());
    const [header = "", , ...lines] = text.trim().split("\n");
    const titles = cellsOf(header).slice(1).map((title) => title.split(" "));
    const table = new Table(titles.map(([engine, , mode]) => (mode ? `${engine} ${mode}` : engine)));
    for (const [engine, version] of titles) table.versions.set(engine, version);
    for (const [row, ...cells] of lines.map(cellsOf)) {
      for (const [at, cell] of cells.entries()) table.set(row, table.#columns[at], cell);
    }
    return table;
  }
}

async function committed() {
  return Table.read((await parts()).table);
}

async function parts() {
  const text = await readFile(README, "utf8");
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${README} has no place for the table of engines`);
  const from = begin + BEGIN.length;
  return { before: text.slice(0, from), table: text.slice(from, end), after: text.slice(end) };
}
