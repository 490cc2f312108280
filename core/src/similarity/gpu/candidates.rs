//! The first pass of an exact search in an int8 gallery.

use wgpu::BufferUsages;

use super::buffers::{ALIGNMENT, part, whole};
use super::engine::GpuEngine;
use super::gallery::GpuGallery;
use super::kernel::{GallerySide, Kernel, SearchShape};
use super::search::{Unit, column_block, next_batch};
use crate::similarity::quantised::{Fit, QueryBound};
use crate::similarity::{BlockShape, Blocks, Direction, Hit, TopK};
use crate::{Error, Result};

/// An item that may be among the best, and what its exact score lies between.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Row of the gallery.
    pub index: usize,
    /// At most the exact score.
    pub lower: f32,
    /// At least the exact score.
    pub upper: f32,
}

/// Finds of one submission at most.
const FOUND: u64 = (32 << 20) / 16;
/// Items a workgroup writes beyond k at first: candidates are rarely more than these.
const SPARE: u32 = 8;
/// Query blocks are integers up to this: two planes of 8 bits.
const LEVEL: f32 = 127.0 * 128.0;
/// Wider blocks could leave 32 bits.
const WIDEST: usize = 1 << 17;

impl GpuEngine {
    /// For each query every item of an int8 gallery that can be among its best `k`, in no order: the
    /// upper bound of its exact score reaches the k-th greatest lower bound. Exact means computed in f32
    /// from the precise blocks in any order of summation.
    ///
    /// # Errors
    /// [`Error::Shape`]: widths differ or exceed 131,072, the gallery is not quantised.
    /// [`Error::Gpu`]: device lost, out of memory, gallery of another engine.
    pub async fn candidates(
        &self,
        gallery: &GpuGallery,
        queries: Blocks<'_>,
        direction: Direction,
        k: usize,
    ) -> Result<Vec<Vec<Candidate>>> {
        if !gallery.is_quantised() {
            return Err(Error::Shape("a gallery of precise blocks: search it directly".into()));
        }
        self.check_queries(gallery, queries)?;
        if gallery.shape.width > WIDEST {
            return Err(Error::Shape(format!("blocks of more than {WIDEST} numbers in 8 bits")));
        }
        let side = GallerySide::of(direction);
        let (blocks, query_blocks) = (gallery.shape.blocks, queries.shape().blocks);
        let shape = SearchShape::new(&self.tuning, side, blocks, 1, query_blocks);
        let mut results = Vec::with_capacity(queries.rows());
        for query in 0..queries.rows() {
            let query = Query::new(queries.slice(query..query + 1), &shape, gallery.shape);
            results.push(self.candidates_of(gallery, &query, &shape, k).await?);
        }
        Ok(results)
    }

    async fn candidates_of(
        &self,
        gallery: &GpuGallery,
        query: &Query,
        shape: &SearchShape,
        k: usize,
    ) -> Result<Vec<Candidate>> {
        if k == 0 || gallery.rows == 0 {
            return Ok(Vec::new());
        }
        let mut spare = SPARE;
        loop {
            let wanted = (k as u64 + u64::from(spare)).min(u64::from(u32::MAX)) as u32;
            let mut units = self.units(gallery, shape, 1, |slots| wanted.min(slots));
            let mut lists = Vec::new();
            while !units.is_empty() {
                let batch = next_batch(&mut units, 1, FOUND);
                let found = self.run_candidates(gallery, query, shape, &batch).await?;
                for unit in &batch {
                    let finds = &found[unit.found as usize..][..(unit.groups * unit.kept) as usize];
                    let complete = unit.kept == shape.slots(unit.turns);
                    let list = |list: &[Find]| (complete, list.to_vec());
                    lists.extend(finds.chunks_exact(unit.kept as usize).map(list));
                }
            }
            if let Some(candidates) = reaching(&lists, k) {
                return Ok(candidates);
            }
            // Some workgroup may hold more that reach the threshold.
            spare = spare.saturating_mul(8);
        }
    }

