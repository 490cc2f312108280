//! Normalising and quantising on the device.

use wgpu::BufferUsages;

use super::buffers::{part, whole};
use super::engine::GpuEngine;
use super::format::Format;
use super::gallery::{Content, GpuGallery, SHARD_STEP, Shard, Storage};
use super::kernel::Kernel;
use crate::similarity::BlockShape;
use crate::{Error, Result};

/// Where a kernel says what was wrong.
const STATUS: BufferUsages = BufferUsages::STORAGE.union(BufferUsages::COPY_SRC);

impl GpuEngine {
    /// A gallery of embeddings that are on the device already, as the towers leave them: f32, row-major,
    /// at the start of `embeddings` (usage `STORAGE`). Each is normalised as a whole and then each of its
    /// blocks, see [`normalise`](crate::similarity::normalise); nothing passes through host memory.
    ///
    /// # Errors
    /// [`Error::Shape`]: the buffer holds fewer rows, the shape is impossible, or a number is not
    /// finite (the row is named).
    /// [`Error::Gpu`]: out of memory, device lost.
    pub async fn normalised_gallery(
        &self,
        embeddings: &wgpu::Buffer,
        rows: usize,
        shape: BlockShape,
        storage: Storage,
    ) -> Result<GpuGallery> {
        self.normalise_buffer(embeddings, rows, shape, self.format(storage), self.tuning.lanes)
            .await
    }

    async fn normalise_buffer(
        &self,
        embeddings: &wgpu::Buffer,
        rows: usize,
        shape: BlockShape,
        format: Format,
        lanes: u32,
    ) -> Result<GpuGallery> {
        let content = Content::Precise(format);
        let (mut gallery, shard_rows) = self.empty_gallery(shape, rows, content, lanes)?;
        let row_bytes = 4 * shape.size();
        if embeddings.size() < (rows * row_bytes) as u64 {
            return Err(Error::Shape(format!(
                "a buffer of {} bytes for {rows} embeddings of {} numbers",
                embeddings.size(),
                shape.size()
            )));
        }
        // What is read takes more bytes than what is written in 16 bits.
        let band =
            (self.shard_bytes as usize / row_bytes / SHARD_STEP * SHARD_STEP).min(shard_rows);
        if band == 0 {
            return Err(Error::Shape(format!(
                "{SHARD_STEP} rows of {row_bytes} bytes exceed a binding"
            )));
        }
        let broken = self.guarded(|| self.filled(&[0xff; 4], STATUS)).await?;
        for first in (0..rows).step_by(shard_rows) {
            let shard = self
                .guarded(|| {
                    let shard = self.shard(&gallery, first, shard_rows.min(rows - first));
                    for start in (0..shard.rows).step_by(band) {
                        let count = band.min(shard.rows - start);
                        let offset = ((first + start) * row_bytes) as u64;
                        let source = part(embeddings, offset, (count * row_bytes) as u64);
                        let counts = [count, shape.blocks, shape.width / 4, start, first + start];
                        let grid = [count.min(65_535), count.div_ceil(65_535)].map(|n| n as u32);
                        let bindings = [source, whole(&shard.values), part(&broken, 0, 4)];
                        self.dispatch(
                            Kernel::Normalise { format, lanes },
                            &bindings,
                            &counts,
                            grid,
                        );
                    }
                    shard
                })
                .await?;
            gallery.shards.push(shard);
        }
        let status = self.copy_back(&broken, 4).await?;
        self.pool.give_back([broken]);
        match bytemuck::pod_read_unaligned::<u32>(&status) {
            u32::MAX => {}
            row => return Err(Error::Shape(format!("embedding {row}: a number is not finite"))),
        }
        // Of the unit blocks, with their rounding.
        gallery.norm = 1.0 + 1e-2;
        Ok(gallery)
    }

