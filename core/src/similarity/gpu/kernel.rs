//! Which pipelines there are: every variable of a shader stands in its [`Kernel`], and the text is
//! made of that alone, so two variants never share a place in the cache.

use super::format::Format;
use super::search_shape::{
    GalleryMemory, GallerySide, QueryMemory, SearchMemory, SearchShape, TEXEL_ROW,
};
use super::template::Template;
use super::tuning::MatrixTile;

/// A pipeline's variables; the bindings follow from the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kernel {
    Matrix {
        format: Format,
        tile: MatrixTile,
        lanes: [u32; 2],
        blocks: [u32; 2],
    },
    /// Without workgroup memory.
    MatrixDirect {
        format: Format,
        tile: MatrixTile,
        lanes: [u32; 2],
        blocks: [u32; 2],
    },
    MatrixInt8 {
        packed_dot: bool,
        tile: MatrixTile,
        lanes: [u32; 2],
        blocks: [u32; 2],
    },
    Search {
        format: Format,
        shape: SearchShape,
        memory: SearchMemory,
    },
    SearchInt8 {
        packed_dot: bool,
        shape: SearchShape,
        memory: SearchMemory,
    },
    Normalise {
        format: Format,
        lanes: u32,
    },
    Quantise {
        format: Format,
        lanes: u32,
    },
}

impl Kernel {
    /// The WGSL text.
    pub fn source(&self) -> String {
        match *self {
            Self::Matrix { format, tile, lanes, blocks } => {
                let template = Template::new(include_str!("../../../../shaders/score_matrix.wgsl"));
                with_format(with_tile(template, tile, lanes, blocks), format, WIDEN).finish()
            }
            Self::MatrixDirect { format, tile, lanes, blocks } => {
                let text = include_str!("../../../../shaders/score_matrix_direct.wgsl");
                let template = with_blocks(Template::new(text), tile, lanes, blocks);
                with_format(template, format, WIDEN).finish()
            }
            Self::MatrixInt8 { packed_dot, tile, lanes, blocks } => {
                let text = include_str!("../../../../shaders/score_matrix_int8.wgsl");
                let template = with_tile(Template::new(text), tile, lanes, blocks);
                with_dot(template, packed_dot).finish()
            }
            Self::Search { format, shape, memory } => {
                let template = Template::new(include_str!("../../../../shaders/search.wgsl"))
                    .set("QUERIES", shape.queries)
                    .set("QUERY_BLOCKS", shape.query_blocks);
                let template = with_queries(with_shape(template, shape), memory, STORED_QUERIES);
                with_format(with_gallery(template, memory, TEXELS), format, WIDEN).finish()
            }
            Self::SearchInt8 { packed_dot, shape, memory } => {
                let template = Template::new(include_str!("../../../../shaders/search_int8.wgsl"))
                    .set("COLUMNS", shape.query_blocks);
                let template = with_shape(template, shape);
                let template = with_queries(template, memory, STORED_PLANES);
                with_dot(with_gallery(template, memory, TEXELS_INT8), packed_dot).finish()
            }
            Self::Normalise { format, lanes } => {
                let template = Template::new(include_str!("../../../../shaders/normalise.wgsl"));
                with_format(template.set("LANES", lanes), format, NARROW).finish()
            }
            Self::Quantise { format, lanes } => {
                let template = Template::new(include_str!("../../../../shaders/quantise.wgsl"));
                with_format(template.set("LANES", lanes), format, WIDEN).finish()
            }
        }
    }

    /// A name for labels and messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Matrix { .. } | Self::MatrixDirect { .. } => "score matrix",
            Self::MatrixInt8 { .. } => "int8 score matrix",
            Self::Search { .. } => "search",
            Self::SearchInt8 { .. } => "int8 search",
            Self::Normalise { .. } => "normalise",
            Self::Quantise { .. } => "quantise",
        }
    }
}

fn with_tile(template: Template, tile: MatrixTile, lanes: [u32; 2], blocks: [u32; 2]) -> Template {
    with_blocks(template, tile, lanes, blocks).set("TY", tile.y).set("DEPTH", tile.depth)
}

/// What all score matrices have.
fn with_blocks(
    template: Template,
    tile: MatrixTile,
    lanes: [u32; 2],
    blocks: [u32; 2],
) -> Template {
    template
        .set("TX", tile.x)
        .set("ROWS", tile.rows)
        .set("COLUMNS", tile.columns)
        .set("IMAGE_BLOCKS", blocks[0])
        .set("CAPTION_BLOCKS", blocks[1])
        .set("IMAGE_LANES", lanes[0])
        .set("CAPTION_LANES", lanes[1])
}

