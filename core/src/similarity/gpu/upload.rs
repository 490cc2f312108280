//! From host memory to the device.

use std::ops::Range;

use half::f16;

use super::engine::GpuEngine;
use super::format::Format;
use super::gallery::{
    Content, GpuGallery, SHARD_STEP, Storage, interleave, item_bytes, vector_bytes,
};
use crate::similarity::{BlockShape, Blocks, QuantisedView, Stored};
use crate::{Error, Result};

/// Bytes converted and handed to the device at once.
const CHUNK: usize = 8 << 20;

impl GpuEngine {
    /// Uploads embeddings to search in.
    ///
    /// # Errors
    /// [`Error::Gpu`]: out of memory, device lost. [`Error::Shape`]: see
    /// [`upload_rows`](Self::upload_rows).
    pub async fn upload(&self, blocks: Blocks<'_>, storage: Storage) -> Result<GpuGallery> {
        self.upload_blocks(blocks, storage, self.tuning.lanes).await
    }

    /// Uploads precise blocks of a shape as they are stored, for example in a memory-mapped file, and in
    /// as many bits.
    ///
    /// # Errors
    /// As [`upload_rows`](Self::upload_rows); [`Error::Shape`] too where they are no whole number of rows.
    pub async fn upload_stored(&self, stored: Stored<'_>, shape: BlockShape) -> Result<GpuGallery> {
        shape.validate()?;
        let (size, count) = (shape.size(), stored.len());
        if !count.is_multiple_of(size) {
            return Err(Error::Shape(format!(
                "{count} numbers are no whole number of rows of {size}"
            )));
        }
        let storage = match stored {
            Stored::F32(_) => Storage::F32,
            Stored::F16(_) => Storage::F16,
        };
        let mut buffer = Vec::new();
        let fill = |rows: Range<usize>, values: &mut [f32]| {
            values.copy_from_slice(stored.read(rows.start * size, values.len(), &mut buffer));
            Ok(())
        };
        self.upload_rows(shape, count / size, storage, fill).await
    }

    /// [`upload`](Self::upload) with a choice of lanes.
    pub(super) async fn upload_blocks(
        &self,
        blocks: Blocks<'_>,
        storage: Storage,
        lanes: u32,
    ) -> Result<GpuGallery> {
        let size = blocks.shape().size();
        let fill = |rows: Range<usize>, values: &mut [f32]| {
            values.copy_from_slice(&blocks.values()[rows.start * size..rows.end * size]);
            Ok(())
        };
        self.upload_filled(blocks.shape(), blocks.rows(), storage, lanes, fill).await
    }

    /// Uploads `rows` embeddings that `fill(range, values)` writes piece by piece, row-major: what is in a
    /// file needs never be in memory as a whole.
    ///
    /// # Errors
    /// [`Error::Shape`]: the shape is impossible, a single tile exceeds a binding, a number is
    /// not finite or (in 16 bits) out of range, the row is named. [`Error::Gpu`]: out of
    /// memory, device lost. And what `fill` says.
    pub async fn upload_rows(
        &self,
        shape: BlockShape,
        rows: usize,
        storage: Storage,
        fill: impl FnMut(Range<usize>, &mut [f32]) -> Result<()>,
    ) -> Result<GpuGallery> {
        self.upload_filled(shape, rows, storage, self.tuning.lanes, fill).await
    }

    async fn upload_filled(
        &self,
        shape: BlockShape,
        rows: usize,
        storage: Storage,
        lanes: u32,
        mut fill: impl FnMut(Range<usize>, &mut [f32]) -> Result<()>,
    ) -> Result<GpuGallery> {
        let format = self.format(storage);
        let content = Content::Precise(format);
        let (mut gallery, shard_rows) = self.empty_gallery(shape, rows, content, lanes)?;
        let row_bytes = item_bytes(shape, content);
        let mut values = Vec::new();
        let mut norm = 0f64;
        for first in (0..rows).step_by(shard_rows) {
            let count = shard_rows.min(rows - first);
            let shard = self.guarded(|| self.shard(&gallery, first, count)).await?;
            for part in chunks(count, row_bytes) {
                values.resize(part.len() * shape.size(), 0.0);
                let range = first + part.start..first + part.end;
                fill(range.clone(), &mut values)?;
                norm = norm.max(greatest_norm(&values, shape, format, range.start)?);
                let bytes = match format {
                    Format::F32 => bytemuck::cast_slice(&values).to_vec(),
                    Format::F16 | Format::F16Packed | Format::F16Wide => values
                        .iter()
                        .flat_map(|value| f16::from_f32(*value).to_le_bytes())
                        .collect(),
                };
                let bytes = interleave(&bytes, row_bytes, vector_bytes(content), lanes as usize);
                let offset = (part.start * row_bytes) as u64;
                self.write(&shard.values, offset, &bytes).await?;
            }
            gallery.shards.push(shard);
        }
        gallery.norm = norm;
        Ok(gallery)
    }