    async fn run_candidates(
        &self,
        gallery: &GpuGallery,
        query: &Query,
        shape: &SearchShape,
        batch: &[Unit<'_>],
    ) -> Result<Vec<Find>> {
        let packed_dot = self.packed_dot;
        let kernel = Kernel::SearchInt8 { packed_dot, shape: *shape };
        let bytes = batch.iter().map(|unit| u64::from(unit.groups * unit.kept)).sum::<u64>() * 16;
        let params = batch.iter().flat_map(|unit| {
            let mut params = [0u32; ALIGNMENT as usize / 4];
            params[..9].copy_from_slice(&[
                unit.shard.rows as u32,
                gallery.shape.blocks as u32,
                gallery.block_vectors() as u32,
                query.chunks as u32,
                unit.turns,
                unit.kept,
                unit.groups,
                unit.found as u32,
                unit.shard.first as u32,
            ]);
            params[9] = (128.0 * (gallery.shape.width as f32).sqrt()).next_up().to_bits();
            let [residual, norm, tiny] = query.bound.factors();
            params[10..13].copy_from_slice(&[residual, norm, tiny].map(f32::to_bits));
            params
        });
        let params: Vec<u32> = params.collect();
        let (submission, readable) = self
            .guarded(|| {
                let pipeline = self.pipeline(kernel);
                let columns =
                    self.filled(bytemuck::cast_slice(&query.planes), BufferUsages::STORAGE);
                let scales =
                    self.filled(bytemuck::cast_slice(&query.scales), BufferUsages::STORAGE);
                let params = self.filled(bytemuck::cast_slice(&params), BufferUsages::UNIFORM);
                let (found, readable) = (self.scratch(bytes), self.readable(bytes));
                let mut encoder = self.device.create_command_encoder(&Default::default());
                {
                    let mut pass = encoder.begin_compute_pass(&Default::default());
                    pass.set_pipeline(&pipeline);
                    for (at, unit) in (0..).zip(batch) {
                        let mut bindings = vec![whole(&unit.shard.values)];
                        bindings.extend(unit.shard.fits.as_ref().map(whole));
                        bindings.extend([whole(&columns), whole(&scales)]);
                        bindings
                            .extend([part(&found, 0, bytes), part(&params, at * ALIGNMENT, 64)]);
                        pass.set_bind_group(0, &self.bind(&pipeline, &bindings), &[]);
                        pass.dispatch_workgroups(unit.groups, 1, 1);
                    }
                }
                encoder.copy_buffer_to_buffer(&found, 0, &readable, 0, bytes);
                let submission = self.queue.submit([encoder.finish()]);
                self.pool.give_back([columns, scales, params, found]);
                (submission, readable)
            })
            .await?;
        let data = self.read(readable, bytes, submission).await?;
        Ok(bytemuck::pod_collect_to_vec(&data))
    }
}

/// Index, bits of the upper bound, bits of the lower bound, nothing.
type Find = [u32; 4];

/// The items whose upper bound reaches the k-th greatest lower bound, from the lists of workgroups and
/// whether each holds all that its workgroup has. `None` where an incomplete list reaches it to its end.
fn reaching(lists: &[(bool, Vec<Find>)], k: usize) -> Option<Vec<Candidate>> {
    let exists = |find: &&Find| find[0] != u32::MAX;
    let candidate = |find: &Find| Candidate {
        index: find[0] as usize,
        upper: f32::from_bits(find[1]),
        lower: f32::from_bits(find[2]),
    };
    // Any k items give a threshold that the k-th best exact score reaches.
    let mut lowers = TopK::new(k);
    for find in lists.iter().flat_map(|(_, list)| list).filter(exists) {
        let Candidate { index, lower, .. } = candidate(find);
        lowers.push(Hit { index, score: lower });
    }
    let threshold = lowers.threshold();
    let reaches = |find: &&Find| find[0] != u32::MAX && f32::from_bits(find[1]) >= threshold;
    let open =
        lists.iter().any(|(complete, list)| !complete && list.last().as_ref().is_some_and(reaches));
    let found = || lists.iter().flat_map(|(_, list)| list).filter(reaches).map(candidate).collect();
    (!open).then(found)
}

/// A query in two planes of 8 bits, see `shaders/search_int8.wgsl`.
struct Query {
    planes: Vec<i8>,
    scales: Vec<f32>,
    chunks: usize,
    bound: QueryBound,
}

impl Query {
    fn new(query: Blocks<'_>, shape: &SearchShape, gallery: BlockShape) -> Self {
        let BlockShape { blocks, width } = query.shape();
        let (columns, padded) = (shape.query_blocks as usize, width.next_multiple_of(16));
        let chunks = blocks.div_ceil(columns);
        let mut planes = vec![0i8; 2 * chunks * columns * padded];
        let mut scales = vec![0f32; chunks * columns];
        for at in 0..chunks * columns {
            let Some(block) = column_block(shape, at, blocks) else { continue };
            let (chunk, column) = (at / columns, at % columns);
            let numbers = &query.values()[block * width..(block + 1) * width];
            let place = |k: usize, plane| {
                (((chunk * padded / 16 + k / 16) * columns + column) * 2 + plane) * 16 + k % 16
            };
            let fit = Fit::of(numbers, LEVEL, |k, level| {
                let high = (level / 128.0).round();
                planes[place(k, 0)] = high as i8;
                planes[place(k, 1)] = (level - 128.0 * high) as i8;
            });
            scales[at] = fit.scale;
        }
        let fits = query.values().chunks_exact(width).map(|block| Fit::of(block, LEVEL, |_, _| {}));
        let parts = fits.map(|fit| (f64::from(fit.norm), f64::from(fit.residual)));
        let fold = |a: (f64, f64), b: (f64, f64)| match shape.side {
            GallerySide::Images => (a.0 + b.0, a.1 + b.1),
            GallerySide::Captions => (a.0.max(b.0), a.1.max(b.1)),
        };
        let (norm, residual) = parts.fold((0.0, 0.0), fold);
        let captions = if shape.side == GallerySide::Images { blocks } else { gallery.blocks };
        Self { planes, scales, chunks, bound: QueryBound::new(norm, residual, width, captions) }
    }
}
