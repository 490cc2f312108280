// Calls, abort and restarts, with workers that are made of a script.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Client } from "../dist/client.js";
import { AvseError } from "../dist/errors.js";
import { Session } from "../dist/session.js";

/** A worker whose behaviour is a function of the message. */
class FakeWorker {
  listeners = { message: [], error: [], messageerror: [] };
  received = [];
  terminated = false;

  constructor(answer = () => {}) {
    this.answer = answer;
  }
  postMessage(posted) {
    // As posting does, so that later changes of the page's own object are not seen here.
    const message = posted.request ? { ...posted, request: { ...posted.request } } : posted;
    this.received.push(message);
    queueMicrotask(() => !this.terminated && this.answer(message, this));
  }
  terminate() {
    this.terminated = true;
  }
  addEventListener(type, listener) {
    this.listeners[type].push(listener);
  }
  send(data) {
    for (const listener of this.listeners.message) listener({ data });
  }
  value({ id }, value) {
    this.send({ type: "answer", id, value });
  }
  fail({ id }, code, message = code) {
    this.send({ type: "failure", id, error: { code, message } });
  }
  names() {
    return this.received.filter(({ type }) => type === "call").map(({ name }) => name);
  }
}

const LOADED = { info: { device: "webgpu" }, exported: null };
const REQUEST = { url: "http://localhost/model/", device: "auto", cache: false };

/** A session whose workers answer by name; `made` collects them. */
async function session(handlers, request = REQUEST) {
  const made = [];
  const opened = await Session.open(request, () => {
    const number = made.length;
    const worker = new FakeWorker((message, worker) => {
      if (message.type !== "call") return;
      const handler = handlers[message.name];
      if (handler) handler(worker, message, number);
      else if (message.name === "load") worker.value(message, structuredClone(LOADED));
      else worker.value(message, { kind: "images", items: 0 });
    });
    made.push(worker);
    return worker;
  });
  return { session: opened, made };
}

const encode = (session, text = "cat", options = {}) => session.call("encode", () => ({ request: { text } }), options);
const code = (wanted) => (error) => error instanceof AvseError && error.code === wanted;

test("answers find their calls, whatever their order", async () => {
  const client = new Client(new FakeWorker((message, worker) => {
    if (message.request.text === "two") worker.value(message, 2);
    else setTimeout(() => worker.value(message, 1), 10);
  }));
  const answers = await Promise.all([client.call("encode", { text: "one" }), client.call("encode", { text: "two" })]);
  assert.deepEqual(answers, [1, 2]);
});

test("an aborted call rejects at once with the signal's reason and is told to the worker", async () => {
  const worker = new FakeWorker();
  const client = new Client(worker);
  const controller = new AbortController();
  const call = client.call("encode", { text: "cat" }, { signal: controller.signal });
  const reason = new Error("no longer wanted");
  controller.abort(reason);
  await assert.rejects(call, (error) => error === reason);
  assert.deepEqual(worker.received.at(-1), { type: "abort", id: worker.received[0].id });
  // A late answer meets nobody.
  worker.value(worker.received[0], 1);
});

test("a call that is aborted before it begins is not sent, and its reason is an AbortError by default", async () => {
  const worker = new FakeWorker();
  await assert.rejects(new Client(worker).call("encode", { text: "cat" }, { signal: AbortSignal.abort() }), { name: "AbortError" });
  assert.equal(worker.received.length, 0);
});

test("aborting after the answer posts nothing", async () => {
  const worker = new FakeWorker((message, worker) => worker.value(message, 1));
  const controller = new AbortController();
  await new Client(worker).call("encode", { text: "cat" }, { signal: controller.signal });
  controller.abort();
  assert.equal(worker.received.length, 1);
});

test("a crash rejects everything that is pending", async () => {
  const worker = new FakeWorker();
  const client = new Client(worker);
  const calls = [client.call("encode", { text: "a" }), client.call("encode", { text: "b" })];
  worker.send({ type: "crash", error: { code: "internal", message: "panicked at core.rs:1" } });
  for (const call of calls) await assert.rejects(call, /panicked at core\.rs:1/);
  await assert.rejects(client.call("encode", { text: "c" }), code("internal"));
  assert.equal(client.usable, false);
});

test("a script that cannot be loaded is a network error", async () => {
  const worker = new FakeWorker();
  const call = new Client(worker).call("encode", { text: "a" });
  for (const listener of worker.listeners.error) listener({});
  await assert.rejects(call, code("network"));
});

test("aborting the load ends the worker; aborted before, none is made", async () => {
  const controller = new AbortController();
  const workers = [];
  const make = () => workers[workers.push(new FakeWorker()) - 1];
  const loading = Session.open(REQUEST, make, { signal: controller.signal });
  controller.abort();
  await assert.rejects(loading, { name: "AbortError" });
  assert.equal(workers[0].terminated, true);
  await assert.rejects(Session.open(REQUEST, make, { signal: controller.signal }), { name: "AbortError" });
  assert.equal(workers.length, 1);
});

test("calls after dispose reject with disposed, and so do pending ones", async () => {
  const { session: one, made } = await session({ encode: () => {} });
  const pending = encode(one);
  await Promise.resolve();
  one.dispose();
  await assert.rejects(pending, code("disposed"));
  await assert.rejects(encode(one), code("disposed"));
  assert.equal(made[0].terminated, true);
});

