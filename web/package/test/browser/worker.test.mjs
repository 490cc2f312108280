// The worker in a real browser, with the fake engine.

import assert from "node:assert/strict";
import { test } from "node:test";

import { png } from "../fixtures.mjs";
import { browserTests, PRELUDE } from "./chromium.mjs";

const it = browserTests();

test("both forms of the address load under the strict policy, with real progress", async (context) => {
  const { page } = await it.ready(context);
  for (const url of ["/export/", "/export", "/export/avse.json", "/export/model/", "/export/model/manifest.json"]) {
    const { reports, info, exported } = await page.evaluate(async (url) => {
      const reports = [];
      const avse = await load(url, { onProgress: (progress) => reports.push(progress), cache: false });
      const { info, exported } = avse;
      avse.dispose();
      return { reports, info, exported };
    }, url);
    assert.equal(info.device, "cpu");
    const total = info.bytes.code + info.bytes.model;
    assert.ok(reports.every((report, at) => report.total === total && (at === 0 || report.loaded >= reports[at - 1].loaded)));
    assert.equal(reports.at(-1).loaded, total);
    assert.equal(exported?.domain, url.includes("model") ? undefined : "squares");
  }
  const policy = page.errors.filter((text) => /policy|refused/i.test(text));
  assert.deepEqual(policy, []);
});

test("texts and pictures find what fits, and matches are explained", async (context) => {
  const { page } = await it.ready(context);
  const found = await page.evaluate(async () => {
    const avse = await load();
    const pictures = await avse.openGallery("/export/pictures/");
    const captions = await avse.openGallery("/export/captions/manifest.json");
    const text = await avse.searchText(pictures, "something green", { k: 2 });
    const canvas = new OffscreenCanvas(20, 10);
    const drawing = canvas.getContext("2d");
    drawing.fillStyle = "#00f";
    drawing.fillRect(0, 0, 20, 10);
    const picture = await avse.searchImage(captions, canvas);
    const explained = await avse.explain(pictures, text.query, text.hits[0].index);
    const thumbnail = await pictures.thumbnail(1);
    return {
      text: text.hits, picture: picture.hits[0].key, seconds: text.seconds, query: text.query.kind,
      again: (await avse.search(pictures, text.query)).hits.length,
      explained: { ...explained, matrix: [...explained.matrix], views: explained.views.map((view) => view.length), chosenView: [...explained.chosenView] },
      thumbnail: [thumbnail.type, thumbnail.size], none: await captions.thumbnail(0), item: await pictures.item(1), info: pictures.info,
      same: await failure(avse.explain(captions, text.query, 0)), pieces: await avse.wordPieces("A cat"),
    };
  });
  assert.deepEqual(found.text.map(({ key }) => key)[0], "green.png");
  assert.deepEqual([found.text.length, found.text[0].caption, found.text[0].path, found.again], [2, "a green square", "all/green.png", 5]);
  assert.equal(found.picture, "about blue");
  assert.equal(found.thumbnail[0], "image/png");
  assert.deepEqual([found.none, found.item.key, found.info.kind, found.info.items], [null, "green.png", "images", 5]);
  assert.equal(found.explained.matrix.length, 8);
  assert.deepEqual(found.explained.views, [12, 12]);
  assert.deepEqual(found.explained.chosenView, [1, 0]);
  assert.deepEqual([found.same.code, found.pieces.length], ["refused", 4]);
  assert.deepEqual(page.errors.filter((text) => !/404/.test(text)), []);
});

test("pictures of all kinds are seen on white; what is no picture is named", async (context) => {
  const { page } = await it.ready(context);
  const half = png(4, 4, () => [255, 0, 0, 0]).toString("base64");
  const red = png(4, 4, () => [255, 0, 0, 255]);
  const bomb = Buffer.from(red);
  bomb.writeUInt32BE(60_000, 16);
  bomb.writeUInt32BE(60_000, 20);
  const seen = await page.evaluate(async ({ half, red, cut, bomb, svg }) => {
    const avse = await load();
    const captions = await avse.openGallery("/export/captions/");
    const best = async (source) => (await avse.searchImage(captions, source, { k: 1 })).hits[0].key;
    const image = new Image();
    image.src = `data:image/png;base64,${red}`;
    const data = new ImageData(2, 2);
    data.data.fill(255);
    const bitmap = await createImageBitmap(data);
    const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 8 });
    canvas.getContext("2d").fillRect(0, 0, 8, 8);
    const jpeg = await new Promise((done) => canvas.toBlob(done, "image/jpeg"));
    const clear = new OffscreenCanvas(3, 3);
    clear.getContext("2d").clearRect(0, 0, 3, 3);
    return {
      transparent: await best(file(half, "half.png", "image/png")),
      image: await best(image), data: await best(data), bitmap: await best(bitmap), again: await best(bitmap), canvas: await best(canvas),
      clear: await best(clear), jpeg: await best(jpeg),
      cut: await failure(best(file(cut, "cut.png", "image/png"))),
      cutJpeg: await failure(best(new File([jpeg.slice(0, jpeg.size - 20)], "cut.jpg"))),
      bomb: await failure(best(file(bomb, "bomb.png", "image/png"))),
      svg: await failure(best(file(svg, "script.svg", "image/svg+xml"))),
      disguised: await failure(best(file(svg, "script.png", "image/png"))),
      empty: await failure(best(new File([], "empty.png"))), text: await failure(best("text")), nothing: await failure(best(new Image())),
    };
  }, {
    half, red: red.toString("base64"), bomb: bomb.toString("base64"),
    cut: png(64, 64, (x, y) => [x * 4, y * 4, (x * y) % 256, 255]).subarray(0, 400).toString("base64"),
    svg: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>').toString("base64"),
  });
  assert.equal(seen.transparent, "about white");
  assert.deepEqual([seen.image, seen.data, seen.bitmap, seen.again, seen.canvas, seen.clear, seen.jpeg], [
    "about red", "about white", "about white", "about white", "about black", "about white", "about black",
  ]);
  for (const [name, file] of Object.entries({ cutJpeg: "cut.jpg", bomb: "bomb.png", svg: "script.svg", disguised: "script.png", empty: "empty.png" })) {
    assert.equal(seen[name].code, "image", name);
    assert.ok(seen[name].message.includes(file), seen[name].message);
  }
  assert.match(seen.bomb.message, /60000 x 60000/);
  assert.equal(seen.cut.code, "image", "a PNG that breaks off");
  assert.deepEqual([seen.text.code, seen.nothing.code], ["image", "image"]);
});

