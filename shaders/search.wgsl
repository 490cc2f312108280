// The best items of a gallery for one or a few queries, in one pass over the gallery. Scores never leave the device: each
// workgroup keeps those of its items in workgroup memory and writes out its best `kept`; the lists are merged on the host.
//
// Bindings (group 0)
//   0  gallery  storage, read        blocks of `items` items, lanes side by side (below); or texture_2d of these vectors
//   1  queries  uniform              f32, columns side by side (below)
//   2  found    storage, read_write  vec2u(index of the item, bits of the f32 score), best first; index 0xffffffff
//                                    where a workgroup has fewer items. Query q, workgroup g, place r stand at
//                                    p.found + (q * p.groups + g) * p.kept + r.
//   3  p        uniform              Params, 48 bytes
// Dispatch: x = p.groups = ceil(items / (LANES * ITEMS * p.turns)), y = z = 1. A workgroup takes LANES * ITEMS * p.turns
// consecutive items.
//
// Layouts
//   gallery: 4 numbers k of block b of item n stand at ((n / LANES) * blocks * width4 + b * width4 + k) * LANES + n % LANES,
//            so that the invocations of a workgroup, one an item, read side by side. The last tile is filled up with anything.
//   queries: chunk t holds COLUMNS query blocks: QUERIES queries of QUERY_BLOCKS blocks, p.chunks chunks; the
//            four blocks of vector v at number k of their width stand at (t * 4 * width4 + k) * VECTORS + v.
//            Queries of more blocks take several chunks (then QUERIES = 1). Missing blocks of a chunk are
//            zero for captions, a copy of another block of the same query for images.
//
// Cost of a pass over N items of B blocks of width W, for QUERIES queries of C blocks
//   bytes  4 N B W in f32, 2 N B W in f16: each block is read once as long as a query fits a chunk
//   FLOPs  2 N B W C QUERIES: 8 FLOPs a byte for one query in f32, so memory decides
// Rounding: as in score_matrix.wgsl.
//
// Limits: workgroup memory 4 LANES (ITEMS * TURNS * QUERIES + 2) + 64 bytes, LANES invocations, 2 storage buffers: within
// WebGPU's defaults. A binding holds 128 MiB: larger galleries are taken shard by shard, p.first says where.

// Set by the host; every one is part of the pipeline's key.
const LANES: u32 = 64u; // a power of two, at least 8
const ITEMS: u32 = 1u; // items an invocation takes at once
const BLOCKS: u32 = 8u; // gallery blocks it takes at once
const QUERIES: u32 = 1u;
const QUERY_BLOCKS: u32 = 4u; // a multiple of 4
const IMAGES: u32 = 1u; // 1: the gallery holds images, queries are captions; 0: the other way
const TURNS: u32 = 8u; // the largest p.turns
const QUERY_SIZE: u32 = 256u; // vectors of queries, p.chunks * 4 * p.width4 * VECTORS

// [storage format: f32. The host may put f16 here.]
alias Stored = vec4f;
fn widen(stored: Stored) -> vec4f {
    return stored;
}
// [end of storage format]

struct Params {
    items: u32, // of the binding
    blocks: u32, // of an item
    width4: u32, // vectors of a block
    chunks: u32, // of the queries
    turns: u32, // of a workgroup
    kept: u32, // at most LANES * ITEMS * turns
    groups: u32,
    found: u32, // where `found` begins for this binding
    first: u32, // index of the binding's first item
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

// [gallery memory: a buffer. The host puts a texture here where texels are read faster.]
@group(0) @binding(0) var<storage, read> gallery: array<Stored>;
fn load(at: u32) -> vec4f {
    return widen(gallery[at]);
}
// [end of gallery memory]
// [query memory: uniform. The host puts a storage buffer here where queries exceed 64 KiB.]
@group(0) @binding(1) var<uniform> queries: array<vec4f, QUERY_SIZE>;
// [end of query memory]
@group(0) @binding(2) var<storage, read_write> found: array<vec2u>;
@group(0) @binding(3) var<uniform> p: Params;

const COLUMNS = QUERIES * QUERY_BLOCKS;
const VECTORS = COLUMNS / 4u;
const QUERY_VECTORS = QUERY_BLOCKS / 4u;
const ROWS = ITEMS * BLOCKS;
const SLOTS = LANES * ITEMS * TURNS;
const LOWEST = -3.4028234e38; // below every score
const NOTHING = 0xffffffffu;

// One slot an item of the workgroup, in the order of items.
var<workgroup> scores: array<f32, SLOTS * QUERIES>;
var<workgroup> lane_score: array<f32, LANES>;
var<workgroup> lane_slot: array<u32, LANES>;
var<workgroup> part_score: array<f32, 8>;
var<workgroup> part_slot: array<u32, 8>;

// Products of the blocks `block..block + BLOCKS` of the invocation's items with chunk `chunk` of the queries.
fn multiply(tile: u32, lane: u32, block: u32, chunk: u32) -> array<vec4f, ROWS * VECTORS> {
    var products: array<vec4f, ROWS * VECTORS>;
    var at: array<u32, ROWS>;
    for (var row = 0u; row < ROWS; row++) { // unrolled
        let b = min(block + row % BLOCKS, p.blocks - 1u);
        at[row] = ((tile + row / BLOCKS) * p.blocks + b) * p.width4 * LANES + lane;
    }
    for (var k = 0u; k < p.width4; k++) {
        var x: array<vec4f, VECTORS>;
        var y: array<vec4f, VECTORS>;
        var z: array<vec4f, VECTORS>;
        var w: array<vec4f, VECTORS>;
        for (var v = 0u; v < VECTORS; v++) { // unrolled
            let column = (chunk * p.width4 + k) * 4u * VECTORS + v;
            x[v] = queries[column];
            y[v] = queries[column + VECTORS];
            z[v] = queries[column + 2u * VECTORS];
            w[v] = queries[column + 3u * VECTORS];
        }
        for (var row = 0u; row < ROWS; row++) { // unrolled
            let a = load(at[row] + k * LANES);
            for (var v = 0u; v < VECTORS; v++) { // unrolled
                products[row * VECTORS + v] = fma(vec4f(a.x), x[v], products[row * VECTORS + v]);
                products[row * VECTORS + v] = fma(vec4f(a.y), y[v], products[row * VECTORS + v]);
                products[row * VECTORS + v] = fma(vec4f(a.z), z[v], products[row * VECTORS + v]);
                products[row * VECTORS + v] = fma(vec4f(a.w), w[v], products[row * VECTORS + v]);
            }
        }
    }
    return products;
}

// Images in the gallery: for each query block the best of an item's blocks, summed over the query's blocks.
fn score_images(tile: u32, lane: u32) -> array<f32, ITEMS * QUERIES> {
    var totals: array<f32, ITEMS * QUERIES>;
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
            totals[at / QUERY_VECTORS] += best[at].x + best[at].y + best[at].z + best[at].w;
        }
    }
    return totals;
}

