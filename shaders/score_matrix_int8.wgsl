// Approximate scores of all pairs of many images and many captions, from blocks in 8 bits:
//   scores[i, j] = sum over blocks c of caption j of the max over blocks b of image i of the product of their stored forms.
// An exact score differs from it by at most residual(i) norm(j) + bound(i) residual(j) and rounding, where residual and norms are
// folded over an item's blocks (the greatest of an image, the sum of a caption): the host scores pairs exactly
// where that decides (proof: core/src/similarity/quantised.rs).
//
// Bindings (group 0)
//   0  images         storage, read        vec4u: 16 numbers of 8 bits, layout below
//   1  image_fits     storage, read        vec2f(scale, residual) of block b of item n at ((n / L) * blocks + b) * L + n % L
//   2  captions       storage, read        as images
//   3  caption_fits   storage, read        as image_fits
//   4  scores         storage, read_write  f32, row i begins at i * p.stride
//   5  p              uniform              Params, 32 bytes
// Dispatch: x = ceil(captions / (TX * COLUMNS / CAPTION_BLOCKS)), y = ceil(images / (TY * ROWS / IMAGE_BLOCKS)), z = 1.
//
// Layout of blocks, in vectors of 16 numbers: item n, block b, vector k stands at
//   ((n / L) * blocks * width16 + b * width16 + k) * L + n % L,
// where L is IMAGE_LANES or CAPTION_LANES; L = 1 is the plain row-major form. Widths are filled up with zeros.
//
// How it works: as score_matrix.wgsl, with integer products and a scale for each block at the end.
//
// Cost of N images x M captions of I and C blocks of width W
//   integer operations  2 N M I C W, in dot products of 4 where the device has them
//   bytes               a quarter of score_matrix.wgsl's in f32, 4 N M written
// Rounding: integers are exact while W < 2^31 / 127^2; a score then has the rounding of C + 3 operations.
//
// Limits: workgroup memory 16 DEPTH (TX * COLUMNS + TY * ROWS) = 16,384 bytes, 256 invocations, 5 storage buffers:
// WebGPU's defaults. A binding holds 128 MiB: more items are taken shard by shard.

// Set by the host; every one is part of the pipeline's key.
const TX: u32 = 16u;
const TY: u32 = 16u;
const ROWS: u32 = 8u; // image blocks of an invocation
const COLUMNS: u32 = 8u; // caption blocks of an invocation, a multiple of 4
const IMAGE_BLOCKS: u32 = 8u; // of these, blocks of one image; divides ROWS
const CAPTION_BLOCKS: u32 = 4u; // of these, blocks of one caption; divides COLUMNS
const DEPTH: u32 = 4u; // vectors of 16 numbers in workgroup memory
const IMAGE_LANES: u32 = 1u;
const CAPTION_LANES: u32 = 1u;

// [dot product: built in. The host may put a portable form here.]
fn dot4(a: u32, b: u32) -> i32 {
    return dot4I8Packed(a, b);
}
// [end of dot product]

struct Params {
    images: u32,
    captions: u32,
    image_blocks: u32,
    caption_blocks: u32,
    width16: u32, // vectors of a block
    stride: u32, // numbers between rows of scores
    first_image: u32, // images before this one are left out
    unused: u32,
}

@group(0) @binding(0) var<storage, read> images: array<vec4u>;
@group(0) @binding(1) var<storage, read> image_fits: array<vec2f>;
@group(0) @binding(2) var<storage, read> captions: array<vec4u>;
@group(0) @binding(3) var<storage, read> caption_fits: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> scores: array<f32>;
@group(0) @binding(5) var<uniform> p: Params;

const ALL_ROWS = TY * ROWS;
const ALL_COLUMNS = TX * COLUMNS;
const THREADS = TX * TY;
const IMAGES = ROWS / IMAGE_BLOCKS; // of an invocation
const CAPTIONS = COLUMNS / CAPTION_BLOCKS;
const VECTORS = COLUMNS / 4u;
const LOWEST = -3.4028234e38;

// Row r of invocation y: slot k * ALL_ROWS + r * TY + y; columns likewise. Neighbours read neighbours.
var<workgroup> image_tile: array<vec4u, ALL_ROWS * DEPTH>;
var<workgroup> caption_tile: array<vec4u, ALL_COLUMNS * DEPTH>;

