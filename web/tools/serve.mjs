// A static server with the headers that the page has to live with: right media types, compressed contents for browsers that
// take them, and a strict content security policy.
//
//   node web/tools/serve.mjs --root DIR [--port 8080] [--host 127.0.0.1] [--mount /path/=DIR]… [--cors] [--csp POLICY]
//
// Tests import `serve` and let it misbehave.

import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

import { compressed, encodingFor, isCompressible } from "./compress.mjs";

/** What the built pages have to work under. */
export const STRICT_CSP =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; " +
  "connect-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'self'";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".jsonl": "application/jsonl; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".webmanifest": "application/manifest+json; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".md": "text/plain; charset=utf-8",
  ".ts": "text/plain; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".webp": "image/webp",
  ".gif": "image/gif",
  ".ico": "image/x-icon",
  ".wasm": "application/wasm",
};

/**
 * Starts a server.
 *
 * @param {object} options
 * @param {string} options.root Folder that is served.
 * @param {Record<string, string>} [options.mounts] Further folders, by the path they are served under (`/name/`).
 * @param {number} [options.port] Default 0: any free one.
 * @param {string} [options.host] Default 127.0.0.1.
 * @param {string | null} [options.csp] Content security policy; `null` for none.
 * @param {boolean} [options.cors] Whether pages of other origins may read what is served.
 * @param {(request: {path: string, query: string, count: number, headers: object}) => Fault | undefined | Promise<Fault | undefined>} [options.intercept]
 *   Makes requests go wrong; `count` is how often the path has been asked for, this time included.
 *
 * A Fault has any of: `delay` (milliseconds before the answer), `status` (answer with this code alone), `truncate`
 * (a complete answer of so many bytes), `breakAfter` (the connection ends after so many bytes), `corrupt` (one byte in the middle
 * is another one), `pause` (milliseconds between pieces of 64 KiB), `body` (answer this instead, also where there is no
 * file), `type` (its media type).
 *
 * @returns {Promise<{url: string, port: number, requests: string[], aborted: string[], close(): Promise<void>}>} `requests` grows
 *   with every request, `aborted` with every one that the browser gives up before the answer is complete.
 */