// Captions in the gallery: for each block of an item the best query block, summed over the item's blocks.
fn score_captions(tile: u32, lane: u32) -> array<f32, ITEMS * QUERIES> {
    var totals: array<f32, ITEMS * QUERIES>;
    for (var block = 0u; block < p.blocks; block += BLOCKS) {
        var best: array<f32, ROWS * QUERIES>;
        for (var at = 0u; at < ROWS * QUERIES; at++) { // unrolled
            best[at] = LOWEST;
        }
        for (var chunk = 0u; chunk < p.chunks; chunk++) {
            let products = multiply(tile, lane, block, chunk);
            for (var at = 0u; at < ROWS * VECTORS; at++) { // unrolled
                let product = products[at];
                best[at / QUERY_VECTORS] = max(best[at / QUERY_VECTORS], max(max(product.x, product.y), max(product.z, product.w)));
            }
        }
        for (var row = 0u; row < ROWS; row++) { // unrolled
            for (var query = 0u; query < QUERIES; query++) { // unrolled
                if block + row % BLOCKS < p.blocks {
                    totals[(row / BLOCKS) * QUERIES + query] += best[row * QUERIES + query];
                }
            }
        }
    }
    return totals;
}

// The best slot of this lane for a query; of equal scores the lower slot.
fn best_of_lane(query: u32, lane: u32, slots: u32) -> u32 {
    var best = lane;
    for (var slot = lane + LANES; slot < slots; slot += LANES) {
        if scores[query * SLOTS + slot] > scores[query * SLOTS + best] {
            best = slot;
        }
    }
    return best;
}

// Writes the best `kept` items of the workgroup: so many rounds of taking the best one out.
fn select_best(query: u32, lane: u32, group: u32) {
    let slots = LANES * ITEMS * p.turns;
    var mine = best_of_lane(query, lane, slots);
    for (var round = 0u; round < p.kept; round++) {
        lane_score[lane] = scores[query * SLOTS + mine];
        lane_slot[lane] = mine;
        workgroupBarrier();
        if lane < 8u {
            var score = lane_score[lane];
            var slot = lane_slot[lane];
            for (var other = lane + 8u; other < LANES; other += 8u) {
                if lane_score[other] > score || (lane_score[other] == score && lane_slot[other] < slot) {
                    score = lane_score[other];
                    slot = lane_slot[other];
                }
            }
            part_score[lane] = score;
            part_slot[lane] = slot;
        }
        workgroupBarrier();
        var score = part_score[0];
        var slot = part_slot[0];
        for (var other = 1u; other < 8u; other++) { // unrolled
            if part_score[other] > score || (part_score[other] == score && part_slot[other] < slot) {
                score = part_score[other];
                slot = part_slot[other];
            }
        }
        if slot == mine {
            let index = select(p.first + group * slots + slot, NOTHING, score == LOWEST);
            found[p.found + (query * p.groups + group) * p.kept + round] = vec2u(index, bitcast<u32>(score));
            scores[query * SLOTS + slot] = LOWEST;
            mine = best_of_lane(query, lane, slots);
        }
    }
    workgroupBarrier();
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    for (var turn = 0u; turn < p.turns; turn++) {
        let tile = (group.x * p.turns + turn) * ITEMS;
        var totals: array<f32, ITEMS * QUERIES>;
        if tile * LANES < p.items {
            if IMAGES == 1u {
                totals = score_images(tile, lane);
            } else {
                totals = score_captions(tile, lane);
            }
        }
        for (var item = 0u; item < ITEMS; item++) { // unrolled
            let exists = (tile + item) * LANES + lane < p.items;
            for (var query = 0u; query < QUERIES; query++) { // unrolled
                let slot = query * SLOTS + (turn * ITEMS + item) * LANES + lane;
                scores[slot] = select(LOWEST, totals[item * QUERIES + query], exists);
            }
        }
    }
    // A lane reads only its own slots before the first barrier.
    for (var query = 0u; query < QUERIES; query++) {
        select_best(query, lane, group.x);
    }
}