fn with_shape(template: Template, shape: SearchShape) -> Template {
    template
        .set("LANES", shape.lanes)
        .set("ITEMS", shape.items)
        .set("BLOCKS", shape.blocks)
        .set("IMAGES", u32::from(shape.side == GallerySide::Images))
        .set("TURNS", shape.turns)
}

fn with_queries(template: Template, memory: SearchMemory, stored: &str) -> Template {
    match memory.queries {
        QueryMemory::Uniform(size) => template.set("QUERY_SIZE", size),
        QueryMemory::Storage => template.replace("query memory", stored),
    }
}

const STORED_QUERIES: &str = "@group(0) @binding(1) var<storage, read> queries: array<vec4f>;";
const STORED_PLANES: &str = "@group(0) @binding(2) var<storage, read> queries: array<vec4u>;";

fn with_gallery(template: Template, memory: SearchMemory, texels: &str) -> Template {
    match memory.gallery {
        GalleryMemory::Buffer => template,
        GalleryMemory::Texels => template
            .replace("gallery memory", &texels.replace("TEXEL_ROW", &format!("{TEXEL_ROW}u"))),
    }
}

const TEXELS: &str = "@group(0) @binding(0) var gallery: texture_2d<f32>;
fn load(at: u32) -> vec4f {
    return textureLoad(gallery, vec2u(at % TEXEL_ROW, at / TEXEL_ROW), 0);
}";
const TEXELS_INT8: &str = "@group(0) @binding(0) var gallery: texture_2d<u32>;
fn load(at: u32) -> vec4u {
    return textureLoad(gallery, vec2u(at % TEXEL_ROW, at / TEXEL_ROW), 0);
}";

/// Storage formats of shaders that read (f16, packed f16, wide f16).
const WIDEN: [&str; 3] = [
    "alias Stored = vec4<f16>;
fn widen(stored: Stored) -> vec4f {
    return vec4f(stored);
}",
    "alias Stored = vec2u;
fn widen(stored: Stored) -> vec4f {
    return vec4f(unpack2x16float(stored.x), unpack2x16float(stored.y));
}",
    "alias Stored = u64;
fn widen(stored: Stored) -> vec4f {
    return vec4f(unpack2x16float(u32(stored)), unpack2x16float(u32(stored >> 32u)));
}",
];

/// The same of shaders that write; wide ones are the packed ones' bytes.
const NARROW: [&str; 3] = [
    "alias Stored = vec4<f16>;
fn narrow(numbers: vec4f) -> Stored {
    return vec4<f16>(numbers);
}",
    "alias Stored = vec2u;
fn narrow(numbers: vec4f) -> Stored {
    return vec2u(pack2x16float(numbers.xy), pack2x16float(numbers.zw));
}",
    "alias Stored = vec2u;
fn narrow(numbers: vec4f) -> Stored {
    return vec2u(pack2x16float(numbers.xy), pack2x16float(numbers.zw));
}",
];

fn with_format(template: Template, format: Format, code: [&str; 3]) -> Template {
    match format {
        Format::F32 => template,
        Format::F16 => template.replace("storage format", code[0]).enable("enable f16;\n"),
        Format::F16Packed => template.replace("storage format", code[1]),
        Format::F16Wide => template.replace("storage format", code[2]),
    }
}

/// For devices without a dot product of packed integers.
const PORTABLE_DOT: &str = "fn dot4(a: u32, b: u32) -> i32 {
    let x = vec4i(vec4u(a << 24u, a << 16u, a << 8u, a)) >> vec4u(24u);
    let y = vec4i(vec4u(b << 24u, b << 16u, b << 8u, b)) >> vec4u(24u);
    return x.x * y.x + x.y * y.y + x.z * y.z + x.w * y.w;
}";