export async function serve(options) {
  const { root, mounts = {}, port = 0, host = "127.0.0.1", csp = STRICT_CSP, cors = false, intercept } = options;
  const folders = Object.entries(mounts).map(([path, folder]) => [path.endsWith("/") ? path : `${path}/`, folder]);
  const requests = [];
  const aborted = [];
  const counts = new Map();

  async function answer(request, response) {
    const url = new URL(request.url, "http://localhost");
    const path = decodeURIComponent(url.pathname);
    requests.push(path);
    response.once("close", () => response.writableFinished || aborted.push(path));
    counts.set(path, (counts.get(path) ?? 0) + 1);
    const asked = { path, query: url.search, count: counts.get(path), headers: request.headers };
    const fault = (await intercept?.(asked)) ?? {};
    if (fault.delay) await new Promise((done) => setTimeout(done, fault.delay));
    response.setHeader("X-Content-Type-Options", "nosniff");
    if (csp) response.setHeader("Content-Security-Policy", csp);
    if (cors) {
      response.setHeader("Access-Control-Allow-Origin", "*");
      response.setHeader("Cross-Origin-Resource-Policy", "cross-origin");
    }
    const fail = (status, text) => response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" }).end(text);
    if (fault.status) return fail(fault.status, `${fault.status}\n`);
    if (request.method !== "GET" && request.method !== "HEAD") return fail(405, "GET only\n");

    const [prefix, folder] = folders.find(([prefix]) => path.startsWith(prefix)) ?? ["/", root];
    const base = resolve(folder);
    let file = resolve(base, `.${sep}${path.slice(prefix.length)}`);
    if (file !== base && !file.startsWith(base + sep)) return fail(403, "outside of the folder\n");
    let found = await stat(file).catch(() => null);
    if (found?.isDirectory()) {
      if (!path.endsWith("/")) return response.writeHead(301, { Location: `${encodeURI(path)}/${url.search}` }).end();
      file = resolve(file, "index.html");
      found = await stat(file).catch(() => null);
    }
    const type = TYPES[extname(file).toLowerCase()] ?? "application/octet-stream";
    if (fault.body !== undefined) {
      response.setHeader("Content-Type", fault.type ?? type);
      response.setHeader("Cache-Control", "no-store");
      return misbehave(response, fault, Buffer.from(fault.body));
    }
    if (!found?.isFile()) return fail(404, `${path} is not there\n`);

    const wrong = ["truncate", "breakAfter", "corrupt", "pause"].some((key) => fault[key] !== undefined);
    const version = versionOf(found);
    const varies = isCompressible(file, found.size);
    // Ranges count the bytes of the file as it is.
    const encoding = varies && !wrong && !request.headers.range ? encodingFor(request.headers["accept-encoding"]) : null;
    const etag = encoding ? `"${version}-${encoding}"` : `"${version}"`;
    response.setHeader("Content-Type", type);
    response.setHeader("Cache-Control", "no-cache");
    response.setHeader("ETag", etag);
    if (varies) response.setHeader("Vary", "Accept-Encoding");
    if (!wrong) {
      if (request.headers["if-none-match"] === etag) return response.writeHead(304).end();
      if (encoding) {
        const content = await compressed(file, version, encoding);
        response.setHeader("Content-Encoding", encoding);
        response.setHeader("Content-Length", content.length);
        return response.end(request.method === "HEAD" ? undefined : content);
      }
      response.setHeader("Content-Length", found.size);
      if (request.method === "HEAD") return response.end();
      return createReadStream(file).on("error", () => response.destroy()).pipe(response);
    }
    // What went wrong must not be remembered under the right file's tag.
    response.removeHeader("ETag");
    response.setHeader("Cache-Control", "no-store");
    return misbehave(response, fault, await readFile(file));
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
  await new Promise((done, failed) => server.once("error", failed).listen(port, host, done));
  const { port: bound } = server.address();
  return {
    url: `http://${host}:${bound}/`,
    port: bound,
    requests,
    aborted,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** The tag of a file's version. */
function versionOf({ size, mtimeMs }) {
  return `${size.toString(36)}-${Math.round(mtimeMs).toString(36)}`;
}

/** Compresses a folder's files before they are asked for, one after the other, so that the first visitor need not wait. */
async function warmUp(folder) {
  for (const name of await readdir(folder, { recursive: true })) {
    const file = resolve(folder, name);
    const found = await stat(file).catch(() => null);
    if (found?.isFile() && isCompressible(file, found.size)) await compressed(file, versionOf(found), "br").catch(() => {});
  }
}

async function misbehave(response, fault, content) {
  let body = content;
  if (fault.corrupt) {
    body = Buffer.from(body);
    body[body.length >> 1] ^= 0xff;
  }
  if (fault.truncate !== undefined) body = body.subarray(0, fault.truncate);
  response.setHeader("Content-Length", body.length);
  const end = fault.breakAfter ?? body.length;
  for (let at = 0; at < end; at += 65536) {
    if (response.destroyed) return;
    response.write(body.subarray(at, Math.min(end, at + 65536)));
    await new Promise((done) => setTimeout(done, fault.pause ?? 0));
  }
  if (fault.breakAfter === undefined) response.end();
  // What has been written has to be on its way before the connection goes.
  else setTimeout(() => response.destroy(), 20);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: {
      root: { type: "string" },
      port: { type: "string", default: "8080" },
      host: { type: "string", default: "127.0.0.1" },
      mount: { type: "string", multiple: true, default: [] },
      csp: { type: "string", default: STRICT_CSP },
      cors: { type: "boolean", default: false },
    },
  });
  if (!values.root) {
    console.error("serve.mjs: --root DIR is missing");
    process.exit(2);
  }
  const mounts = Object.fromEntries(values.mount.map((mount) => mount.split(/=(.*)/s, 2)));
  const { root, host, cors } = values;
  const { url } = await serve({ root, host, cors, mounts, port: Number(values.port), csp: values.csp || null });
  console.log(`serving ${root} at ${url}`);
  await warmUp(root);
}