test("after a crash the next call gets a fresh worker with the galleries open", async () => {
  const { session: one, made } = await session({
    encode: (worker, message, number) =>
      number === 0 ? worker.send({ type: "crash", error: { code: "internal", message: "trap" } }) : worker.value(message, "well"),
  });
  const events = [];
  one.on("restarted", () => events.push("restarted"));
  await one.open({ url: "http://localhost/pictures/" });
  await assert.rejects(encode(one), code("internal"));
  assert.equal(await encode(one), "well");
  assert.equal(made[0].terminated, true);
  assert.deepEqual(made[1].names(), ["load", "openGallery", "encode"]);
  assert.deepEqual(events, ["restarted"]);
});

test("a lost GPU costs a worker, not the call; the second loss moves to the CPU", async () => {
  const { session: one, made } = await session({
    encode: (worker, message, number) => (number < 2 ? worker.fail(message, "device-lost") : worker.value(message, number)),
  });
  const events = [];
  one.on("devicelost", () => events.push("devicelost"));
  one.on("restarted", () => events.push("restarted"));
  assert.equal(await encode(one), 2);
  assert.deepEqual(events, ["devicelost", "restarted", "devicelost", "restarted"]);
  assert.deepEqual(made.map(({ terminated }) => terminated), [true, true, false]);
  const devices = made.map(({ received }) => received[0].request.device);
  assert.deepEqual(devices, ["auto", "auto", "wasm"]);
  assert.match(one.loaded.info.fallback, /lost twice/);
});

test("a GPU that stopped without a word is not tried again", async () => {
  const stuck = { code: "device-lost", message: "the GPU gave no answer within 60 seconds" };
  const { session: one, made } = await session({
    encode: (worker, message, number) => {
      if (number > 0) worker.value(message, message.request.text);
      else if (message.request.text === "b") worker.send({ type: "crash", error: stuck });
    },
  });
  assert.deepEqual(await Promise.all([encode(one, "a"), encode(one, "b"), encode(one, "c")]), ["a", "b", "c"]);
  assert.deepEqual(made.map(({ received }) => received[0].request.device), ["auto", "wasm"]);
  assert.equal(one.loaded.info.fallback, stuck.message);
  // Nor by the next visit.
  assert.equal(made[1].received[0].request.distrust, stuck.message);
});

test("all calls that were pending when the GPU was lost are repeated", async () => {
  const { session: one } = await session({
    encode: (worker, message, number) => {
      if (number > 0) worker.value(message, message.request.text);
      else if (message.request.text === "b") worker.fail(message, "device-lost");
    },
  });
  assert.deepEqual(await Promise.all([encode(one, "a"), encode(one, "b"), encode(one, "c")]), ["a", "b", "c"]);
});

test("a gallery that is made in the page moves to the fresh worker", async () => {
  const snapshot = { gallery: 1, kind: "images", blocks: new Blob([]), changes: [], thumbnails: [] };
  const { session: one, made } = await session({
    encode: (worker, message, number) => (number === 0 ? worker.fail(message, "device-lost") : worker.value(message, 1)),
    salvage: (worker, message) => worker.value(message, [snapshot]),
  });
  const { gallery } = await one.open({ kind: "images" });
  one.changed(gallery);
  await encode(one);
  assert.deepEqual(made[0].names().at(-1), "salvage");
  assert.deepEqual(made[1].received[1], { type: "call", id: 2, name: "restoreGallery", request: { gallery: 1, snapshot } });
});

test("unsaved rows that a dead worker took with it are an error, not an empty gallery", async () => {
  const { session: one } = await session({
    encode: (worker, message, number) =>
      number === 0 ? worker.send({ type: "crash", error: { code: "internal", message: "trap" } }) : worker.value(message, 1),
    salvage: (worker, message) => worker.fail(message, "internal"),
  });
  const { gallery } = await one.open({ kind: "images" });
  one.changed(gallery);
  await assert.rejects(encode(one));
  await assert.rejects(one.call("item", () => ({ request: { gallery, row: 0 } })), /unsaved rows were lost/);
  assert.equal(await encode(one), 1);
});

test("a start that dies with WebGPU is tried once more on the CPU", async () => {
  const { session: one, made } = await session({
    load: (worker, message, number) =>
      number === 0
        ? worker.send({ type: "crash", error: { code: "internal", message: "trap in the driver" } })
        : worker.value(message, structuredClone(LOADED)),
  });
  assert.deepEqual(made.map(({ received }) => received[0].request.device), ["auto", "wasm"]);
  assert.match(one.loaded.info.fallback, /trap in the driver/);
});

test("a start that fails because of a file is not tried again", async () => {
  const handlers = { load: (worker, message) => worker.fail(message, "format", "model.safetensors: broken") };
  await assert.rejects(session(handlers), code("format"));
});

test("dispose while a fresh worker starts ends that one too", async () => {
  const { session: one, made } = await session({
    load: (worker, message, number) => number === 0 && worker.value(message, structuredClone(LOADED)),
    encode: (worker, message) => worker.fail(message, "device-lost"),
  });
  const call = encode(one);
  while (made.length < 2) await new Promise((done) => setTimeout(done));
  one.dispose();
  await assert.rejects(call, code("disposed"));
  assert.equal(made[1].terminated, true);
});
