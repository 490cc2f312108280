//! Scores of all pairs.

use wgpu::BufferUsages;

use super::buffers::{part, whole};
use super::engine::GpuEngine;
use super::gallery::{Content, GpuGallery, Shard, Storage};
use super::kernel::Kernel;
use super::search::check_range;
use super::search_shape::power_of_two;
use super::tuning::MatrixTile;
use crate::similarity::Blocks;
use crate::{Error, Result};

/// Most scores of one submission.
const SCORES: u64 = 1 << 24;

impl GpuEngine {
    /// Scores of all pairs, `[images, captions]` row by row, of embeddings in host memory.
    /// Rounding as in [`search`](Self::search).
    ///
    /// # Errors
    /// As [`upload`](Self::upload) and [`score_galleries`](Self::score_galleries).
    pub async fn score_matrix(
        &self,
        images: Blocks<'_>,
        captions: Blocks<'_>,
        storage: Storage,
    ) -> Result<Vec<f32>> {
        // Used once: not worth putting side by side.
        let images = self.upload_blocks(images, storage, 1).await?;
        let captions = self.upload_blocks(captions, storage, 1).await?;
        self.score_galleries(&images, &captions).await
    }

    /// Scores of all pairs of two galleries of the same storage, `[images, captions]` row by row. Of
    /// quantised galleries the scores are those of the stored numbers; how far these can be from
    /// the exact ones says [`quantised`](crate::similarity::quantised).
    ///
    /// # Errors
    /// [`Error::Shape`]: widths or storage differ, scores could exceed f32.
    /// [`Error::Gpu`]: device lost, out of memory, gallery of another engine.
    pub async fn score_galleries(
        &self,
        images: &GpuGallery,
        captions: &GpuGallery,
    ) -> Result<Vec<f32>> {
        self.check_device(images)?;
        self.check_device(captions)?;
        if images.shape.width != captions.shape.width || images.content != captions.content {
            return Err(Error::Shape(format!(
                "images in blocks of {} ({:?}), captions in blocks of {} ({:?})",
                images.shape.width, images.content, captions.shape.width, captions.content
            )));
        }
        check_range(images.norm, captions.norm, captions.shape.blocks)?;
        let mut scores = vec![0f32; images.rows * captions.rows];
        let job = Job::new(self, images, captions);
        let work = 2 * images.shape.size() * captions.shape.blocks;
        let pairs = (self.tuning.flops / work as u64).min(SCORES).min(self.shard_bytes / 4);
        for left in &images.shards {
            for right in &captions.shards {
                let band = (pairs as usize / right.rows).max(1);
                for first in (0..left.rows).step_by(band) {
                    let rows = band.min(left.rows - first);
                    let band = job.run(left, right, first, rows).await?;
                    let targets = scores[(left.first + first) * captions.rows..]
                        .chunks_exact_mut(captions.rows);
                    for (target, source) in targets.zip(band.chunks_exact(right.rows)) {
                        target[right.first..right.first + right.rows].copy_from_slice(source);
                    }
                }
            }
        }
        Ok(scores)
    }
}

/// Two galleries and the kernel for them.
struct Job<'a> {
    engine: &'a GpuEngine,
    images: &'a GpuGallery,
    captions: &'a GpuGallery,
    kernel: Kernel,
    /// Items of a workgroup on either side.
    items: [u32; 2],
}

impl<'a> Job<'a> {
    fn new(engine: &'a GpuEngine, images: &'a GpuGallery, captions: &'a GpuGallery) -> Self {
        let lanes = [images.lanes, captions.lanes];
        let counts = [images.shape.blocks, captions.shape.blocks];
        let of = |tile: MatrixTile| {
            let blocks =
                [power_of_two(counts[0], tile.rows), power_of_two(counts[1], tile.columns)];
            (blocks, [tile.y * tile.rows / blocks[0], tile.x * tile.columns / blocks[1]])
        };
        let (kernel, items) = match images.content {
            Content::Precise(format) => {
                let tile = engine.tuning.matrix;
                let (blocks, items) = of(tile);
                let kernel = if engine.tuning.direct {
                    Kernel::MatrixDirect { format, tile, lanes, blocks }
                } else {
                    Kernel::Matrix { format, tile, lanes, blocks }
                };
                (kernel, items)
            }
            Content::Int8 => {
                let (tile, packed_dot) = (engine.tuning.matrix_int8, engine.packed_dot);
                let (blocks, items) = of(tile);
                (Kernel::MatrixInt8 { packed_dot, tile, lanes, blocks }, items)
            }
        };
        Self { engine, images, captions, kernel, items }
    }

    /// Scores of images `first..first + rows` of a shard with all captions of a shard.
    async fn run(
        &self,
        left: &Shard,
        right: &Shard,
        first: usize,
        rows: usize,
    ) -> Result<Vec<f32>> {
        let engine = self.engine;
        let bytes = 4 * (rows * right.rows) as u64;
        let params = [
            (first + rows) as u32,
            right.rows as u32,
            self.images.shape.blocks as u32,
            self.captions.shape.blocks as u32,
            self.images.block_vectors() as u32,
            right.rows as u32,
            first as u32,
            0,
        ];
        let (submission, readable) = engine
            .guarded(|| {
                let pipeline = engine.pipeline(self.kernel);
                let params = engine.filled(bytemuck::cast_slice(&params), BufferUsages::UNIFORM);
                let (scores, readable) = (engine.scratch(bytes), engine.readable(bytes));
                let mut bindings = Vec::with_capacity(6);
                for shard in [left, right] {
                    bindings.push(whole(&shard.values));
                    bindings.extend(shard.fits.as_ref().map(whole));
                }
                bindings.extend([part(&scores, 0, bytes), part(&params, 0, 32)]);
                let mut encoder = engine.device.create_command_encoder(&Default::default());
                {
                    let mut pass = encoder.begin_compute_pass(&Default::default());
                    pass.set_pipeline(&pipeline);
                    pass.set_bind_group(0, &engine.bind(&pipeline, &bindings), &[]);
                    let [y, x] = [rows, right.rows].map(|count| count as u32);
                    pass.dispatch_workgroups(
                        x.div_ceil(self.items[1]),
                        y.div_ceil(self.items[0]),
                        1,
                    );
                }
                encoder.copy_buffer_to_buffer(&scores, 0, &readable, 0, bytes);
                let submission = engine.queue.submit([encoder.finish()]);
                engine.pool.give_back([params, scores]);
                (submission, readable)
            })
            .await?;
        let data = engine.read(readable, bytes, submission).await?;
        Ok(bytemuck::pod_collect_to_vec(&data))
    }
}
