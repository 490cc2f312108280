// The peer of the shaders in shaders/: one invocation a pair, rows as they are, no memory shared, no registers reused.
struct Params {
    images: u32,
    captions: u32,
    image_blocks: u32,
    caption_blocks: u32,
    width4: u32,
}

@group(0) @binding(0) var<storage, read> images: array<vec4f>;
@group(0) @binding(1) var<storage, read> captions: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> scores: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= p.captions || id.y >= p.images {
        return;
    }
    score(id.y, id.x);
}

// For one caption: invocations in a row.
@compute @workgroup_size(64)
fn main_query(@builtin(global_invocation_id) id: vec3u) {
    if id.x < p.images {
        score(id.x, 0u);
    }
}

fn score(image: u32, caption: u32) {
    var total = 0.0;
    for (var c = 0u; c < p.caption_blocks; c++) {
        var best = -3.4e38;
        for (var b = 0u; b < p.image_blocks; b++) {
            let left = (image * p.image_blocks + b) * p.width4;
            let right = (caption * p.caption_blocks + c) * p.width4;
            var product = 0.0;
            for (var k = 0u; k < p.width4; k++) {
                product += dot(images[left + k], captions[right + k]);
            }
            best = max(best, product);
        }
        total += best;
    }
    scores[image * p.captions + caption] = total;
}
