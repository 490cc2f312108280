//! Normalising on the device.

use avse_core::similarity::gpu::{GpuOptions, Storage, wgpu};
use avse_core::similarity::{Direction, normalise};
use wgpu::util::DeviceExt;

use super::setup::{Rows, SHAPES, block_on, engine, on_each_variant};

#[test]
fn as_on_the_host() {
    on_each_variant(|engine, what| {
        for (at, (blocks, _, width)) in SHAPES.into_iter().enumerate() {
            let mut rows = Rows::random(5, 3 + at, blocks, width);
            rows.row_mut(1).fill(0.0);
            rows.row_mut(2).iter_mut().for_each(|value| *value *= 1e25);
            rows.row_mut(0)[..width].fill(0.0);
            let found = block_on(engine.normalise(&rows.values, rows.shape)).unwrap();
            normalise(&mut rows.values, rows.shape).unwrap();
            assert_eq!(found.len(), rows.values.len());
            let error = (width as f32) * 2f32.powi(-22);
            for (at, (found, exact)) in found.iter().zip(&rows.values).enumerate() {
                assert!((found - exact).abs() <= error, "{what}: {at}: {found}, exactly {exact}");
            }
        }
        assert!(block_on(engine.normalise(&[], Rows::unit(1, 0, 2, 4).shape)).unwrap().is_empty());
    });
}

/// Embeddings in a buffer of the device, as Burn leaves them, become a gallery of several shards.
#[test]
fn galleries_of_device_buffers() {
    for storage in [Storage::F32, Storage::F16] {
        let options = GpuOptions { shard_bytes: 64 * 4 * 8 * 4, ..GpuOptions::default() };
        let Some(engine) = engine(&options) else { return };
        let mut rows = Rows::random(6, 300, 4, 8);
        let buffer = engine.device().create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents: bytemuck::cast_slice(&rows.values),
            usage: wgpu::BufferUsages::STORAGE,
        });
        let gallery =
            block_on(engine.normalised_gallery(&buffer, 300, rows.shape, storage)).unwrap();
        let error =
            block_on(engine.normalised_gallery(&buffer, 301, rows.shape, storage)).unwrap_err();
        assert!(error.to_string().contains("301 embeddings"), "{error}");

        normalise(&mut rows.values, rows.shape).unwrap();
        let same = block_on(engine.upload(rows.blocks(), storage)).unwrap();
        let queries = Rows::unit(7, 1, 2, 8);
        let search = |gallery| {
            let direction = Direction::ImagesForCaption;
            block_on(engine.search(gallery, queries.blocks(), direction, 300)).unwrap().remove(0)
        };
        let (mut found, mut expected) = (search(&gallery), search(&same));
        found.sort_by_key(|hit| hit.index);
        expected.sort_by_key(|hit| hit.index);
        // A number may round to the other neighbour in 16 bits.
        let error = if storage == Storage::F32 { 1e-5 } else { 2e-3 };
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.index, expected.index);
            assert!(
                (found.score - expected.score).abs() < error,
                "{found:?}, exactly {expected:?}"
            );
        }
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let Some(engine) = engine(&GpuOptions::default()) else { return };
    for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut rows = Rows::random(8, 100, 2, 4);
        rows.row_mut(97)[5] = broken;
        rows.row_mut(41)[7] = broken;
        let buffer = engine.device().create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents: bytemuck::cast_slice(&rows.values),
            usage: wgpu::BufferUsages::STORAGE,
        });
        let gallery = engine.normalised_gallery(&buffer, 100, rows.shape, Storage::F32);
        let error = block_on(gallery).unwrap_err().to_string();
        assert!(error.contains("embedding 41"), "{error}");
    }
}
