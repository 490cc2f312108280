// The site on a port of its own, with the tiny export beside it.

import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { ROOT, scratchFolder, SITE } from "./paths.mjs";
import { tiny } from "./tiny.mjs";

const { serve, STRICT_CSP } = await import(pathToFileURL(join(ROOT, "web/tools/serve.mjs")));
export { STRICT_CSP };

/**
 * A server that ends with the test: the demo page at `/`, the package at `/avse-web/`, the emoji export at `/data/`, the
 * tiny one at `/tiny/`, and an empty page at `/empty/`; `pages` are further files below `/pages/`.
 *
 * The other options are those of web/tools/serve.mjs: `intercept` makes requests go wrong, `csp` and `cors` as there.
 * `server.requests` lists the paths that were asked for.
 */
export async function site(t, { pages = {}, mounts = {}, ...options } = {}) {
  const folder = await mkdtemp(join(scratchFolder(), "pages-"));
  const all = { "empty.html": "<!doctype html><html lang=en><meta charset=utf-8><link rel=icon href=data:,><title>empty</title></html>", ...pages };
  for (const [name, content] of Object.entries(all)) await writeFile(join(folder, name), content);
  const { folder: export_ } = await tiny();
  const server = await serve({ root: SITE, mounts: { "/tiny/": export_, "/pages/": folder, ...mounts }, ...options });
  let open = true;
  const close = async () => {
    if (open) await server.close();
    open = false;
  };
  t.after(close);
  return { ...server, close, empty: `${server.url}pages/empty.html` };
}
