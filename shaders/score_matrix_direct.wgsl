// Scores of all pairs of many images and many captions, as score_matrix.wgsl, without workgroup memory: for adapters that run
// on a processor, where it is memory like any other, each copy costs twice and each barrier switches stacks.
//
// Bindings (group 0)
//   0  images    storage, read        embeddings, layout of score_matrix.wgsl
//   1  captions  storage, read        embeddings, the same
//   2  scores    storage, read_write  f32, row i begins at i * p.stride
//   3  p         uniform              Params, 32 bytes
// Dispatch: x = ceil(captions / (TX * COLUMNS / CAPTION_BLOCKS)), y = ceil(images / (ROWS / IMAGE_BLOCKS)), z = 1.
//
// How it works: an invocation multiplies ROWS image blocks by COLUMNS caption blocks and reads them where they lie; all
// invocations of a workgroup take the same images. Registers do not hold the tile, the nearest cache does: a read of such an
// adapter costs as much as several multiply-adds, so a tile is as large as that cache allows. Turns as in score_matrix.wgsl.
//
// Cost of N images x M captions of I and C blocks of width W
//   FLOPs  2 N M I C W
//   bytes  4 W N I C M (1 / COLUMNS + 1 / ROWS) read by invocations, 4 N M written
// Rounding: as in score_matrix.wgsl.
//
// Limits: no workgroup memory, 3 storage buffers: WebGPU's defaults. A binding holds 128 MiB: more items are taken shard by shard.

// Set by the host; every one is part of the pipeline's key.
const TX: u32 = 8u; // a processor's lanes
const ROWS: u32 = 16u; // image blocks of an invocation
const COLUMNS: u32 = 16u; // caption blocks of an invocation, a multiple of 4
const IMAGE_BLOCKS: u32 = 8u; // of these, blocks of one image; divides ROWS
const CAPTION_BLOCKS: u32 = 4u; // of these, blocks of one caption; divides COLUMNS
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

const IMAGES = ROWS / IMAGE_BLOCKS; // of an invocation
const CAPTIONS = COLUMNS / CAPTION_BLOCKS;
const VECTORS = COLUMNS / 4u;
const LOWEST = -3.4028234e38;

// Where vector 0 of a block of an image stands; missing ones are the last again.
fn image_at(image: u32, block: u32) -> u32 {
    let item = min(image, p.images - 1u);
    let vectors = (item / IMAGE_LANES) * p.image_blocks + min(block, p.image_blocks - 1u);
    return vectors * p.width4 * IMAGE_LANES + item % IMAGE_LANES;
}

fn caption_at(caption: u32, block: u32) -> u32 {
    let item = min(caption, p.captions - 1u);
    let vectors = (item / CAPTION_LANES) * p.caption_blocks + min(block, p.caption_blocks - 1u);
    return vectors * p.width4 * CAPTION_LANES + item % CAPTION_LANES;
}

@compute @workgroup_size(TX)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first_image = p.first_image + group.y * IMAGES;
    let first_caption = group.x * TX * CAPTIONS;

    var totals: array<f32, IMAGES * CAPTIONS>;
    for (var caption_block = 0u; caption_block < p.caption_blocks; caption_block += CAPTION_BLOCKS) {
        var columns_at: array<u32, COLUMNS>;
        for (var column = 0u; column < COLUMNS; column++) { // unrolled
            columns_at[column] = caption_at(first_caption + (column / CAPTION_BLOCKS) * TX + lane, caption_block + column % CAPTION_BLOCKS);
        }
        var best: array<vec4f, IMAGES * VECTORS>;
        for (var at = 0u; at < IMAGES * VECTORS; at++) { // unrolled
            best[at] = vec4f(LOWEST);
        }
        for (var image_block = 0u; image_block < p.image_blocks; image_block += IMAGE_BLOCKS) {
            var rows_at: array<u32, ROWS>;
            for (var row = 0u; row < ROWS; row++) { // unrolled
                rows_at[row] = image_at(first_image + row / IMAGE_BLOCKS, image_block + row % IMAGE_BLOCKS);
            }
            var products: array<vec4f, ROWS * VECTORS>;
            for (var at = 0u; at < ROWS * VECTORS; at++) { // unrolled
                products[at] = vec4f(0.0);
            }
            for (var k = 0u; k < p.width4; k++) {
                // Four caption blocks side by side in a vector: the transposition costs no instruction.
                var x: array<vec4f, VECTORS>;
                var y: array<vec4f, VECTORS>;
                var z: array<vec4f, VECTORS>;
                var w: array<vec4f, VECTORS>;
                for (var v = 0u; v < VECTORS; v++) { // unrolled
                    let c0 = widen(captions[columns_at[v * 4u] + k * CAPTION_LANES]);
                    let c1 = widen(captions[columns_at[v * 4u + 1u] + k * CAPTION_LANES]);
                    let c2 = widen(captions[columns_at[v * 4u + 2u] + k * CAPTION_LANES]);
                    let c3 = widen(captions[columns_at[v * 4u + 3u] + k * CAPTION_LANES]);
                    x[v] = vec4f(c0.x, c1.x, c2.x, c3.x);
                    y[v] = vec4f(c0.y, c1.y, c2.y, c3.y);
                    z[v] = vec4f(c0.z, c1.z, c2.z, c3.z);
                    w[v] = vec4f(c0.w, c1.w, c2.w, c3.w);
                }
                for (var row = 0u; row < ROWS; row++) { // unrolled
                    let a = widen(images[rows_at[row] + k * IMAGE_LANES]);
                    for (var v = 0u; v < VECTORS; v++) { // unrolled
                        let at = row * VECTORS + v;
                        products[at] = fma(vec4f(a.x), x[v], products[at]);
                        products[at] = fma(vec4f(a.y), y[v], products[at]);
                        products[at] = fma(vec4f(a.z), z[v], products[at]);
                        products[at] = fma(vec4f(a.w), w[v], products[at]);
                    }
                }
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
                // A missing block counts nothing.
                let exists = caption_block + column % CAPTION_BLOCKS < p.caption_blocks;
                let part = best[image * VECTORS + column / 4u][column % 4u];
                totals[image * CAPTIONS + column / CAPTION_BLOCKS] += select(0.0, part, exists);
            }
        }
    }

    for (var image = 0u; image < IMAGES; image++) { // unrolled
        for (var caption = 0u; caption < CAPTIONS; caption++) { // unrolled
            let i = first_image + image;
            let j = first_caption + caption * TX + lane;
            if i < p.images && j < p.captions {
                scores[(i - p.first_image) * p.stride + j] = totals[image * CAPTIONS + caption];
            }
        }
    }
}
