//! One or a few queries against a gallery, top-k fused.

use std::collections::VecDeque;

use wgpu::BufferUsages;

use super::buffers::part;
use super::engine::GpuEngine;
use super::format::Format;
use super::gallery::{GpuGallery, Shard};
use super::kernel::Kernel;
use super::pool::ALIGNMENT;
use super::search_shape::{GallerySide, QueryMemory, SearchMemory, SearchShape};
use crate::similarity::{BlockShape, Blocks, Direction, Hit, TopK};
use crate::{Error, Result};

/// Either way of reading queries.
pub(super) const QUERIES: BufferUsages = BufferUsages::UNIFORM.union(BufferUsages::STORAGE);
/// Found items of one submission at most.
pub(super) const FOUND: u64 = 1 << 22;

/// One pass over one shard, and where its finds go.
pub(super) struct Unit<'a> {
    pub pass: usize,
    pub shard: &'a Shard,
    pub turns: u32,
    pub kept: u32,
    pub groups: u32,
    /// In items, within its submission.
    pub found: u64,
}

impl Unit<'_> {
    /// Found items of the unit.
    fn count(&self, queries: u32) -> u64 {
        u64::from(queries) * u64::from(self.groups) * u64::from(self.kept)
    }
}

impl GpuEngine {
    /// The best `k` items of the gallery for each query, best first; of equal scores the lower
    /// index. Items without a place are left out where the gallery has fewer than `k`.
    ///
    /// `queries` are captions and the gallery holds images, or the other way round, as
    /// `direction` says. Scores differ from the exact ones by at most (W + C) 2^-24 times
    /// the sum over the caption's blocks of the greatest |image block| |caption block|, with
    /// blocks of width W and C caption blocks; equal items have equal scores.
    ///
    /// # Errors
    /// [`Error::Shape`]: widths differ, the gallery is quantised, scores could exceed f32.
    /// [`Error::Gpu`]: device lost, out of memory, gallery of another engine.
    pub async fn search(
        &self,
        gallery: &GpuGallery,
        queries: Blocks<'_>,
        direction: Direction,
        k: usize,
    ) -> Result<Vec<Vec<Hit>>> {
        let format = gallery.format()?;
        self.check_queries(gallery, queries)?;
        let mut best = vec![TopK::new(k); queries.rows()];
        if k == 0 || gallery.rows == 0 || queries.rows() == 0 {
            return Ok(best.into_iter().map(TopK::into_hits).collect());
        }
        let side = GallerySide::of(direction);
        let (blocks, query_blocks) = (gallery.shape.blocks, queries.shape().blocks);
        let shape = SearchShape::new(
            self.tuning.lanes,
            self.tuning.search(format),
            side,
            blocks,
            queries.rows(),
            query_blocks,
        );
        let passes = queries.rows().div_ceil(shape.queries as usize);

        let mut units = self.units(gallery, &shape, passes, |slots| k.min(slots as usize) as u32);
        while !units.is_empty() {
            let batch = self.next_batch(&mut units, &shape, gallery.shape);
            let found = self.run_search(format, &shape, gallery, queries, &batch).await?;
            for unit in &batch {
                let lists =
                    found[unit.found as usize..].chunks_exact((unit.groups * unit.kept) as usize);
                let first = unit.pass * shape.queries as usize;
                for (top, list) in best[first..].iter_mut().zip(lists).take(shape.queries as usize)
                {
                    for [index, score] in list.iter().filter(|[index, _]| *index != u32::MAX) {
                        top.push(Hit { index: *index as usize, score: f32::from_bits(*score) });
                    }
                }
            }
        }
        Ok(best.into_iter().map(TopK::into_hits).collect())
    }