    /// Uploads embeddings in 8 bits, for [`candidates`](Self::candidates).
    ///
    /// # Errors
    /// [`Error::Gpu`]: out of memory, device lost. [`Error::Shape`]: a single tile exceeds a binding.
    pub async fn upload_quantised(&self, view: QuantisedView<'_>) -> Result<GpuGallery> {
        let (shape, rows, lanes) = (view.shape(), view.rows(), self.tuning.lanes);
        let (mut gallery, shard_rows) = self.empty_gallery(shape, rows, Content::Int8, lanes)?;
        let (row_bytes, lanes) = (item_bytes(shape, Content::Int8), lanes as usize);
        let padded = row_bytes / shape.blocks;
        for first in (0..rows).step_by(shard_rows) {
            let count = shard_rows.min(rows - first);
            let shard = self.guarded(|| self.shard(&gallery, first, count)).await?;
            for part in chunks(count, row_bytes) {
                let blocks = (first + part.start) * shape.blocks..(first + part.end) * shape.blocks;
                let values = &view.values()[blocks.start * shape.width..blocks.end * shape.width];
                let mut bytes = vec![0u8; part.len() * row_bytes];
                for (block, bytes) in
                    values.chunks_exact(shape.width).zip(bytes.chunks_exact_mut(padded))
                {
                    bytes[..shape.width].copy_from_slice(bytemuck::cast_slice(block));
                }
                let bytes = interleave(&bytes, row_bytes, 16, lanes);
                self.write(&shard.values, (part.start * row_bytes) as u64, &bytes).await?;

                let pairs = view.scales()[blocks.clone()].iter().zip(&view.residuals()[blocks]);
                let fits: Vec<f32> =
                    pairs.flat_map(|(scale, residual)| [*scale, *residual]).collect();
                let fits = interleave(bytemuck::cast_slice(&fits), shape.blocks * 8, 8, lanes);
                if let Some(buffer) = &shard.fits {
                    self.write(buffer, (part.start * shape.blocks * 8) as u64, &fits).await?;
                }
            }
            gallery.shards.push(shard);
        }
        let norms = view.scales().iter().zip(view.residuals());
        let root = (shape.width as f64).sqrt();
        let bound =
            |(scale, rest): (&f32, &f32)| 128.0 * root * f64::from(*scale) + f64::from(*rest);
        gallery.norm = norms.map(bound).fold(0.0, f64::max);
        Ok(gallery)
    }

    /// Writes a part of a buffer and lets the device take it, so that copies do not pile up.
    async fn write(&self, buffer: &wgpu::Buffer, offset: u64, bytes: &[u8]) -> Result<()> {
        self.guarded(|| {
            self.queue.write_buffer(buffer, offset, bytes);
            self.queue.submit([]);
        })
        .await?;
        // Frees what the device is done with; an error shows at the next call that waits.
        let _ = self.device.poll(wgpu::PollType::Poll);
        Ok(())
    }
}

/// `0..rows` in pieces of whole steps and about [`CHUNK`] bytes.
fn chunks(rows: usize, row_bytes: usize) -> impl Iterator<Item = Range<usize>> {
    let step = (CHUNK / row_bytes / SHARD_STEP).max(1) * SHARD_STEP;
    (0..rows).step_by(step).map(move |start| start..rows.min(start + step))
}

/// The greatest norm of a block, of embeddings from number `first` on.
fn greatest_norm(values: &[f32], shape: BlockShape, format: Format, first: usize) -> Result<f64> {
    let most = if format == Format::F32 { f32::MAX } else { f16::MAX.to_f32() };
    let mut norm = 0f64;
    for (at, block) in values.chunks_exact(shape.width).enumerate() {
        let stored = |value: &f32| (-most..=most).contains(value);
        if let Some(value) = block.iter().find(|value| !stored(value)) {
            let row = first + at / shape.blocks;
            let range = if value.is_finite() { ", out of the range of 16 bits" } else { "" };
            return Err(Error::Shape(format!("embedding {row}: a number is {value}{range}")));
        }
        norm = norm.max(block.iter().map(|value| f64::from(*value).powi(2)).sum());
    }
    Ok(norm.sqrt())
}
