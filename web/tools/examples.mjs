// The example apps as their users have them: the tools that their lock files name, the package from its tarball.
//
//   node web/tools/examples.mjs    installs the tools of all examples, where they are not there yet
//
// All is made in cargo's target folder (AVSE_EXAMPLES names another one), so that the sources stay as they are and an
// app finds nothing but its own packages.

import { execFile } from "node:child_process";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const SOURCES = fileURLToPath(new URL("../examples/", import.meta.url));
const PLACE = process.env.AVSE_EXAMPLES ?? fileURLToPath(new URL("../../target/web/examples/", import.meta.url));
/** What an installation leaves, and what is kept because making it takes time. */
const KEPT = ["node_modules", "installed-lock.json", ".next"];

const execute = promisify(execFile);

/** Runs a program to its end; what it said is in the error when it fails. */
export async function run(program, args, cwd, env = {}) {
  const windows = process.platform === "win32";
  try {
    return await execute(program, args, { cwd, env: { ...process.env, ...env }, timeout: 300_000, maxBuffer: 1 << 26, shell: windows });
  } catch (error) {
    throw new Error(`${program} ${args.join(" ")}: ${error.stdout ?? ""}${error.stderr ?? ""}${error.message}`);
  }
}

/** The registry could not be reached: what needs it is left out, or fails on a build server. */
export class Unreachable extends Error {}

/**
 * An example's folder with its tools installed, and without the package.
 *
 * @throws Unreachable
 */
export async function install(name) {
  const folder = join(PLACE, name);
  await mkdir(folder, { recursive: true });
  const own = await readdir(folder);
  await Promise.all(own.filter((entry) => !KEPT.includes(entry)).map((entry) => rm(join(folder, entry), { recursive: true })));
  const made = /node_modules|package-lock|\.next|dist$/;
  await cp(join(SOURCES, name), folder, { recursive: true, filter: (path) => !made.test(path.slice(SOURCES.length)) });

  // The package comes from its tarball, so npm is not to look for it.
  const description = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  delete description.dependencies["avse-web"];
  await writeFile(join(folder, "package.json"), JSON.stringify(description, null, 2));
  const lock = JSON.parse(await readFile(join(SOURCES, name, "package-lock.json"), "utf8"));
  for (const path of ["../../package", "node_modules/avse-web"]) delete lock.packages[path];
  delete lock.packages[""].dependencies["avse-web"];
  const wanted = JSON.stringify(lock, null, 2);
  const installed = join(folder, "installed-lock.json");
  if ((await readFile(installed, "utf8").catch(() => "")) !== wanted) {
    await rm(installed, { force: true });
    await writeFile(join(folder, "package-lock.json"), wanted);
    await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder).catch((error) => {
      const away = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|EHOSTUNREACH|ENOTCACHED|network/.test(error.message);
      throw away ? new Unreachable(`npm's registry cannot be reached for the example ${name}`) : error;
    });
    // Written last, so an interrupted installation is made anew.
    await writeFile(installed, wanted);
  }
  return folder;
}

/** Puts the package into an installed example, as npm unpacks it. */
export async function add(tarball, folder) {
  const place = join(folder, "node_modules/avse-web");
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  await run("tar", ["-xzf", tarball, "-C", place, "--strip-components=1"], folder);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const name of await readdir(SOURCES)) {
    // Those without a lock file need nothing, or what this folder has.
    if (await readFile(join(SOURCES, name, "package-lock.json")).catch(() => null)) {
      await install(name);
      console.log(`examples: ${name}: ready`);
    }
  }
}