    async fn run_search(
        &self,
        format: Format,
        shape: &SearchShape,
        gallery: &GpuGallery,
        queries: Blocks<'_>,
        batch: &[Unit<'_>],
    ) -> Result<Vec<[u32; 2]>> {
        let chunks = queries.shape().blocks.div_ceil(shape.query_blocks as usize);
        let width4 = gallery.block_vectors();
        let bytes = 8 * batch.iter().map(|unit| unit.count(shape.queries)).sum::<u64>();

        let pass_bytes = (16 * shape.columns() * chunks * width4) as u64;
        let stride = pass_bytes.next_multiple_of(ALIGNMENT);
        let memory = SearchMemory {
            gallery: self.gallery_memory(gallery),
            queries: QueryMemory::of(pass_bytes),
        };
        let kernel = Kernel::Search { format, shape: *shape, memory };
        let passes = batch[0].pass..batch[batch.len() - 1].pass + 1;
        let mut columns = vec![0f32; passes.len() * stride as usize / 4];
        for (pass, columns) in passes.clone().zip(columns.chunks_exact_mut(stride as usize / 4)) {
            let first = pass * shape.queries as usize;
            let last = queries.rows().min(first + shape.queries as usize);
            fill_columns(columns, queries.slice(first..last), shape, chunks);
        }
        let params = batch.iter().flat_map(|unit| {
            let mut params = [0u32; ALIGNMENT as usize / 4];
            params[..9].copy_from_slice(&[
                unit.shard.rows as u32,
                gallery.shape.blocks as u32,
                width4 as u32,
                chunks as u32,
                unit.turns,
                unit.kept,
                unit.groups,
                unit.found as u32,
                unit.shard.first as u32,
            ]);
            params
        });
        let params: Vec<u32> = params.collect();

        let (submission, readable) = self
            .guarded(|| {
                let pipeline = self.pipeline(kernel);
                let columns = self.filled(bytemuck::cast_slice(&columns), QUERIES);
                let params = self.filled(bytemuck::cast_slice(&params), BufferUsages::UNIFORM);
                let (found, readable) = (self.scratch(bytes), self.readable(bytes));
                let mut encoder = self.device.create_command_encoder(&Default::default());
                {
                    let mut pass = encoder.begin_compute_pass(&Default::default());
                    pass.set_pipeline(&pipeline);
                    for (at, unit) in (0..).zip(batch) {
                        let offset = (unit.pass - passes.start) as u64 * stride;
                        let mut bindings =
                            vec![self.blocks(unit.shard, gallery.content, memory.gallery)];
                        bindings.extend(
                            [
                                part(&columns, offset, pass_bytes),
                                part(&found, 0, bytes),
                                part(&params, at * ALIGNMENT, 48),
                            ]
                            .map(wgpu::BindingResource::Buffer),
                        );
                        pass.set_bind_group(0, &self.bind_resources(&pipeline, bindings), &[]);
                        pass.dispatch_workgroups(unit.groups, 1, 1);
                    }
                }
                encoder.copy_buffer_to_buffer(&found, 0, &readable, 0, bytes);
                let submission = self.queue.submit([encoder.finish()]);
                self.pool.give_back([columns, params, found]);
                (submission, readable)
            })
            .await?;
        let data = self.read(readable, bytes, submission).await?;
        Ok(bytemuck::pod_collect_to_vec(&data))
    }

    /// Takes the units of one submission off the front: at least one.
    pub(super) fn next_batch<'a>(
        &self,
        units: &mut VecDeque<Unit<'a>>,
        shape: &SearchShape,
        gallery: BlockShape,
    ) -> Vec<Unit<'a>> {
        let mut batch = Vec::new();
        let (mut found, mut rows) = (0, 0);
        let most = self.tuning.flops / (2 * gallery.size() * shape.columns()) as u64;
        while let Some(unit) = units.front() {
            rows += unit.shard.rows as u64;
            let count = unit.count(shape.queries);
            if !batch.is_empty() && (rows > most || found + count > FOUND) {
                break;
            }
            batch.extend(units.pop_front().map(|unit| Unit { found, ..unit }));
            found += count;
        }
        batch
    }

    /// Refuses queries that do not fit the gallery.
    pub(super) fn check_queries(&self, gallery: &GpuGallery, queries: Blocks<'_>) -> Result<()> {
        self.check_device(gallery)?;
        let (theirs, ours) = (queries.shape().width, gallery.shape.width);
        if theirs != ours {
            return Err(Error::Shape(format!(
                "queries of blocks of {theirs} numbers, a gallery of blocks of {ours}"
            )));
        }
        let width = queries.shape().width;
        let squares = |block: &[f32]| block.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
        let norm = queries.values().chunks_exact(width).map(squares).fold(0.0, f64::max).sqrt();
        check_range(norm, gallery.norm, gallery.shape.blocks.max(queries.shape().blocks))
    }

    /// All passes over all shards: enough workgroups to fill the device, then several turns
    /// each. `kept(slots)` says how many of a workgroup's items it writes.
    pub(super) fn units<'a>(
        &self,
        gallery: &'a GpuGallery,
        shape: &SearchShape,
        passes: usize,
        kept: impl Fn(u32) -> u32,
    ) -> VecDeque<Unit<'a>> {
        let unit = |pass, shard: &'a Shard| {
            let tiles = (shard.rows as u32).div_ceil(shape.slots(1));
            let mut turns = (tiles / self.tuning.groups).clamp(1, shape.turns);
            if kept(shape.slots(turns)) > shape.slots(1) {
                // Long lists are cheapest where everything is written anyway.
                turns = 1;
            }
            let kept = kept(shape.slots(turns));
            Unit { pass, shard, turns, kept, groups: tiles.div_ceil(turns), found: 0 }
        };
        (0..passes)
            .flat_map(|pass| gallery.shards.iter().map(move |shard| (pass, shard)))
            .map(|(pass, shard)| unit(pass, shard))
            .collect()
    }
}

/// Refuses pairs whose score could leave f32.
pub(super) fn check_range(norm: f64, other: f64, blocks: usize) -> Result<()> {
    if norm * other * blocks as f64 <= f64::from(f32::MAX) / 4.0 {
        return Ok(());
    }
    Err(Error::Shape(format!("blocks of norms {norm:e} and {other:e}: scores could exceed f32")))
}

impl GallerySide {
    pub fn of(direction: Direction) -> Self {
        match direction {
            Direction::ImagesForCaption => Self::Images,
            Direction::CaptionsForImage => Self::Captions,
        }
    }
}

/// The block of a query that stands in a column: `None` for a zero caption block; a missing image block
/// is the last again.
pub(super) fn column_block(shape: &SearchShape, block: usize, blocks: usize) -> Option<usize> {
    match shape.side {
        GallerySide::Images => (block < blocks).then_some(block),
        GallerySide::Captions => Some(block.min(blocks - 1)),
    }
}

/// Query blocks side by side, see `shaders/search.wgsl`.
fn fill_columns(columns: &mut [f32], queries: Blocks<'_>, shape: &SearchShape, chunks: usize) {
    let BlockShape { width, blocks } = queries.shape();
    let count = shape.columns();
    for query in 0..queries.rows() {
        let row = queries.row(query);
        for at in 0..chunks * shape.query_blocks as usize {
            let Some(block) = column_block(shape, at, blocks) else { continue };
            let (chunk, column) =
                (at / shape.query_blocks as usize, at % shape.query_blocks as usize);
            let column = query * shape.query_blocks as usize + column;
            for (k, value) in row[block * width..(block + 1) * width].iter().enumerate() {
                columns[(chunk * width + k) * count + column] = *value;
            }
        }
    }
}
