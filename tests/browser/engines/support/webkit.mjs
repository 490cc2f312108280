// WebKitGTK by classic WebDriver: its driver, on a display of its own that nobody sees.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { chmod, mkdtemp, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { PATIENCE, until } from "../../support/browser.mjs";
import { scratchFolder } from "../../support/paths.mjs";
import { clickFound } from "./click.mjs";
import { PYTHON } from "./found.mjs";

const WINDOW = fileURLToPath(new URL("webkit_window.py", import.meta.url));
/** Where an element stands in WebDriver's JSON. */
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

export async function launchWebKit(program, mode) {
  const folder = await mkdtemp(join(scratchFolder(), "webkit-"));
  const display = await startDisplay();
  const port = await freePort();
  // The driver hides what its browser prints, so that a script keeps it.
  const [binary, log] = [join(folder, "window.sh"), join(folder, "console.log")];
  await writeFile(binary, `#!/bin/sh\nexec ${PYTHON} "${WINDOW}" ${mode} "${folder}/profile" >"${log}" 2>&1\n`);
  await chmod(binary, 0o755);
  await writeFile(log, "");
  const environment = { ...process.env, DISPLAY: display.name, GDK_BACKEND: "x11", LIBGL_ALWAYS_SOFTWARE: "1", NO_AT_BRIDGE: "1" };
  const driver = start(program, [`--port=${port}`], { env: environment, stdio: "ignore" });
  const call = caller(`http://127.0.0.1:${port}`);
  await until(() => call("GET", "/status").then(() => true, () => false), "the WebDriver of WebKit does not answer");
  const wanted = { "webkitgtk:browserOptions": { binary, args: [] }, timeouts: { script: PATIENCE, pageLoad: PATIENCE } };
  const { sessionId, capabilities } = await call("POST", "/session", { capabilities: { alwaysMatch: wanted } });
  const session = (method, path, body) => call(method, `/session/${sessionId}${path}`, body);
  // This one stays open: without any window the session would end.
  const first = await session("GET", "/window");
  return {
    version: capabilities.browserVersion,
    open: async (url) => {
      await session("POST", "/window", { handle: first });
      const { handle } = await session("POST", "/window/new", { type: "tab" });
      return openPage(session, handle, log, url);
    },
    async close() {
      await call("DELETE", `/session/${sessionId}`).catch(() => {});
      for (const process of [driver, display.process]) {
        process.kill();
        await process.ended;
      }
    },
  };
}

async function openPage(session, handle, log, url) {
  const begin = readFileSync(log, "utf8").length;
  // One command after the other, each in this page.
  let last = Promise.resolve();
  const inPage = (work) => {
    const done = last.catch(() => {}).then(() => session("POST", "/window", { handle })).then(work);
    last = done;
    return done;
  };
  const go = (url) => inPage(() => session("POST", "/url", { url }));
  const script = async (code, args) => {
    const { value, thrown } = await session("POST", "/execute/async", { script: `(${runInPage})(${code}, arguments)`, args });
    if (thrown) throw new Error(thrown);
    return value;
  };
  const run = (code, ...args) => inPage(() => script(code, args));
  const act = (actions) => session("POST", "/actions", { actions: [actions] });
  const page = {
    get complaints() {
      // The lines look like `http://…:1:75: CONSOLE JS ERROR Error: …`. Of private windows WebKit prints none. It does
      // not know the policy's `manifest-src`, and says so.
      const lines = readFileSync(log, "utf8").slice(begin).split("\n");
      return lines.filter((line) => /CONSOLE( [A-Z]+)* ERROR/.test(line) && !line.includes("'manifest-src'"));
    },
    run,
    go,
    keys: (text) =>
      inPage(() => act({ type: "key", id: "keys", actions: [...text].flatMap((value) => ["keyDown", "keyUp"].map((type) => ({ type, value }))) })),
    click: (find, ...args) =>
      clickFound(() =>
        inPage(async () => {
          const element = await script(find, args);
          await session("POST", `/element/${element[ELEMENT]}/click`, {});
        }),
      ),
    files: (selector, paths) =>
      inPage(async () => {
        const input = await session("POST", "/element", { using: "css selector", value: selector });
        await session("POST", `/element/${input[ELEMENT]}/value`, { text: paths.join("\n") });
      }),
    close: () => inPage(() => session("DELETE", "/window")),
  };
  await go(url);
  return page;
}

/* Runs in the page: the outcome of a function, for WebDriver, which hands over a callback as the last argument. */
function runInPage(code, given) {
  const args = [...given];
  const done = args.pop();
  Promise.resolve()
    .then(() => code(...args))
    .then((value) => done({ value }), (thrown) => done({ thrown: `${thrown?.name}: ${thrown?.message}` }));
}

function caller(base) {
  return async (method, path, body) => {
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(base + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${value.error}: ${value.message}`);
    return value;
  };
}

/** Starts a program that goes with this process. */
function start(program, args, options) {
  const child = spawn(program, args, options);
  child.ended = once(child, "exit").catch(() => {});
  const end = () => child.kill();
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
  return child;
}

/** An X server without a screen; it chooses a free number and tells it. */
async function startDisplay() {
  const process = start("Xvfb", ["-displayfd", "3", "-screen", "0", "1280x1000x24", "-nolisten", "tcp"], { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const [number] = await once(process.stdio[3], "data");
  return { process, name: `:${String(number).trim()}` };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
