// Serves several folders under one address: { "/site/": folder, … }. Pages are cross-origin isolated, which
// makes their clock precise to 5 microseconds, and everything but HTML may be kept by the browser.

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/** Starts on a free port of this machine; `{ origin, close }`. */
export async function serve(mounts) {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    const mount = Object.keys(mounts).find((prefix) => path.startsWith(prefix));
    const rest = normalize(path.slice(mount?.length ?? 0));
    const file = mount && !rest.startsWith("..") ? join(mounts[mount], rest) : null;
    const about = file ? statSync(file, { throwIfNoEntry: false }) : null;
    if (!about?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    response.writeHead(200, {
      "Content-Type": type,
      "Content-Length": about.size,
      "Cache-Control": type.startsWith("text/html") ? "no-cache" : "public, max-age=3600",
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    });
    createReadStream(file).pipe(response);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { origin: `http://127.0.0.1:${server.address().port}`, close };
}