    /// Normalises embeddings in host memory, each as a whole and then each of its blocks, as
    /// [`normalise`](crate::similarity::normalise) does, within W 2^-22 of it for blocks of width W.
    ///
    /// # Errors
    /// [`Error::Shape`]: `embeddings` is no whole number of rows, or a number is not finite.
    /// [`Error::Gpu`]: out of memory, device lost.
    pub async fn normalise(&self, embeddings: &[f32], shape: BlockShape) -> Result<Vec<f32>> {
        let blocks = crate::similarity::Blocks::new(embeddings, shape)?;
        let size = shape.size();
        let band = (self.shard_bytes as usize / 4 / size).max(1);
        let mut result = Vec::with_capacity(embeddings.len());
        for first in (0..blocks.rows()).step_by(band) {
            let rows = band.min(blocks.rows() - first);
            let values = blocks.slice(first..first + rows).values();
            let source = self
                .guarded(|| self.filled(bytemuck::cast_slice(values), BufferUsages::STORAGE))
                .await?;
            let gallery = self.normalise_buffer(&source, rows, shape, Format::F32, 1).await?;
            self.pool.give_back([source]);
            for shard in &gallery.shards {
                let bytes = self.copy_back(&shard.values, (shard.rows * size * 4) as u64).await?;
                result.extend(bytemuck::pod_collect_to_vec::<u8, f32>(&bytes));
            }
        }
        Ok(result)
    }

    /// A gallery's blocks in 8 bits, for [`candidates`](Self::candidates); a quarter of the memory of 32 bits.
    ///
    /// # Errors
    /// [`Error::Shape`]: it is quantised already. [`Error::Gpu`]: out of memory, device lost, gallery of
    /// another engine.
    pub async fn quantise(&self, gallery: &GpuGallery) -> Result<GpuGallery> {
        self.check_device(gallery)?;
        let (format, lanes) = (gallery.format()?, gallery.lanes);
        let shape = gallery.shape;
        let (mut result, most) = self.empty_gallery(shape, gallery.rows, Content::Int8, lanes)?;
        result.norm = gallery.norm * 2.0;
        for source in &gallery.shards {
            if source.rows > most {
                return Err(Error::Shape(format!(
                    "a shard of {} rows exceeds {most}",
                    source.rows
                )));
            }
            let shard = self.guarded(|| self.quantise_shard(&result, source, format)).await?;
            result.shards.push(shard);
        }
        Ok(result)
    }

    fn quantise_shard(&self, result: &GpuGallery, source: &Shard, format: Format) -> Shard {
        let (lanes, blocks) = (result.lanes, result.shape.blocks);
        let shard = self.shard(result, source.first, source.rows);
        let counts = [source.rows, blocks, result.shape.width / 4, result.block_vectors()];
        let mut bindings = vec![whole(&source.values), whole(&shard.values)];
        bindings.extend(shard.fits.as_ref().map(whole));
        let grid = [(source.rows as u32).div_ceil(lanes), blocks as u32];
        self.dispatch(Kernel::Quantise { format, lanes }, &bindings, &counts, grid);
        shard
    }

    /// Runs one kernel whose last binding is a few counts. Call it guarded.
    fn dispatch(
        &self,
        kernel: Kernel,
        bindings: &[wgpu::BufferBinding<'_>],
        counts: &[usize],
        grid: [u32; 2],
    ) {
        let pipeline = self.pipeline(kernel);
        let mut params = [0u32; 8];
        params.iter_mut().zip(counts).for_each(|(param, count)| *param = *count as u32);
        let params = self.filled(bytemuck::cast_slice(&params), BufferUsages::UNIFORM);
        let mut bindings = bindings.to_vec();
        bindings.push(part(&params, 0, 32));
        let mut encoder = self.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &self.bind(&pipeline, &bindings), &[]);
            pass.dispatch_workgroups(grid[0], grid[1], 1);
        }
        self.queue.submit([encoder.finish()]);
        self.pool.give_back([params]);
    }

    /// The first `bytes` of a buffer of the device.
    pub(super) async fn copy_back(&self, buffer: &wgpu::Buffer, bytes: u64) -> Result<Vec<u8>> {
        let (submission, readable) = self
            .guarded(|| {
                let readable = self.readable(bytes);
                let mut encoder = self.device.create_command_encoder(&Default::default());
                encoder.copy_buffer_to_buffer(buffer, 0, &readable, 0, bytes);
                (self.queue.submit([encoder.finish()]), readable)
            })
            .await?;
        self.read(readable, bytes, submission).await
    }
}
