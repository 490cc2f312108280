//! The first pass of an exact search in an int8 gallery.

use wgpu::BufferUsages;

use super::buffers::{part, whole};
use super::engine::GpuEngine;
use super::gallery::GpuGallery;
use super::kernel::Kernel;
use super::pool::ALIGNMENT;
use super::search::{QUERIES, Unit, column_block};
use super::search_shape::{GallerySide, QueryMemory, SearchMemory, SearchShape};
use crate::similarity::quantised::{Fit, QueryBound, SAFE};
use crate::similarity::{BlockShape, Blocks, Direction, Hit, Stored, TopK, cpu};
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

impl Candidate {
    /// Of whose score nothing is known.
    fn unknown(index: usize) -> Self {
        Self { index, lower: f32::NEG_INFINITY, upper: f32::INFINITY }
    }
}

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
        let shape = SearchShape::new(
            self.tuning.lanes,
            self.tuning.search_int8,
            side,
            blocks,
            1,
            query_blocks,
        );
        let mut results = Vec::with_capacity(queries.rows());
        for query in 0..queries.rows() {
            let query = Query::new(queries.slice(query..query + 1), &shape, gallery.shape);
            let bounded = query.filter(|_| gallery.norm < f64::from(SAFE));
            results.push(match bounded {
                _ if k == 0 => Vec::new(),
                Some(query) => self.candidates_of(gallery, &query, &shape, k).await?,
                None => (0..gallery.rows).map(Candidate::unknown).collect(),
            });
        }
        Ok(results)
    }

    /// The best `k` items of an int8 gallery whose precise blocks are in host memory or in a
    /// memory-mapped file: candidates from the device, exact scores of these from the processor.
    /// The result is, bit for bit, what [`cpu::Engine::search`] finds in the precise blocks.
    ///
    /// # Errors
    /// As [`candidates`](Self::candidates), and [`Error::Shape`] when `precise` holds another number of
    /// embeddings or a number of a candidate that is not finite.
    pub async fn search_exact(
        &self,
        gallery: &GpuGallery,
        precise: Stored<'_>,
        queries: Blocks<'_>,
        direction: Direction,
        k: usize,
    ) -> Result<Vec<Vec<Hit>>> {
        if precise.len() != gallery.rows * gallery.shape.size() {
            return Err(Error::Shape(format!(
                "{} precise numbers for {} embeddings of {}",
                precise.len(),
                gallery.rows,
                gallery.shape.size()
            )));
        }
        let candidates = self.candidates(gallery, queries, direction, k).await?;
        let engine = cpu::Engine::new();
        let each = candidates.into_iter().enumerate().map(|(query, found)| {
            let found = found.into_iter().map(|candidate| (candidate.index, candidate.upper));
            engine.rerank(queries.row(query), gallery.shape, precise, direction, found, k)
        });
        each.collect()
    }

    async fn candidates_of(
        &self,
        gallery: &GpuGallery,
        query: &Query,
        shape: &SearchShape,
        k: usize,
    ) -> Result<Vec<Candidate>> {
        if gallery.rows == 0 {
            return Ok(Vec::new());
        }
        let mut spare = SPARE;
        loop {
            let wanted = (k as u64 + u64::from(spare)).min(u64::from(u32::MAX)) as u32;
            let mut units = self.units(gallery, shape, 1, |slots| wanted.min(slots));
            let mut lists = Vec::new();
            while !units.is_empty() {
                let batch = self.next_batch(&mut units, shape, gallery.shape);
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
        let query_bytes = query.planes.len() as u64;
        let memory = SearchMemory {
            gallery: self.gallery_memory(gallery),
            queries: QueryMemory::of(query_bytes),
        };
        let kernel = Kernel::SearchInt8 { packed_dot, shape: *shape, memory };
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
            params[10..13].copy_from_slice(&query.factors.map(f32::to_bits));
            params
        });
        let params: Vec<u32> = params.collect();
        let (submission, readable) = self
            .guarded(|| {
                let pipeline = self.pipeline(kernel);
                let columns = self.filled(bytemuck::cast_slice(&query.planes), QUERIES);
                let scales =
                    self.filled(bytemuck::cast_slice(&query.scales), BufferUsages::STORAGE);
                let params = self.filled(bytemuck::cast_slice(&params), BufferUsages::UNIFORM);
                let (found, readable) = (self.scratch(bytes), self.readable(bytes));
                let mut encoder = self.device.create_command_encoder(&Default::default());
                {
                    let mut pass = encoder.begin_compute_pass(&Default::default());
                    pass.set_pipeline(&pipeline);
                    for (at, unit) in (0..).zip(batch) {
                        let mut parts: Vec<_> = unit.shard.fits.iter().map(whole).collect();
                        parts.extend([part(&columns, 0, query_bytes), whole(&scales)]);
                        parts.extend([part(&found, 0, bytes), part(&params, at * ALIGNMENT, 64)]);
                        let mut bindings =
                            vec![self.blocks(unit.shard, gallery.content, memory.gallery)];
                        bindings.extend(parts.into_iter().map(wgpu::BindingResource::Buffer));
                        pass.set_bind_group(0, &self.bind_resources(&pipeline, bindings), &[]);
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
    /// What the kernel makes an item's error of.
    factors: [f32; 3],
}

impl Query {
    /// `None` for blocks so large that nothing can be said.
    fn new(query: Blocks<'_>, shape: &SearchShape, gallery: BlockShape) -> Option<Self> {
        let BlockShape { blocks, width } = query.shape();
        let (columns, padded) = (shape.query_blocks as usize, width.next_multiple_of(16));
        let chunks = blocks.div_ceil(columns);
        let mut planes = vec![0i8; 2 * chunks * columns * padded];
        let mut scales = vec![0f32; chunks * columns];
        let mut integers = vec![0i32; blocks * width];
        let each = query.values().chunks_exact(width).zip(integers.chunks_exact_mut(width));
        let fits: Vec<Fit> = each
            .map(|(block, integers)| Fit::of(block, LEVEL, integers, |integer| integer))
            .collect();
        for (at, scale) in scales.iter_mut().enumerate() {
            let Some(block) = column_block(shape, at, blocks) else { continue };
            let (chunk, column) = (at / columns, at % columns);
            for (k, integer) in integers[block * width..(block + 1) * width].iter().enumerate() {
                let vector = (chunk * padded / 16 + k / 16) * columns + column;
                let high = (integer + 64).div_euclid(128);
                planes[vector * 32 + k % 16] = high as i8;
                planes[vector * 32 + 16 + k % 16] = (integer - 128 * high) as i8;
            }
            *scale = fits[block].scale;
        }
        let parts = fits.iter().map(|fit| (f64::from(fit.norm), f64::from(fit.residual)));
        let fold = |a: (f64, f64), b: (f64, f64)| match shape.side {
            GallerySide::Images => (a.0 + b.0, a.1 + b.1),
            GallerySide::Captions => (a.0.max(b.0), a.1.max(b.1)),
        };
        let (norm, residual) = parts.fold((0.0, 0.0), fold);
        let captions = if shape.side == GallerySide::Images { blocks } else { gallery.blocks };
        let factors = QueryBound::new(norm, residual, width, captions).factors()?;
        Some(Self { planes, scales, chunks, factors })
    }
}
