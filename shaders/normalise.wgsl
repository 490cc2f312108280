// Normalises embeddings, each as a whole and then each of its blocks: x / (|x| + 1e-8); a zero block stays zero.
// Reads plain rows, for example what the towers left on the device, writes what the search and the score matrix read.
//
// Bindings (group 0)
//   0  embeddings  storage, read        vec4f, row-major: [rows, blocks * width4]
//   1  blocks      storage, read_write  4 numbers k of block b of item n at
//                                       ((n / LANES) * blocks * width4 + b * width4 + k) * LANES + n % LANES
//   2  broken      storage, read_write  one u32, the caller's 0xffffffff: the lowest row with a number that is not
//                                       finite, counted from p.row on; such rows become zero
//   3  p           uniform              Params, 32 bytes
// Dispatch: x = min(rows, 65535), y = ceil(rows / 65535), z = 1; one workgroup a row.
//
// Cost of N rows of B blocks of width W: 12 N B W bytes read (three times, twice from cache) and 4 N B W written in f32 (2 N B W
// in f16), 6 N B W FLOPs: memory decides.
// Rounding: sums of squares run over numbers divided by the greatest, so neither overflows nor underflows matter; the
// result is within W 2^-23 of the exact quotient.
//
// Limits: workgroup memory 4 THREADS bytes, THREADS invocations, 3 storage buffers: within WebGPU's defaults.

// Set by the host; every one is part of the pipeline's key.
const THREADS: u32 = 64u; // a power of two
const LANES: u32 = 64u;

// [storage format: f32. The host may put f16 here.]
alias Stored = vec4f;
fn narrow(numbers: vec4f) -> Stored {
    return numbers;
}
// [end of storage format]

struct Params {
    rows: u32,
    blocks: u32,
    width4: u32,
    first: u32, // rows of `blocks` before this row of `embeddings`
    row: u32, // what the first row is called in `broken`
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(0) var<storage, read> embeddings: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> blocks: array<Stored>;
@group(0) @binding(2) var<storage, read_write> broken: atomic<u32>;
@group(0) @binding(3) var<uniform> p: Params;

const EPSILON = 1e-8;

var<workgroup> partial: array<f32, THREADS>;

fn fold(a: f32, b: f32, greatest: bool) -> f32 {
    return select(a + b, max(a, b), greatest);
}

// The sum or the greatest of all invocations' values.
fn reduce(value: f32, greatest: bool, thread: u32) -> f32 {
    partial[thread] = value;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if thread < half {
            partial[thread] = fold(partial[thread], partial[thread + half], greatest);
        }
        workgroupBarrier();
    }
    let result = partial[0];
    workgroupBarrier();
    return result;
}

// Looks at the bits: compilers may assume that numbers are finite.
fn finite(numbers: vec4f) -> bool {
    let exponents = bitcast<vec4u>(numbers) & vec4u(0x7f800000u);
    return all(exponents != vec4u(0x7f800000u));
}

fn greatest_of(numbers: vec4f) -> f32 {
    let magnitudes = abs(numbers);
    return max(max(magnitudes.x, magnitudes.y), max(magnitudes.z, magnitudes.w));
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = group.y * groups.x + group.x;
    if row >= p.rows {
        return;
    }
    let vectors = p.blocks * p.width4;
    let source = row * vectors;

    var most = 0.0;
    var wrong = 0.0;
    for (var at = thread; at < vectors; at += THREADS) {
        let numbers = embeddings[source + at];
        if finite(numbers) {
            most = max(most, greatest_of(numbers));
        } else {
            wrong = 1.0;
        }
    }
    most = reduce(most, true, thread);
    wrong = reduce(wrong, true, thread);
    if wrong > 0.0 && thread == 0u {
        atomicMin(&broken, p.row + row);
    }
    let unit = select(1.0, most, most > 0.0);

    var squares = 0.0;
    for (var at = thread; at < vectors; at += THREADS) {
        let numbers = embeddings[source + at] / unit;
        squares += dot(numbers, numbers);
    }
    let norm = sqrt(reduce(squares, false, thread)) + EPSILON / unit;

    let item = p.first + row;
    for (var block = 0u; block < p.blocks; block++) {
        var block_squares = 0.0;
        for (var k = thread; k < p.width4; k += THREADS) {
            let numbers = embeddings[source + block * p.width4 + k] / unit / norm;
            block_squares += dot(numbers, numbers);
        }
        let block_norm = sqrt(reduce(block_squares, false, thread)) + EPSILON;
        for (var k = thread; k < p.width4; k += THREADS) {
            let numbers = embeddings[source + block * p.width4 + k] / unit / norm / block_norm;
            let place = ((item / LANES) * vectors + block * p.width4 + k) * LANES + item % LANES;
            blocks[place] = narrow(select(numbers, vec4f(0.0), wrong > 0.0));
        }
    }
}
