// The package as it would be published, with the fake engine in place of the builds.

import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { write } from "../fixtures.mjs";

const PACKAGE = fileURLToPath(new URL("../../", import.meta.url));

/** The tarball, made once for the tests of a file; `it` is what `browserTests` gave. */
export function pack(it) {
  return (it.tarball ??= make(it));
}

async function make(it) {
  // It goes with the tests' folder.
  const place = await mkdtemp(join(it.root, "pack-"));
  const { files } = JSON.parse(await readFile(join(PACKAGE, "package.json"), "utf8"));
  for (const name of ["package.json", ...files]) await cp(join(PACKAGE, name), join(place, "package", name), { recursive: true });
  const builds = Object.entries(it.files).filter(([path]) => path.startsWith("wasm/"));
  await write(join(place, "package", "dist"), Object.fromEntries(builds));
  // Both builds get a content of their own, or the bundler makes one file of them.
  for (const build of ["cpu", "gpu"]) {
    const glue = join(place, "package/dist/wasm", build, "avse_web.js");
    await writeFile(glue, `${await readFile(glue)}\n// ${build}\n`);
  }
  execFileSync("npm", ["pack", "./package", "--silent"], { cwd: place, stdio: ["ignore", "pipe", "pipe"], shell: process.platform === "win32" });
  return join(place, (await readdir(place)).find((name) => name.endsWith(".tgz")));
}
