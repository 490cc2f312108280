//! What a pass of a search takes at once, and from where.

use super::tuning::SearchTile;

/// Which side the gallery of a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum GallerySide {
    Images,
    Captions,
}

/// Where a search reads from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SearchMemory {
    pub gallery: GalleryMemory,
    pub queries: QueryMemory,
}

/// Where shaders read a gallery from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum GalleryMemory {
    Buffer,
    /// A texture of its vectors, [`TEXEL_ROW`] a row.
    Texels,
}

/// Texels of a row of a gallery's texture, a power of two.
pub(super) const TEXEL_ROW: u32 = 4096;

/// Where shaders read queries from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum QueryMemory {
    /// A uniform buffer of so many vectors: the fastest that all invocations read alike.
    Uniform(u32),
    /// A storage buffer, for more than fits the other.
    Storage,
}

impl QueryMemory {
    /// For `bytes` of queries of a pass.
    pub fn of(bytes: u64) -> Self {
        // WebGPU's least limit of a uniform binding.
        if bytes <= 65_536 { Self::Uniform(bytes as u32 / 16) } else { Self::Storage }
    }
}

/// What a pass of a search takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SearchShape {
    pub side: GallerySide,
    pub lanes: u32,
    /// Items an invocation takes.
    pub items: u32,
    /// Gallery blocks of each.
    pub blocks: u32,
    pub queries: u32,
    /// Blocks of each query, a multiple of 4.
    pub query_blocks: u32,
    /// Most turns of a workgroup.
    pub turns: u32,
}

impl SearchShape {
    /// For a gallery of `gallery_blocks` an item, `queries` (1 or 2 at once) of `query_blocks`.
    pub fn new(
        lanes: u32,
        tile: SearchTile,
        side: GallerySide,
        gallery_blocks: usize,
        queries: usize,
        query_blocks: usize,
    ) -> Self {
        let query_blocks = if query_blocks <= 4 { 4 } else { 8 };
        let queries = if query_blocks == 4 && queries > 1 { 2 } else { 1 };
        let most = if queries * query_blocks == 8 { tile.blocks.div_ceil(2) } else { tile.blocks };
        let blocks = power_of_two(gallery_blocks, most);
        let SearchTile { items, turns, .. } = tile;
        Self { side, lanes, items, blocks, queries, query_blocks, turns }
    }

    /// Query blocks of a pass.
    pub fn columns(&self) -> usize {
        (self.queries * self.query_blocks) as usize
    }

    /// Gallery items of a workgroup that takes `turns`.
    pub fn slots(&self, turns: u32) -> u32 {
        self.lanes * self.items * turns
    }
}

/// The least power of two that is not below `count`, at most `limit`.
pub(super) fn power_of_two(count: usize, limit: u32) -> u32 {
    count.next_power_of_two().min(limit as usize) as u32
}
