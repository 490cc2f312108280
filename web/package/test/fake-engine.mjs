// A stand-in for the engine's builds, for tests of what is around the engine: the same interface, embeddings that depend on
// the words or the mean colour alone, so that the right answer of every search is known.
//
// `fakeBuilds` writes it as a folder of builds; the file is served as their glue and so runs in the worker.

const [BLOCK, IMAGE_BLOCKS, CAPTION_BLOCKS] = [8, 4, 2];

/** Colours by name: a caption's embedding is that of the colours in it. */
const COLOURS = { red: [1, 0, 0], green: [0, 1, 0], blue: [0, 0, 1], white: [1, 1, 1], black: [0, 0, 0] };

function fail(code, message) {
  return Object.assign(new Error(message), { code });
}

function unit(values) {
  const norm = Math.hypot(...values) || 1;
  return values.map((value) => value / norm);
}

function blocksOf([r, g, b], count) {
  const block = unit([r + 0.05, g + 0.05, b + 0.05, 0.01, 0, 0, 0, 0]);
  return Float32Array.from({ length: count * BLOCK }, (_, at) => block[at % BLOCK]);
}

/** Whether this is the content with that hash; where the browser makes none, it passes. */
async function matches(bytes, sha256) {
  if (!crypto.subtle) return true;
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("") === sha256;
}

const parse = (bytes) => JSON.parse(new TextDecoder().decode(bytes));
const bytesOf = (value) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const wait = (time) => new Promise((done) => setTimeout(done, time));

export class Engine {
  #device;
  #config = {};
  #lost = false;
  #galleries = new Map();
  #last = 0;

