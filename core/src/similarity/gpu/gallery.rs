//! Embeddings in device memory, cut into shards that fit a binding.

use std::sync::{Arc, OnceLock};

use super::engine::GpuEngine;
use super::format::Format;
use crate::error::GpuFailure;
use crate::similarity::BlockShape;
use crate::{Error, Result};

/// How precise blocks are stored on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Storage {
    /// 32 bits.
    F32,
    /// 16 bits: half the memory and nearly half the time. Scores are those of the rounded numbers.
    F16,
}

/// Embeddings on an engine's device, to search in or to score.
#[derive(Debug)]
pub struct GpuGallery {
    /// Its engine's.
    pub(super) token: Arc<()>,
    pub(super) shape: BlockShape,
    pub(super) rows: usize,
    pub(super) content: Content,
    /// Items side by side.
    pub(super) lanes: u32,
    pub(super) shards: Vec<Shard>,
    /// At least the norm of every block.
    pub(super) norm: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Precise(Format),
    Int8,
}

/// Some consecutive items, a multiple of [`SHARD_STEP`] but for the last shard.
#[derive(Debug)]
pub(super) struct Shard {
    pub first: usize,
    pub rows: usize,
    pub values: wgpu::Buffer,
    /// Scales and residuals of int8 blocks.
    pub fits: Option<wgpu::Buffer>,
    /// A copy of `values`, once a search has read texels.
    pub texels: OnceLock<wgpu::TextureView>,
}

/// Shards begin at multiples of this, and so do the parts they are filled in: then parts of
/// buffers begin where a binding may begin, and tiles are whole.
pub(super) const SHARD_STEP: usize = 64;

impl GpuGallery {
    /// Number of embeddings.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How each is cut.
    pub fn shape(&self) -> BlockShape {
        self.shape
    }

    /// Whether it holds 8-bit blocks, which give candidates and no scores.
    pub fn is_quantised(&self) -> bool {
        self.content == Content::Int8
    }

    /// Bytes of device memory that it takes before a search; on software adapters the first search
    /// copies the blocks of f32 and int8 galleries to textures, as much again.
    pub fn bytes(&self) -> u64 {
        let buffers =
            |shard: &Shard| shard.values.size() + shard.fits.as_ref().map_or(0, wgpu::Buffer::size);
        self.shards.iter().map(buffers).sum()
    }

    /// The format of precise blocks.
    pub(super) fn format(&self) -> Result<Format> {
        match self.content {
            Content::Precise(format) => Ok(format),
            Content::Int8 => {
                Err(Error::Shape("an int8 gallery: it has candidates, no scores".into()))
            }
        }
    }

    /// Vectors of 4 (of 16 in 8 bits) that a block takes.
    pub(super) fn block_vectors(&self) -> usize {
        block_vectors(self.shape, self.content)
    }
}

/// Vectors of 4 numbers that a precise block takes, of 16 an int8 one.
pub(super) fn block_vectors(shape: BlockShape, content: Content) -> usize {
    match content {
        Content::Precise(_) => shape.width / 4,
        Content::Int8 => shape.width.div_ceil(16),
    }
}

/// Bytes of such a vector.
pub(super) fn vector_bytes(content: Content) -> usize {
    match content {
        Content::Precise(format) => 4 * format.bytes(),
        Content::Int8 => 16,
    }
}

/// Bytes of an item.
pub(super) fn item_bytes(shape: BlockShape, content: Content) -> usize {
    shape.blocks * block_vectors(shape, content) * vector_bytes(content)
}

impl GpuEngine {
    /// Refuses what belongs to another device.
    pub(super) fn check_device(&self, gallery: &GpuGallery) -> Result<()> {
        if Arc::ptr_eq(&gallery.token, &self.token) {
            return Ok(());
        }
        Err(Error::gpu(GpuFailure::Refused, "the gallery was uploaded by another engine"))
    }

    pub(super) fn format(&self, storage: Storage) -> Format {
        match storage {
            Storage::F32 => Format::F32,
            Storage::F16 => self.half,
        }
    }

    /// An empty gallery and the number of items a shard may hold.
    pub(super) fn empty_gallery(
        &self,
        shape: BlockShape,
        rows: usize,
        content: Content,
        lanes: u32,
    ) -> Result<(GpuGallery, usize)> {
        shape.validate()?;
        let step = (item_bytes(shape, content).max(shape.blocks * 8) * SHARD_STEP) as u64;
        // Indices are 32 bits wide, and so many workgroups fit a dispatch.
        let most = u64::from(self.device.limits().max_compute_workgroups_per_dimension);
        let steps =
            (self.shard_bytes / step).min(most * u64::from(lanes.min(8)) / SHARD_STEP as u64);
        if steps == 0 || rows >= u32::MAX as usize || shape.blocks as u64 > most {
            return Err(Error::Shape(format!(
                "{rows} embeddings of {} x {}: {SHARD_STEP} of them take {step} bytes, a binding holds {}",
                shape.blocks, shape.width, self.shard_bytes
            )));
        }
        let token = self.token.clone();
        let gallery =
            GpuGallery { token, shape, rows, content, lanes, shards: Vec::new(), norm: 0.0 };
        Ok((gallery, steps as usize * SHARD_STEP))
    }

    /// Buffers for `rows` items from `first` on. Call it guarded.
    pub(super) fn shard(&self, gallery: &GpuGallery, first: usize, rows: usize) -> Shard {
        let padded = (rows as u64).next_multiple_of(u64::from(gallery.lanes));
        let buffer = |label, bytes: usize| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: padded * bytes as u64,
                usage: wgpu::BufferUsages::STORAGE
                    | wgpu::BufferUsages::COPY_DST
                    | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            })
        };
        let values = buffer("avse blocks", item_bytes(gallery.shape, gallery.content));
        let fits = (gallery.content == Content::Int8)
            .then(|| buffer("avse scales", gallery.shape.blocks * 8));
        Shard { first, rows, values, fits, texels: OnceLock::new() }
    }
}

/// Puts rows of `row_bytes` side by side in `lanes`: vector v of row n of a tile goes to place
/// v * lanes + n. Missing rows of the last tile are zero.
pub(super) fn interleave(rows: &[u8], row_bytes: usize, vector: usize, lanes: usize) -> Vec<u8> {
    if lanes == 1 {
        return rows.to_vec();
    }
    let tiles = rows.len().div_ceil(row_bytes * lanes);
    let mut result = vec![0; tiles * row_bytes * lanes];
    let targets = result.chunks_exact_mut(row_bytes * lanes);
    for (source, target) in rows.chunks(row_bytes * lanes).zip(targets) {
        for (lane, row) in source.chunks_exact(row_bytes).enumerate() {
            for (place, numbers) in row.chunks_exact(vector).enumerate() {
                let at = (place * lanes + lane) * vector;
                target[at..at + vector].copy_from_slice(numbers);
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::interleave;

    #[test]
    fn lanes_side_by_side() {
        let rows: Vec<u8> = (0..12).collect();
        assert_eq!(interleave(&rows, 4, 2, 1), rows);
        let tiles = [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 0, 0, 10, 11, 0, 0];
        assert_eq!(interleave(&rows, 4, 2, 2), tiles);
    }
}
