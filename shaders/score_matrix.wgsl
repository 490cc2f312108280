// Scores of all pairs of many images and many captions:
//   scores[i, j] = sum over blocks c of caption j of the max over blocks b of image i of dot(image[i, b], caption[j, c]).
// The block products of a pair live in registers and are never written anywhere.
//
// Bindings (group 0)
//   0  images    storage, read        embeddings, layout below
//   1  captions  storage, read        embeddings, layout below
//   2  scores    storage, read_write  f32, row i begins at i * p.stride
//   3  p         uniform              Params, 32 bytes
// Dispatch: x = ceil(captions / (TX * COLUMNS / CAPTION_BLOCKS)), y = ceil(images / (TY * ROWS / IMAGE_BLOCKS)), z = 1.
//
// Layout of embeddings, in vectors of 4 numbers: item n, block b, vector k stands at
//   ((n / L) * blocks * width4 + b * width4 + k) * L + n % L,
// where L is IMAGE_LANES or CAPTION_LANES. L = 1 is the plain row-major form; L = 64 is what the search reads.
//
// How it works: a GEMM with a max. A workgroup of TX x TY invocations takes TY * ROWS image blocks against
// TX * COLUMNS caption blocks. DEPTH vectors of each go to workgroup memory, and every invocation multiplies its ROWS x COLUMNS
// register tile from there. With 8 x 4 blocks and the constants below an invocation holds one image against two
// captions. More blocks than a register tile holds are taken in turns: the max of a caption block runs over the
// turns of image blocks, then the sums run over the turns of caption blocks.
// Missing image blocks of the last turn repeat the last block (a max does not notice), missing caption blocks are zero.
//
// Cost of N images x M captions of I and C blocks of width W
//   FLOPs  2 N M I C W
//   bytes  4 W N I C M (1 / (TX * COLUMNS) + 1 / (TY * ROWS)) read by workgroups (caches hold much of it: 64 FLOPs a
//          byte with the constants below in f32), 4 N M written
// Rounding: a score differs from the exact one by at most (W + C) 2^-24 times the sum over c of the max over b of
// |image[i, b]| |caption[j, c]|; f16 blocks are widened without loss and multiplied in f32.
//
// Limits: workgroup memory 16 DEPTH (TX * COLUMNS + TY * ROWS) = 16,384 bytes, 256 invocations, 3 storage buffers:
// WebGPU's defaults. A binding holds 128 MiB: more items are taken shard by shard.

// Set by the host; every one is part of the pipeline's key.
const TX: u32 = 16u;
const TY: u32 = 16u;
const ROWS: u32 = 8u; // image blocks of an invocation
const COLUMNS: u32 = 8u; // caption blocks of an invocation, a multiple of 4
const IMAGE_BLOCKS: u32 = 8u; // of these, blocks of one image; divides ROWS
const CAPTION_BLOCKS: u32 = 4u; // of these, blocks of one caption; divides COLUMNS
const DEPTH: u32 = 4u; // vectors of 4 numbers in workgroup memory
const IMAGE_LANES: u32 = 1u;
const CAPTION_LANES: u32 = 1u;

// [storage format: f32. The host may put f16 here.]
alias Stored = vec4f;
fn widen(stored: Stored) -> vec4f {
    return stored;
}
// [end of storage format]

struct Params {
    images: u32,
    captions: u32,
    image_blocks: u32,
    caption_blocks: u32,
    width4: u32, // vectors of a block
    stride: u32, // numbers between rows of scores
    first_image: u32, // images before this one are left out
    unused: u32,
}

@group(0) @binding(0) var<storage, read> images: array<Stored>;
@group(0) @binding(1) var<storage, read> captions: array<Stored>;
@group(0) @binding(2) var<storage, read_write> scores: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

const ALL_ROWS = TY * ROWS;
const ALL_COLUMNS = TX * COLUMNS;
const THREADS = TX * TY;
const IMAGES = ROWS / IMAGE_BLOCKS; // of an invocation
const CAPTIONS = COLUMNS / CAPTION_BLOCKS;
const VECTORS = COLUMNS / 4u;
const LOWEST = -3.4028234e38;

// Row r of invocation y: slot k * ALL_ROWS + r * TY + y; columns likewise. Neighbours read neighbours.
var<workgroup> image_tile: array<vec4f, ALL_ROWS * DEPTH>;
var<workgroup> caption_tile: array<vec4f, ALL_COLUMNS * DEPTH>;

fn load_image(slot: u32, k: u32, first_image: u32, first_block: u32) -> vec4f {
    let row = slot / TY;
    let item = min(first_image + (row / IMAGE_BLOCKS) * TY + slot % TY, p.images - 1u);
    let block = min(first_block + row % IMAGE_BLOCKS, p.image_blocks - 1u);
    if k >= p.width4 {
        return vec4f(0.0);
    }
    let vectors = p.image_blocks * p.width4;
    return widen(images[((item / IMAGE_LANES) * vectors + block * p.width4 + k) * IMAGE_LANES + item % IMAGE_LANES]);
}

