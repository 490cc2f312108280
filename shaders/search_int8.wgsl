// Candidates for the best items of an int8 gallery: the first pass of an exact search, in one pass over the gallery.
// Each item gets an approximate score and a bound of its error; each workgroup writes out the `kept` items of the
// greatest upper bounds. The host takes the k-th greatest lower bound and scores exactly every item whose upper
// bound reaches it; a workgroup all of whose written items reach it is asked again for more.
//
// Bindings (group 0)
//   0  gallery  storage, read        vec4u: 16 numbers of 8 bits, lanes side by side (below); or texture_2d of these vectors
//   1  fits     storage, read        vec2f(scale, residual) of block b of item n at ((n / LANES) * blocks + b) * LANES + n % LANES
//   2  queries  uniform              vec4u: 16 numbers of 8 bits, two planes a block (below)
//   3  scales   storage, read        vec4f: what query blocks are multiplied by, p.chunks * VECTORS of them
//   4  found    storage, read_write  vec4u(index, bits of the f32 upper bound, bits of the lower bound, 0), greatest upper
//                                    bound first; index 0xffffffff where a workgroup has fewer items.
//                                    Workgroup g, place r stand at p.found + g * p.kept + r.
//   5  p        uniform              Params, 64 bytes
// Dispatch: x = p.groups = ceil(items / (LANES * ITEMS * p.turns)), y = z = 1.
//
// Layouts
//   gallery: 16 numbers k of block b of item n stand at ((n / LANES) * blocks * width16 + b * width16 + k) * LANES + n % LANES;
//            widths are filled up with zeros. A block is scale * integers + rest, |rest| <= residual.
//   queries: a query block is scale * (128 high + low), both planes in 8 bits, so that it is 128 times finer than the gallery.
//            Numbers k of column c of chunk t: the high plane at ((t * width16 + k) * COLUMNS + c) * 2, the low plane after it.
//            Missing columns of a chunk are zero for captions, a copy of another block of the query for images.
//
// The bound, in real numbers, for a gallery block u = s q + rest and a query block t (proof: core/src/similarity/quantised.rs):
//   |<u, t> - s <q, t'>| <= residual |t| + |s q| |t - t'|,   |s q| <= 128 sqrt(W) s
// summed over caption blocks, the greatest over image blocks. The host folds the query's part and all rounding into
// p.residual_factor, p.norm_factor and p.tiny.
//
// Cost of a pass over N items of B blocks of width W, for a query of C blocks
//   bytes  N B W + 8 N B
//   integer operations  4 N B W C, in dot products of 4 where the device has them
//
// Limits: workgroup memory 8 LANES (ITEMS * TURNS + 1) + 64 bytes, LANES invocations, 4 storage buffers: within WebGPU's
// defaults. A binding holds 128 MiB: larger galleries are taken shard by shard, p.first says where.

// Set by the host; every one is part of the pipeline's key.
const LANES: u32 = 64u; // a power of two, at least 8
const ITEMS: u32 = 1u; // items an invocation takes at once
const BLOCKS: u32 = 8u; // gallery blocks it takes at once
const COLUMNS: u32 = 4u; // query blocks it takes at once, a multiple of 4
const IMAGES: u32 = 1u; // 1: the gallery holds images, the query is a caption; 0: the other way
const TURNS: u32 = 8u; // the largest p.turns
const QUERY_SIZE: u32 = 128u; // vectors of queries, p.chunks * p.width16 * COLUMNS * 2

// [dot product: built in. The host may put a portable form here.]
fn dot4(a: u32, b: u32) -> i32 {
    return dot4I8Packed(a, b);
}
// [end of dot product]

