//! Sizes of tiles and workgroups, by kind of device.

use super::format::Format;

/// What an engine's kernels are built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tuning {
    /// Items side by side in a gallery, and invocations of a search's workgroup.
    pub lanes: u32,
    pub search_f32: SearchTile,
    pub search_f16: SearchTile,
    pub search_int8: SearchTile,
    /// Whether a search reads vectors of 16 bytes from a texture, a copy of the gallery made by the first
    /// search.
    pub texels: bool,
    /// Whether four halves are read as one 64-bit integer where the device has such.
    pub wide_f16: bool,
    /// Whether native 16-bit numbers are worth their loads.
    pub native_f16: bool,
    /// Workgroups a search should have at least, before each takes several turns.
    pub groups: u32,
    /// Floating-point operations of one submission at most: systems take a device away from a program
    /// that keeps it for seconds.
    pub flops: u64,
    /// Whether a score matrix does without workgroup memory.
    pub direct: bool,
    pub matrix: MatrixTile,
    pub matrix_int8: MatrixTile,
}

/// What an invocation of a search takes at once, see `shaders/search.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SearchTile {
    pub items: u32,
    /// Most blocks of each; half as many against 8 query blocks.
    pub blocks: u32,
    /// Most turns of a workgroup.
    pub turns: u32,
}

/// The tile of a score matrix, see `shaders/score_matrix.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MatrixTile {
    pub x: u32,
    pub y: u32,
    pub rows: u32,
    pub columns: u32,
    pub depth: u32,
}

impl Tuning {
    /// The tile of a search in precise blocks.
    pub fn search(&self, format: Format) -> SearchTile {
        if format == Format::F32 { self.search_f32 } else { self.search_f16 }
    }

    /// For real GPUs: reads that run over neighbouring addresses, many workgroups, register
    /// tiles of 64 numbers.
    pub const GPU: Self = Self {
        lanes: 64,
        search_f32: SearchTile { items: 1, blocks: 8, turns: 8 },
        search_f16: SearchTile { items: 1, blocks: 8, turns: 8 },
        search_int8: SearchTile { items: 1, blocks: 8, turns: 8 },
        texels: false,
        wide_f16: false,
        native_f16: true,
        groups: 512,
        flops: 1 << 35,
        direct: false,
        matrix: MatrixTile { x: 16, y: 16, rows: 8, columns: 8, depth: 4 },
        matrix_int8: MatrixTile { x: 16, y: 16, rows: 8, columns: 8, depth: 4 },
    };

    /// For software adapters, found by trying on llvmpipe: invocations are the 8 lanes of a processor's
    /// vectors. A lane's read from a buffer is a branch and a load of its own, as dear as several
    /// multiply-adds; a texel is fetched whole. So few reads, each used by a large tile that the nearest
    /// cache holds; items in order, so that memory is read ahead; few workgroups.
    pub const SOFTWARE: Self = Self {
        lanes: 8,
        search_f32: SearchTile { items: 16, blocks: 1, turns: 8 },
        search_f16: SearchTile { items: 16, blocks: 2, turns: 8 },
        search_int8: SearchTile { items: 8, blocks: 1, turns: 16 },
        texels: true,
        wide_f16: true,
        native_f16: false,
        groups: 32,
        flops: 1 << 32,
        direct: true,
        matrix: MatrixTile { x: 8, y: 1, rows: 16, columns: 16, depth: 1 },
        matrix_int8: MatrixTile { x: 8, y: 8, rows: 16, columns: 16, depth: 4 },
    };
}