fn load_image(slot: u32, k: u32, first_image: u32, first_block: u32) -> vec4u {
    let row = slot / TY;
    let item = min(first_image + (row / IMAGE_BLOCKS) * TY + slot % TY, p.images - 1u);
    let block = min(first_block + row % IMAGE_BLOCKS, p.image_blocks - 1u);
    if k >= p.width16 {
        return vec4u(0u);
    }
    let vectors = p.image_blocks * p.width16;
    return images[((item / IMAGE_LANES) * vectors + block * p.width16 + k) * IMAGE_LANES + item % IMAGE_LANES];
}

fn load_caption(slot: u32, k: u32, first_caption: u32, first_block: u32) -> vec4u {
    let column = slot / TX;
    let item = min(first_caption + (column / CAPTION_BLOCKS) * TX + slot % TX, p.captions - 1u);
    let block = first_block + column % CAPTION_BLOCKS;
    if k >= p.width16 || block >= p.caption_blocks {
        return vec4u(0u);
    }
    let vectors = p.caption_blocks * p.width16;
    return captions[((item / CAPTION_LANES) * vectors + block * p.width16 + k) * CAPTION_LANES + item % CAPTION_LANES];
}

fn image_scale(image: u32, block: u32) -> f32 {
    let item = min(image, p.images - 1u);
    let b = min(block, p.image_blocks - 1u);
    return image_fits[((item / IMAGE_LANES) * p.image_blocks + b) * IMAGE_LANES + item % IMAGE_LANES].x;
}

// Products with a missing block are zero, whatever its scale.
fn caption_scale(caption: u32, block: u32) -> f32 {
    let item = min(caption, p.captions - 1u);
    let b = min(block, p.caption_blocks - 1u);
    return caption_fits[((item / CAPTION_LANES) * p.caption_blocks + b) * CAPTION_LANES + item % CAPTION_LANES].x;
}

fn dot16(a: vec4u, b: vec4u) -> i32 {
    return dot4(a.x, b.x) + dot4(a.y, b.y) + dot4(a.z, b.z) + dot4(a.w, b.w);
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
            var products: array<vec4i, ROWS * VECTORS>;
            for (var at = 0u; at < ROWS * VECTORS; at++) { // unrolled
                products[at] = vec4i(0);
            }
            for (var first = 0u; first < p.width16; first += DEPTH) {
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
                    var columns: array<vec4u, COLUMNS>;
                    for (var column = 0u; column < COLUMNS; column++) { // unrolled
                        columns[column] = caption_tile[k * ALL_COLUMNS + column * TX + local.x];
                    }
                    for (var row = 0u; row < ROWS; row++) { // unrolled
                        let a = image_tile[k * ALL_ROWS + row * TY + local.y];
                        for (var v = 0u; v < VECTORS; v++) { // unrolled
                            products[row * VECTORS + v] += vec4i(
                                dot16(a, columns[v * 4u]),
                                dot16(a, columns[v * 4u + 1u]),
                                dot16(a, columns[v * 4u + 2u]),
                                dot16(a, columns[v * 4u + 3u]),
                            );
                        }
                    }
                }
                workgroupBarrier();
            }
            for (var row = 0u; row < ROWS; row++) { // unrolled
                let scale = image_scale(first_image + (row / IMAGE_BLOCKS) * TY + local.y, image_block + row % IMAGE_BLOCKS);
                for (var v = 0u; v < VECTORS; v++) { // unrolled
                    let at = (row / IMAGE_BLOCKS) * VECTORS + v;
                    best[at] = max(best[at], scale * vec4f(products[row * VECTORS + v]));
                }
            }
        }
        for (var image = 0u; image < IMAGES; image++) { // unrolled
            for (var column = 0u; column < COLUMNS; column++) { // unrolled
                let scale = caption_scale(first_caption + (column / CAPTION_BLOCKS) * TX + local.x, caption_block + column % CAPTION_BLOCKS);
                totals[image * CAPTIONS + column / CAPTION_BLOCKS] += scale * best[image * VECTORS + column / 4u][column % 4u];
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