fn with_dot(template: Template, packed_dot: bool) -> Template {
    if packed_dot { template } else { template.replace("dot product", PORTABLE_DOT) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    use crate::similarity::gpu::search_shape::power_of_two;
    use crate::similarity::gpu::tuning::{SearchTile, Tuning};
    use naga::valid::{Capabilities, ValidationFlags, Validator};

    /// Parses and validates; checks WebGPU's default limits.
    fn check(source: &str, name: &str) {
        let module = naga::front::wgsl::parse_str(source)
            .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(source)));
        // The second is what `unpack2x16float` asks for; WebGPU always has it.
        let capabilities = Capabilities::SHADER_FLOAT16
            | Capabilities::SHADER_FLOAT16_IN_FLOAT32
            | Capabilities::SHADER_INT64;
        let mut validator = Validator::new(ValidationFlags::all(), capabilities);
        validator.validate(&module).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let mut layouter = naga::proc::Layouter::default();
        layouter.update(module.to_ctx()).unwrap();
        let of = |space| {
            let globals = module.global_variables.iter();
            globals.filter(move |(_, global)| global.space == space).map(|(_, global)| global.ty)
        };
        let bytes: u32 = of(naga::AddressSpace::WorkGroup)
            .map(|ty| layouter[ty].size.next_multiple_of(16))
            .sum();
        assert!(bytes <= 16_384, "{name}: {bytes} bytes of workgroup memory");
        let storage = module.global_variables.iter();
        let storage =
            storage.filter(|(_, g)| matches!(g.space, naga::AddressSpace::Storage { .. }));
        assert!(storage.count() <= 8, "{name}: storage buffers");
        assert_eq!(module.entry_points.len(), 1, "{name}");
        let size = module.entry_points[0].workgroup_size;
        assert!(size.iter().product::<u32>() <= 256, "{name}: {size:?} invocations");
    }

    #[test]
    fn every_variant_is_valid_and_within_the_default_limits() {
        let memory = |gallery, bytes| SearchMemory { gallery, queries: QueryMemory::of(bytes) };
        let memories = [GalleryMemory::Buffer, GalleryMemory::Texels]
            .map(|gallery| [256, 1 << 20].map(|bytes| memory(gallery, bytes)))
            .concat();
        for tuning in [Tuning::GPU, Tuning::SOFTWARE] {
            let lanes = tuning.lanes;
            let mut kernels = HashSet::new();
            for format in [Format::F32, Format::F16, Format::F16Packed, Format::F16Wide] {
                kernels.insert(Kernel::Normalise { format, lanes });
                kernels.insert(Kernel::Quantise { format, lanes });
                for blocks in [1, 2, 3, 4, 8, 16, 40] {
                    let tile = tuning.matrix;
                    let tiles =
                        [power_of_two(blocks, tile.rows), power_of_two(blocks, tile.columns)];
                    let lanes = [lanes, 1];
                    kernels.insert(if tuning.direct {
                        Kernel::MatrixDirect { format, tile, lanes, blocks: tiles }
                    } else {
                        Kernel::Matrix { format, tile, lanes, blocks: tiles }
                    });
                    let tile = tuning.matrix_int8;
                    let packed_dot = format == Format::F32;
                    kernels.insert(Kernel::MatrixInt8 { packed_dot, tile, lanes, blocks: tiles });
                    for side in [GallerySide::Images, GallerySide::Captions] {
                        for (queries, query_blocks) in [(1, 1), (1, 4), (2, 4), (9, 8), (1, 16)] {
                            let shape = |tile: SearchTile| {
                                let lanes = tuning.lanes;
                                SearchShape::new(lanes, tile, side, blocks, queries, query_blocks)
                            };
                            let int8 = shape(tuning.search_int8);
                            let shape = shape(tuning.search(format));
                            for &memory in &memories {
                                kernels.insert(Kernel::Search { format, shape, memory });
                                let shape = int8;
                                kernels.insert(Kernel::SearchInt8 { packed_dot, shape, memory });
                            }
                        }
                    }
                }
            }
            kernels.iter().for_each(|kernel| check(&kernel.source(), &format!("{kernel:?}")));
        }
    }

    #[test]
    fn the_files_are_complete() {
        for (name, text) in [
            ("score_matrix", include_str!("../../../../shaders/score_matrix.wgsl")),
            ("score_matrix_direct", include_str!("../../../../shaders/score_matrix_direct.wgsl")),
            ("score_matrix_int8", include_str!("../../../../shaders/score_matrix_int8.wgsl")),
            ("search", include_str!("../../../../shaders/search.wgsl")),
            ("search_int8", include_str!("../../../../shaders/search_int8.wgsl")),
            ("normalise", include_str!("../../../../shaders/normalise.wgsl")),
            ("quantise", include_str!("../../../../shaders/quantise.wgsl")),
        ] {
            check(text, name);
        }
    }
}