  static async create(files, device) {
    const manifest = parse(files.manifest);
    const names = { config: "config.json", weights: "model.safetensors", tokenizer: "tokenizer.json" };
    for (const [part, name] of Object.entries(names)) {
      const wanted = manifest.files[name];
      if (files[part].length !== wanted.bytes || !(await matches(files[part], wanted.sha256))) {
        throw fail("format", `${name}: is not what the manifest says`);
      }
    }
    const engine = new Engine();
    engine.#device = device;
    engine.#config = parse(files.config);
    if (engine.#config.broken === "no-device" && device === "webgpu") throw fail("no-device", "the adapter gives no device");
    if (engine.#config.broken === "trap" && (engine.#config.on ?? device) === device) trap();
    return engine;
  }

  info() {
    return {
      device: this.#device, adapter: this.#device === "webgpu" ? "fake" : "", simd: true, fingerprint: "fake", precision: "f32",
      embedSize: CAPTION_BLOCKS * BLOCK, blockSize: BLOCK, imageBlocks: IMAGE_BLOCKS, captionBlocks: CAPTION_BLOCKS,
      imageSize: 16, views: 2, grid: { side: 4, classToken: true }, kept: 12, parameters: 1234, maxTokens: 16, vocabulary: 100,
      hasImageTower: this.#config.hasImageTower ?? true,
    };
  }

  async encodeText(text) {
    if (text === "trap") trap();
    // As when a future of the engine traps: the promise never settles and the browser reports an uncaught error.
    if (text === "late trap") return new Promise(() => setTimeout(trap));
    if (this.#config.slow === this.#device) await wait(30);
    if (text.startsWith("slow")) await wait(text.startsWith("slower") ? 1500 : 300);
    // A GPU that stopped and reports nothing.
    if (text === "stuck" && this.#device === "webgpu") return new Promise(() => {});
    if (this.#lost) throw fail("device-lost", "the GPU is gone: destroyed");
    const sum = [0, 0, 0];
    for (const word of text.toLowerCase().split(/\W+/)) COLOURS[word]?.forEach((part, at) => (sum[at] += part));
    const blocks = blocksOf(sum, CAPTION_BLOCKS);
    // As a driver that computes something else, or nothing that is a number.
    if (this.#device === "webgpu" && "wrong" in this.#config) blocks[5] += this.#config.wrong ?? NaN;
    return blocks;
  }

  wordPieces(text) {
    return ["[CLS]", ...text.toLowerCase().split(/\s+/).filter(Boolean), "[SEP]"];
  }

  imageSize(file) {
    const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    if (file.length > 24 && view.getUint32(0) === 0x89504e47) {
      return { width: view.getUint32(16), height: view.getUint32(20), format: "png" };
    }
    if (file.length > 4 && view.getUint16(0) === 0xffd8) {
      if (view.getUint16(file.length - 2) !== 0xffd9) throw fail("image", "the JPEG file is truncated (no end marker)");
      return { width: 8, height: 8, format: "jpeg" };
    }
    throw fail("image", "neither PNG, JPEG, WebP, GIF nor BMP");
  }

  expectImageTower() {}

  async encodeImage(width, height, rgba) {
    if (rgba.length !== 4 * width * height) throw fail("image", "wrong number of pixels");
    if (this.#lost) throw fail("device-lost", "the GPU is gone: destroyed");
    const sum = [0, 0, 0];
    for (let at = 0; at < rgba.length; at += 4) for (let c = 0; c < 3; c++) sum[c] += rgba[at + c] / 255;
    return blocksOf(sum.map((value) => value / (width * height)), IMAGE_BLOCKS);
  }

  viewPatches() {
    return Uint32Array.from({ length: 24 }, (_, at) => at % 16);
  }

  openGallery({ manifest, embeddings, items }) {
    const { kind } = parse(manifest);
    const lines = new TextDecoder().decode(items).split("\n").filter(Boolean).map((line) => JSON.parse(line));
    const size = (kind === "images" ? IMAGE_BLOCKS : CAPTION_BLOCKS) * BLOCK;
    const start = 8 + new DataView(embeddings.buffer, embeddings.byteOffset).getUint32(0, true);
    if (embeddings.length !== start + 4 * size * lines.length) throw fail("format", "embeddings.safetensors: wrong length");
    const all = new Float32Array(embeddings.slice(start).buffer);
    const rows = lines.map((item, at) => ({ item, blocks: all.slice(at * size, (at + 1) * size) }));
    this.#galleries.set(++this.#last, { kind, rows });
    return this.#last;
  }

  createGallery(kind) {
    this.#galleries.set(++this.#last, { kind, rows: [] });
    return this.#last;
  }

  #gallery(handle) {
    const gallery = this.#galleries.get(handle);
    if (!gallery) throw fail("internal", `no open gallery has the handle ${handle}`);
    return gallery;
  }

  galleryInfo(handle) {
    const { kind, rows } = this.#gallery(handle);
    const shape = { blocks: kind === "images" ? IMAGE_BLOCKS : CAPTION_BLOCKS, width: BLOCK };
    return { kind, items: rows.length, precision: "f32", exact: true, shape, fingerprint: "fake" };
  }

  add(handle, blocks, item, sha256) {
    this.#gallery(handle).rows.push({ blocks: blocks.slice(), item: { ...item, sha256 } });
  }

  removeRow(handle, row) {
    const { rows } = this.#gallery(handle);
    if (row >= rows.length) throw fail("shape", `no row ${row} of ${rows.length}`);
    rows.splice(row, 1);
  }

  async search(handle, asked, blocks, k) {
    if (this.#lost) throw fail("device-lost", "the GPU is gone: destroyed");
    const dot = (row) => row.slice(0, BLOCK).reduce((sum, value, at) => sum + value * blocks[at], 0) * CAPTION_BLOCKS;
    return this.#gallery(handle)
      .rows.map(({ blocks: row, item: { sha256, bytes, ...item } }, index) => ({ index, score: dot(row), ...item }))
      .sort((a, b) => b.score - a.score || a.index - b.index)
      .slice(0, k);
  }

  item(handle, row) {
    const { rows } = this.#gallery(handle);
    if (row >= rows.length) throw fail("shape", `no row ${row} of ${rows.length}`);
    return rows[row].item;
  }

  rowBlocks(handle, row) {
    return this.#gallery(handle).rows[row].blocks.slice();
  }

  explain(image, caption) {
    const dot = (i, j) => {
      let sum = 0;
      for (let at = 0; at < BLOCK; at++) sum += image[i * BLOCK + at] * caption[j * BLOCK + at];
      return sum;
    };
    const products = Array.from({ length: IMAGE_BLOCKS * CAPTION_BLOCKS }, (_, at) =>
      dot(Math.floor(at / CAPTION_BLOCKS), at % CAPTION_BLOCKS));
    return { products, chosen: [3, 0], score: products[0] + products[1] };
  }

  galleryFiles(handle) {
    const { kind, rows } = this.#gallery(handle);
    const blocks = kind === "images" ? IMAGE_BLOCKS : CAPTION_BLOCKS;
    const size = 4 * blocks * BLOCK;
    const tensor = { dtype: "F32", shape: [rows.length, blocks, BLOCK], data_offsets: [0, size * rows.length] };
    const header = bytesOf(JSON.stringify({ __metadata__: { generation: "1" }, blocks_f32: tensor }).padEnd(248));
    const embeddings = new Uint8Array(256 + size * rows.length);
    new DataView(embeddings.buffer).setUint32(0, 248, true);
    embeddings.set(header, 8);
    rows.forEach(({ blocks }, row) => embeddings.set(new Uint8Array(blocks.buffer), 256 + size * row));
    const items = rows.map(({ item }) => `${JSON.stringify(item)}\n`).join("");
    const manifest = { format: "avse-gallery", version: 1, kind, items: rows.length };
    return { manifest: bytesOf(manifest), embeddings, items: bytesOf(items) };
  }

  closeGallery(handle) {
    this.#galleries.delete(handle);
  }

  free() {}

  loseDevice() {
    if (this.#device === "webgpu") this.#lost = true;
  }
}

/** What a panic of the engine looks like from outside. */
function trap() {
  console.error("panicked at fake-engine.mjs:1:1:\nasked for");
  new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.of(
    0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 116, 0, 0, 10, 5, 1, 3, 0, 0, 11,
  ))).exports.t();
}

export default async function init() {
  return {};
}
