//! Galleries as textures: a software adapter fetches a texel of 16 bytes whole, where it reads the
//! same from a buffer number by number.

use super::buffers::whole;
use super::engine::GpuEngine;
use super::format::Format;
use super::gallery::{Content, GpuGallery, Shard};
use super::search_shape::{GalleryMemory, TEXEL_ROW};

/// Bytes of a texel.
const TEXEL: u64 = 16;

/// The format of a gallery's texels; `None` where a vector is no texel.
fn texel_format(content: Content) -> Option<wgpu::TextureFormat> {
    match content {
        Content::Precise(Format::F32) => Some(wgpu::TextureFormat::Rgba32Float),
        Content::Precise(_) => None,
        Content::Int8 => Some(wgpu::TextureFormat::Rgba32Uint),
    }
}

/// Rows of the texture that holds `bytes`.
fn texel_rows(bytes: u64) -> u64 {
    bytes.div_ceil(TEXEL * u64::from(TEXEL_ROW))
}

impl GpuEngine {
    /// What searches read a gallery from.
    pub(super) fn gallery_memory(&self, gallery: &GpuGallery) -> GalleryMemory {
        let most = u64::from(self.device.limits().max_texture_dimension_2d);
        let fits = |shard: &Shard| texel_rows(shard.values.size()) <= most;
        let texels = self.tuning.texels
            && texel_format(gallery.content).is_some()
            && u64::from(TEXEL_ROW) <= most
            && gallery.shards.iter().all(fits);
        if texels { GalleryMemory::Texels } else { GalleryMemory::Buffer }
    }

    /// A shard's blocks, to bind. Call it guarded.
    pub(super) fn blocks<'a>(
        &self,
        shard: &'a Shard,
        content: Content,
        memory: GalleryMemory,
    ) -> wgpu::BindingResource<'a> {
        match texel_format(content) {
            Some(format) if memory == GalleryMemory::Texels => {
                let view = shard.texels.get_or_init(|| self.copy_to_texels(&shard.values, format));
                wgpu::BindingResource::TextureView(view)
            }
            _ => wgpu::BindingResource::Buffer(whole(&shard.values)),
        }
    }

    /// A texture of a buffer's vectors in their order, row by row.
    fn copy_to_texels(
        &self,
        values: &wgpu::Buffer,
        format: wgpu::TextureFormat,
    ) -> wgpu::TextureView {
        let (texels, row) = (values.size() / TEXEL, u64::from(TEXEL_ROW));
        let rows = texel_rows(values.size()) as u32;
        let size = |width, height| wgpu::Extent3d { width, height, depth_or_array_layers: 1 };
        let texture = self.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("avse texels"),
            size: size(TEXEL_ROW, rows),
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        // Whole rows, then what is left.
        let (whole_rows, left) = ((texels / row) as u32, (texels % row) as u32);
        for (first, extent) in [(0, size(TEXEL_ROW, whole_rows)), (whole_rows, size(left, 1))] {
            if extent.width == 0 || extent.height == 0 {
                continue;
            }
            let layout = wgpu::TexelCopyBufferLayout {
                offset: u64::from(first) * row * TEXEL,
                bytes_per_row: Some(TEXEL_ROW * TEXEL as u32),
                rows_per_image: None,
            };
            let mut target = texture.as_image_copy();
            target.origin.y = first;
            let source = wgpu::TexelCopyBufferInfo { buffer: values, layout };
            encoder.copy_buffer_to_texture(source, target, extent);
        }
        self.queue.submit([encoder.finish()]);
        texture.create_view(&Default::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::similarity::gpu::gallery::vector_bytes;

    #[test]
    fn vectors_that_are_texels() {
        for content in [Content::Precise(Format::F32), Content::Int8] {
            assert_eq!(vector_bytes(content) as u64, TEXEL, "{content:?}");
            let format = texel_format(content).unwrap();
            assert_eq!(format.block_copy_size(None), Some(TEXEL as u32), "{format:?}");
        }
        for format in [Format::F16, Format::F16Packed, Format::F16Wide] {
            assert_eq!(texel_format(Content::Precise(format)), None);
        }
        assert_eq!([1, 65_536, 65_537].map(texel_rows), [1, 1, 2]);
    }
}