struct Params {
    items: u32, // of the binding
    blocks: u32, // of an item
    width16: u32, // vectors of a block
    chunks: u32, // of the query
    turns: u32, // of a workgroup
    kept: u32, // at most LANES * ITEMS * turns
    groups: u32,
    found: u32, // where `found` begins for this binding
    first: u32, // index of the binding's first item
    norm_of_scale: f32, // 128 sqrt(W)
    residual_factor: f32,
    norm_factor: f32,
    tiny: f32,
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

// [gallery memory: a buffer. The host puts a texture here where texels are read faster.]
@group(0) @binding(0) var<storage, read> gallery: array<vec4u>;
fn load(at: u32) -> vec4u {
    return gallery[at];
}
// [end of gallery memory]
@group(0) @binding(1) var<storage, read> fits: array<vec2f>;
// [query memory: uniform. The host puts a storage buffer here where queries exceed 64 KiB.]
@group(0) @binding(2) var<uniform> queries: array<vec4u, QUERY_SIZE>;
// [end of query memory]
@group(0) @binding(3) var<storage, read> scales: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> found: array<vec4u>;
@group(0) @binding(5) var<uniform> p: Params;

const VECTORS = COLUMNS / 4u;
const ROWS = ITEMS * BLOCKS;
const SLOTS = LANES * ITEMS * TURNS;
const LOWEST = -3.4028234e38; // below every score
const NOTHING = 0xffffffffu;

// One slot an item of the workgroup, in the order of items.
var<workgroup> upper: array<f32, SLOTS>;
var<workgroup> lower: array<f32, SLOTS>;
var<workgroup> lane_upper: array<f32, LANES>;
var<workgroup> lane_slot: array<u32, LANES>;
var<workgroup> part_upper: array<f32, 8>;
var<workgroup> part_slot: array<u32, 8>;

fn dot16(a: vec4u, b: vec4u) -> i32 {
    return dot4(a.x, b.x) + dot4(a.y, b.y) + dot4(a.z, b.z) + dot4(a.w, b.w);
}

// Block b of the invocation's item in `tile`; a missing one is the last again.
fn block_at(tile: u32, b: u32) -> u32 {
    return tile * p.blocks + min(b, p.blocks - 1u);
}

// Approximate products of the blocks `block..block + BLOCKS` of the invocation's items with chunk `chunk` of the query.
fn multiply(tile: u32, lane: u32, block: u32, chunk: u32) -> array<vec4f, ROWS * VECTORS> {
    var high: array<vec4i, ROWS * VECTORS>;
    var low: array<vec4i, ROWS * VECTORS>;
    var at: array<u32, ROWS>;
    for (var row = 0u; row < ROWS; row++) { // unrolled
        at[row] = block_at(tile + row / BLOCKS, block + row % BLOCKS) * p.width16 * LANES + lane;
    }
    for (var k = 0u; k < p.width16; k++) {
        var a: array<vec4u, ROWS>;
        for (var row = 0u; row < ROWS; row++) { // unrolled
            a[row] = load(at[row] + k * LANES);
        }
        for (var v = 0u; v < VECTORS; v++) { // unrolled
            let column = ((chunk * p.width16 + k) * COLUMNS + v * 4u) * 2u;
            let h0 = queries[column];
            let l0 = queries[column + 1u];
            let h1 = queries[column + 2u];
            let l1 = queries[column + 3u];
            let h2 = queries[column + 4u];
            let l2 = queries[column + 5u];
            let h3 = queries[column + 6u];
            let l3 = queries[column + 7u];
            for (var row = 0u; row < ROWS; row++) { // unrolled
                high[row * VECTORS + v] += vec4i(dot16(a[row], h0), dot16(a[row], h1), dot16(a[row], h2), dot16(a[row], h3));
                low[row * VECTORS + v] += vec4i(dot16(a[row], l0), dot16(a[row], l1), dot16(a[row], l2), dot16(a[row], l3));
            }
        }
    }
    var products: array<vec4f, ROWS * VECTORS>;
    for (var row = 0u; row < ROWS; row++) { // unrolled
        let scale = fits[block_at(tile + row / BLOCKS, block + row % BLOCKS) * LANES + lane].x;
        for (var v = 0u; v < VECTORS; v++) { // unrolled
            let integer = 128.0 * vec4f(high[row * VECTORS + v]) + vec4f(low[row * VECTORS + v]);
            products[row * VECTORS + v] = integer * scale * scales[chunk * VECTORS + v];
        }
    }
    return products;
}

// Images in the gallery: for each query block the best of an item's blocks, summed over the query's blocks.
fn score_images(tile: u32, lane: u32) -> array<f32, ITEMS> {
    var totals: array<f32, ITEMS>;
    for (var chunk = 0u; chunk < p.chunks; chunk++) {
        var best: array<vec4f, ITEMS * VECTORS>;
        for (var at = 0u; at < ITEMS * VECTORS; at++) { // unrolled
            best[at] = vec4f(LOWEST);
        }
        for (var block = 0u; block < p.blocks; block += BLOCKS) {
            let products = multiply(tile, lane, block, chunk);
            for (var row = 0u; row < ROWS; row++) { // unrolled
                for (var v = 0u; v < VECTORS; v++) { // unrolled
                    let at = (row / BLOCKS) * VECTORS + v;
                    best[at] = max(best[at], products[row * VECTORS + v]);
                }
            }
        }
        for (var at = 0u; at < ITEMS * VECTORS; at++) { // unrolled
            totals[at / VECTORS] += best[at].x + best[at].y + best[at].z + best[at].w;
        }
    }
    return totals;
}

// Captions in the gallery: for each block of an item the best query block, summed over the item's blocks.
fn score_captions(tile: u32, lane: u32) -> array<f32, ITEMS> {
    var totals: array<f32, ITEMS>;
    for (var block = 0u; block < p.blocks; block += BLOCKS) {
        var best: array<f32, ROWS>;
        for (var row = 0u; row < ROWS; row++) { // unrolled
            best[row] = LOWEST;
        }
        for (var chunk = 0u; chunk < p.chunks; chunk++) {
            let products = multiply(tile, lane, block, chunk);
            for (var at = 0u; at < ROWS * VECTORS; at++) { // unrolled
                let product = products[at];
                best[at / VECTORS] = max(best[at / VECTORS], max(max(product.x, product.y), max(product.z, product.w)));
            }
        }
        for (var row = 0u; row < ROWS; row++) { // unrolled
            if block + row % BLOCKS < p.blocks {
                totals[row / BLOCKS] += best[row];
            }
        }
    }
    return totals;
}

// At least the distance between an item's approximate and exact score.
fn error_of(tile: u32, lane: u32) -> f32 {
    var folded = vec2f(0.0); // the scales and residuals of all blocks
    for (var block = 0u; block < p.blocks; block++) {
        let fit = fits[block_at(tile, block) * LANES + lane];
        folded = select(folded + fit, max(folded, fit), IMAGES == 1u);
    }
    return folded.y * p.residual_factor + folded.x * p.norm_of_scale * p.norm_factor + p.tiny;
}

// The slot of this lane with the greatest upper bound.
fn best_of_lane(lane: u32, slots: u32) -> u32 {
    var best = lane;
    for (var slot = lane + LANES; slot < slots; slot += LANES) {
        if upper[slot] > upper[best] {
            best = slot;
        }
    }
    return best;
}

// Writes the `kept` items of the greatest upper bounds: so many rounds of taking the greatest out.
fn select_best(lane: u32, group: u32) {
    let slots = LANES * ITEMS * p.turns;
    var mine = best_of_lane(lane, slots);
    for (var round = 0u; round < p.kept; round++) {
        lane_upper[lane] = upper[mine];
        lane_slot[lane] = mine;
        workgroupBarrier();
        if lane < 8u {
            var most = lane_upper[lane];
            var slot = lane_slot[lane];
            for (var other = lane + 8u; other < LANES; other += 8u) {
                if lane_upper[other] > most {
                    most = lane_upper[other];
                    slot = lane_slot[other];
                }
            }
            part_upper[lane] = most;
            part_slot[lane] = slot;
        }
        workgroupBarrier();
        var most = part_upper[0];
        var slot = part_slot[0];
        for (var other = 1u; other < 8u; other++) { // unrolled
            if part_upper[other] > most {
                most = part_upper[other];
                slot = part_slot[other];
            }
        }
        if slot == mine {
            let index = select(p.first + group * slots + slot, NOTHING, most == LOWEST);
            found[p.found + group * p.kept + round] = vec4u(index, bitcast<u32>(most), bitcast<u32>(lower[slot]), 0u);
            upper[slot] = LOWEST;
            mine = best_of_lane(lane, slots);
        }
    }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    for (var turn = 0u; turn < p.turns; turn++) {
        let tile = (group.x * p.turns + turn) * ITEMS;
        var totals: array<f32, ITEMS>;
        if tile * LANES < p.items {
            if IMAGES == 1u {
                totals = score_images(tile, lane);
            } else {
                totals = score_captions(tile, lane);
            }
        }
        for (var item = 0u; item < ITEMS; item++) { // unrolled
            let slot = (turn * ITEMS + item) * LANES + lane;
            upper[slot] = LOWEST;
            if (tile + item) * LANES + lane < p.items {
                let error = error_of(tile + item, lane);
                upper[slot] = totals[item] + error;
                lower[slot] = totals[item] - error;
            }
        }
    }
    // A lane reads only its own slots before the first barrier.
    select_best(lane, group.x);
}