fn load_caption(slot: u32, k: u32, first_caption: u32, first_block: u32) -> vec4f {
    let column = slot / TX;
    let item = min(first_caption + (column / CAPTION_BLOCKS) * TX + slot % TX, p.captions - 1u);
    let block = first_block + column % CAPTION_BLOCKS;
    if k >= p.width4 || block >= p.caption_blocks {
        return vec4f(0.0);
    }
    let vectors = p.caption_blocks * p.width4;
    return widen(captions[((item / CAPTION_LANES) * vectors + block * p.width4 + k) * CAPTION_LANES + item % CAPTION_LANES]);
}

@compute @workgroup_size(TX, TY)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_id) local: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let first_image = p.first_image + group.y * TY * IMAGES;
    let first_caption = group.x * TX * CAPTIONS;

    var totals: array<f32, IMAGES * CAPTIONS>;
    for (var caption_block = 0u; caption_block < p.caption_blocks; caption_block += CAPTION_BLOCKS) {
        var best: array<vec4f, IMAGES * VECTORS>;
        for (var at = 0u; at < IMAGES * VECTORS; at++) { // unrolled
            best[at] = vec4f(LOWEST);
        }
        for (var image_block = 0u; image_block < p.image_blocks; image_block += IMAGE_BLOCKS) {
            var products: array<vec4f, ROWS * VECTORS>;
            for (var at = 0u; at < ROWS * VECTORS; at++) { // unrolled
                products[at] = vec4f(0.0);
            }
            for (var first = 0u; first < p.width4; first += DEPTH) {
                // Neighbouring invocations read neighbouring addresses: along the vectors of a row in the plain
                // form, along the items otherwise.
                for (var at = thread; at < ALL_ROWS * DEPTH; at += THREADS) {
                    let slot = select(at % ALL_ROWS, at / DEPTH, IMAGE_LANES == 1u);
                    let k = select(at / ALL_ROWS, at % DEPTH, IMAGE_LANES == 1u);
                    image_tile[k * ALL_ROWS + slot] = load_image(slot, first + k, first_image, image_block);
                }
                for (var at = thread; at < ALL_COLUMNS * DEPTH; at += THREADS) {
                    let slot = select(at % ALL_COLUMNS, at / DEPTH, CAPTION_LANES == 1u);
                    let k = select(at / ALL_COLUMNS, at % DEPTH, CAPTION_LANES == 1u);
                    caption_tile[k * ALL_COLUMNS + slot] = load_caption(slot, first + k, first_caption, caption_block);
                }
                workgroupBarrier();
                for (var k = 0u; k < DEPTH; k++) {
                    // Four caption blocks side by side in a vector: the transposition costs no instruction.
                    var x: array<vec4f, VECTORS>;
                    var y: array<vec4f, VECTORS>;
                    var z: array<vec4f, VECTORS>;
                    var w: array<vec4f, VECTORS>;
                    for (var v = 0u; v < VECTORS; v++) { // unrolled
                        let at = k * ALL_COLUMNS + v * 4u * TX + local.x;
                        let c0 = caption_tile[at];
                        let c1 = caption_tile[at + TX];
                        let c2 = caption_tile[at + 2u * TX];
                        let c3 = caption_tile[at + 3u * TX];
                        x[v] = vec4f(c0.x, c1.x, c2.x, c3.x);
                        y[v] = vec4f(c0.y, c1.y, c2.y, c3.y);
                        z[v] = vec4f(c0.z, c1.z, c2.z, c3.z);
                        w[v] = vec4f(c0.w, c1.w, c2.w, c3.w);
                    }
                    for (var row = 0u; row < ROWS; row++) { // unrolled
                        let a = image_tile[k * ALL_ROWS + row * TY + local.y];
                        for (var v = 0u; v < VECTORS; v++) { // unrolled
                            let at = row * VECTORS + v;
                            products[at] = fma(vec4f(a.x), x[v], products[at]);
                            products[at] = fma(vec4f(a.y), y[v], products[at]);
                            products[at] = fma(vec4f(a.z), z[v], products[at]);
                            products[at] = fma(vec4f(a.w), w[v], products[at]);
                        }
                    }
                }
                workgroupBarrier();
            }
            for (var row = 0u; row < ROWS; row++) { // unrolled
                for (var v = 0u; v < VECTORS; v++) { // unrolled
                    let at = (row / IMAGE_BLOCKS) * VECTORS + v;
                    best[at] = max(best[at], products[row * VECTORS + v]);
                }
            }
        }
        for (var image = 0u; image < IMAGES; image++) { // unrolled
            for (var column = 0u; column < COLUMNS; column++) { // unrolled
                totals[image * CAPTIONS + column / CAPTION_BLOCKS] += best[image * VECTORS + column / 4u][column % 4u];
            }
        }
    }

    for (var image = 0u; image < IMAGES; image++) { // unrolled
        for (var caption = 0u; caption < CAPTIONS; caption++) { // unrolled
            let i = first_image + image * TY + local.y;
            let j = first_caption + caption * TX + local.x;
            if i < p.images && j < p.captions {
                scores[(i - p.first_image) * p.stride + j] = totals[image * CAPTIONS + caption];
            }
        }
    }
}