for (const word of ["trap", "late trap"]) {
  test(`after a ${word} everything pending rejects, and a fresh worker has the galleries`, async (context) => {
    const { page } = await it.ready(context);
    const seen = await page.evaluate(async (word) => {
      const avse = await load();
      const gallery = await avse.openGallery("/export/pictures/");
      const mine = await Gallery.create(avse, { kind: "captions" });
      await mine.add("red things");
      let restarted = 0;
      avse.on("restarted", () => restarted++);
      const crashing = [failure(avse.encodeText(word)), failure(avse.encodeText("red"))];
      const failures = await Promise.all(crashing);
      const found = await avse.searchText(gallery, "blue");
      return { failures, key: found.hits[0].key, restarted, mine: await mine.item(0), size: mine.size };
    }, word);
    for (const error of seen.failures) {
      assert.equal(error.code, "internal");
      assert.match(error.message, /panicked at fake-engine/);
    }
    assert.deepEqual([seen.key, seen.restarted, seen.mine.key, seen.size], ["blue.png", 1, "red things", 1]);
  });
}

test("two instances beside each other, and twenty one after the other", async (context) => {
  const { page } = await it.ready(context);
  const seen = await page.evaluate(async () => {
    const { Avse } = await import("/avse-web/index.js");
    const [a, b] = await Promise.all([1, 2].map(() => Avse.load("/export/model/", { device: "wasm" })));
    const both = await Promise.all([a.encodeText("red"), b.encodeText("blue")]);
    a.dispose();
    const still = (await b.encodeText("red")).blocks.length;
    b.dispose();
    for (let round = 0; round < 20; round++) {
      const avse = await Avse.load("/export/model/", { device: "wasm" });
      await avse.encodeText("green");
      avse.dispose();
    }
    return [both.map(({ blocks }) => blocks[0] > blocks[2]), still];
  });
  assert.deepEqual(seen, [[true, false], 16]);
  await new Promise((done) => setTimeout(done, 200));
  assert.equal(page.workers().length, 0);
});

test("the script may come from another origin", async (context) => {
  const other = await it.serve(context, { cors: true });
  const csp = (worker) =>
    `default-src 'self'; script-src 'self' ${other.url} 'wasm-unsafe-eval'; connect-src 'self' ${other.url}; worker-src ${worker}; img-src 'self' blob:`;
  const run = async (policy) => {
    const server = await it.serve(context, { csp: policy });
    const page = await it.page(context, server.url);
    await page.evaluate(PRELUDE);
    return page.evaluate(async (origin) => {
      const { Avse } = await import(`${origin}avse-web/index.js`).catch(() => ({}));
      if (!Avse) return "the page may not import the script";
      const avse = await Avse.load(`${origin}export/`, { device: "wasm" }).catch((error) => error);
      if (avse instanceof Error) return { code: avse.code, message: avse.message };
      const gallery = await avse.openGallery(`${origin}export/pictures/`);
      return (await avse.searchText(gallery, "green")).hits[0].key;
    }, other.url);
  };
  assert.equal(await run(csp("blob:")), "green.png");
  // Without the permission it fails with words, not with silence.
  const refused = await run(csp("'self'"));
  assert.match(refused.message, /worker-src/);
  const forbidden = await run("default-src 'self'; worker-src blob:");
  assert.equal(forbidden, "the page may not import the script");
});

test("a policy without 'wasm-unsafe-eval' is named", async (context) => {
  const server = await it.serve(context, { csp: "default-src 'self'" });
  const page = await it.page(context, server.url);
  await page.evaluate(PRELUDE);
  const error = await page.evaluate(() => failure(load()));
  assert.deepEqual([error.code, /wasm-unsafe-eval/.test(error.message)], ["unsupported", true]);
});

test("WebGPU that is not there: auto says why, webgpu refuses", async (context) => {
  const { page } = await it.ready(context);
  const [info, refused] = await page.evaluate(async () => {
    const { info } = await load("/export/", { device: "auto" });
    return [info, await failure(load("/export/", { device: "webgpu" }))];
  });
  assert.equal(info.device, "cpu");
  assert.match(info.fallback, /WebGPU/);
  assert.equal(refused.code, "no-device");
});

test("the page is never kept busy for 50 ms", async (context) => {
  const { page } = await it.ready(context);
  const longest = await page.evaluate(async () => {
    await load();
    const canvas = new OffscreenCanvas(3000, 3000);
    canvas.getContext("2d").fillRect(0, 0, 3000, 3000);
    const picture = await canvas.convertToBlob({ type: "image/jpeg" });
    await new Promise((done) => setTimeout(done, 300));
    let longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
    }).observe({ type: "longtask", buffered: false });
    const one = await load("/export/", { cache: false });
    const gallery = await one.openGallery("/export/pictures/");
    await one.searchImage(gallery, picture);
    await new Promise((done) => setTimeout(done, 300));
    return longest;
  });
  assert.ok(longest < 50, `${longest} ms`);
});
