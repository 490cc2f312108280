//! Sizes of tiles and workgroups, by kind of device.

/// What an engine's kernels are built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tuning {
    /// Items side by side in a gallery, and invocations of a search's workgroup.
    pub lanes: u32,
    /// Items an invocation of a search takes at once.
    pub items: u32,
    /// Most turns of a search's workgroup.
    pub turns: u32,
    /// Whether native 16-bit numbers are worth their loads.
    pub native_f16: bool,
    /// Workgroups a search should have at least, before each takes several turns.
    pub groups: u32,
    /// Floating-point operations of one submission at most: systems take a device away from a program
    /// that keeps it for seconds.
    pub flops: u64,
    pub matrix: MatrixTile,
    pub matrix_int8: MatrixTile,
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
    /// For real GPUs: reads that run over neighbouring addresses, many workgroups, register
    /// tiles of 64 numbers.
    pub const GPU: Self = Self {
        lanes: 64,
        items: 1,
        turns: 8,
        native_f16: true,
        groups: 512,
        flops: 1 << 35,
        matrix: MatrixTile { x: 16, y: 16, rows: 8, columns: 8, depth: 4 },
        matrix_int8: MatrixTile { x: 16, y: 16, rows: 8, columns: 8, depth: 4 },
    };

    /// For software adapters, which run an invocation's vectors one lane at a time through a
    /// cache: large register tiles, narrow lanes read nearly in order, few workgroups.
    pub const SOFTWARE: Self = Self {
        lanes: 16,
        items: 2,
        turns: 32,
        native_f16: false,
        groups: 32,
        flops: 1 << 32,
        matrix: MatrixTile { x: 8, y: 8, rows: 16, columns: 16, depth: 4 },
        matrix_int8: MatrixTile { x: 8, y: 8, rows: 16, columns: 16, depth: 4 },
    };
}
