// Quantises blocks to 8 bits: block = scale * integers + rest, integers within -127..127, |rest| <= residual.
//
// Bindings (group 0)
//   0  blocks   storage, read        f32 or f16, lanes side by side: 4 numbers k of block b of item n at
//                                    ((n / LANES) * blocks * width4 + b * width4 + k) * LANES + n % LANES
//   1  gallery  storage, read_write  vec4u, 16 numbers of 8 bits, in the same order with width16 = ceil(width4 / 4); filled up with zeros
//   2  fits     storage, read_write  vec2f(scale, residual) of block b of item n at ((n / LANES) * blocks + b) * LANES + n % LANES
//   3  p        uniform              Params, 16 bytes
// Dispatch: x = ceil(rows / LANES), y = blocks, z = 1; one invocation a block.
//
// Cost of N rows of B blocks of width W: 8 N B W bytes read in f32 (twice, the second time partly from cache), N B W + 8 N B
// written, about 8 N B W operations: memory decides.
// Rounding: the residual is enlarged by more than its own rounding, so that it is an upper bound.
//
// Limits: no workgroup memory, LANES invocations, 3 storage buffers: within WebGPU's defaults.

// Set by the host; every one is part of the pipeline's key.
const LANES: u32 = 64u;

// [storage format: f32. The host may put f16 here.]
alias Stored = vec4f;
fn widen(stored: Stored) -> vec4f {
    return stored;
}
// [end of storage format]

struct Params {
    rows: u32,
    blocks: u32,
    width4: u32,
    width16: u32,
}

@group(0) @binding(0) var<storage, read> blocks: array<Stored>;
@group(0) @binding(1) var<storage, read_write> gallery: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> fits: array<vec2f>;
@group(0) @binding(3) var<uniform> p: Params;

const LEVEL = 127.0;
const SMALLEST = 1.17549435e-38; // positive and normal

fn pack(integers: vec4f) -> u32 {
    let bits = vec4u(vec4i(integers)) & vec4u(0xffu);
    return bits.x | (bits.y << 8u) | (bits.z << 16u) | (bits.w << 24u);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    if group.x * LANES + lane >= p.rows {
        return;
    }
    let block = group.x * p.blocks + group.y;
    let source = block * p.width4 * LANES + lane;
    let place = block * p.width16 * LANES + lane;

    var most = 0.0;
    for (var k = 0u; k < p.width4; k++) {
        let magnitudes = abs(widen(blocks[source + k * LANES]));
        most = max(most, max(max(magnitudes.x, magnitudes.y), max(magnitudes.z, magnitudes.w)));
    }
    let scale = most / LEVEL;
    // A scale that underflows would turn the quotients into infinities; all is residual then.
    let inverse = select(0.0, 1.0 / scale, scale >= SMALLEST);

    var squares = 0.0; // of the rest, in units of the scale: no underflow
    for (var k16 = 0u; k16 < p.width16; k16++) {
        var words = vec4u(0u);
        for (var word = 0u; word < 4u; word++) { // unrolled
            let k = k16 * 4u + word;
            if k < p.width4 {
                let numbers = widen(blocks[source + k * LANES]) * inverse;
                let integers = clamp(round(numbers), vec4f(-LEVEL), vec4f(LEVEL));
                let rest = numbers - integers;
                squares += dot(rest, rest);
                words[word] = pack(integers);
            }
        }
        gallery[place + k16 * LANES] = words;
    }
    let width = f32(p.width4 * 4u);
    // Each number of the rest is known to within 127 * 2^-22 units, their sum of squares to within W 2^-23 of itself.
    let rounding = LEVEL * exp2(-22.0) * sqrt(width);
    let residual = (sqrt(squares) * (1.0 + width * exp2(-22.0)) + rounding) * scale;
    let everything = most * sqrt(width) * 1.001;
    fits[block * LANES + lane] = vec2f(scale, select(everything, residual, inverse > 0.0));
}
