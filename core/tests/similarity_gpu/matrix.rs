//! Scores of all pairs.

use avse_core::similarity::Blocks;
use avse_core::similarity::gpu::{GpuOptions, Storage};

use super::plain::{halves, rounding, score};
use super::setup::{Rows, SHAPES, block_on, engine, on_each_variant};

fn assert_scores(scores: &[f32], images: Blocks<'_>, captions: Blocks<'_>, error: f64, what: &str) {
    assert_eq!(scores.len(), images.rows() * captions.rows(), "{what}");
    for (at, found) in scores.iter().enumerate() {
        let (i, j) = (at / captions.rows(), at % captions.rows());
        let exact = score(images, i, captions, j);
        let difference = (f64::from(*found) - exact).abs();
        assert!(difference <= error, "{what}: pair {i}, {j}: {found}, exactly {exact}");
    }
}

#[test]
fn every_shape_and_variant() {
    on_each_variant(|engine, what| {
        for (at, (image_blocks, caption_blocks, width)) in SHAPES.into_iter().enumerate() {
            let images = Rows::unit(1, 17 + at, image_blocks, width);
            let captions = Rows::unit(2, 35 - at, caption_blocks, width);
            let what = format!("{what}: {:?} by {:?}", images.shape, captions.shape);
            let (left, right) = (images.blocks(), captions.blocks());
            let scores = block_on(engine.score_matrix(left, right, Storage::F32)).unwrap();
            assert_scores(&scores, left, right, rounding(left, right), &what);

            let (left, right) = (halves(left.values()), halves(right.values()));
            let left = Blocks::new(&left, images.shape).unwrap();
            let right = Blocks::new(&right, captions.shape).unwrap();
            let scores =
                block_on(engine.score_matrix(images.blocks(), captions.blocks(), Storage::F16))
                    .unwrap();
            assert_scores(&scores, left, right, rounding(left, right), &format!("f16, {what}"));
        }
    });
}

#[test]
fn every_count() {
    on_each_variant(|engine, what| {
        for (rows, columns) in [(0, 3), (3, 0), (1, 1), (1, 70), (70, 1), (33, 129)] {
            let (images, captions) = (Rows::unit(1, rows, 8, 8), Rows::unit(2, columns, 4, 8));
            let (images, captions) = (images.blocks(), captions.blocks());
            let scores = block_on(engine.score_matrix(images, captions, Storage::F32)).unwrap();
            assert_scores(&scores, images, captions, rounding(images, captions), what);
        }
    });
}

/// Uploaded galleries, in lanes, in several shards on both sides, scored in several bands.
#[test]
fn galleries_in_shards() {
    let options = GpuOptions { shard_bytes: 64 * 8 * 16 * 4, ..GpuOptions::default() };
    let Some(engine) = engine(&options) else { return };
    let (images, captions) = (Rows::unit(1, 150, 8, 16), Rows::unit(2, 200, 4, 16));
    let (images, captions) = (images.blocks(), captions.blocks());
    let left = block_on(engine.upload(images, Storage::F32)).unwrap();
    let right = block_on(engine.upload(captions, Storage::F32)).unwrap();
    let scores = block_on(engine.score_galleries(&left, &right)).unwrap();
    assert_scores(&scores, images, captions, rounding(images, captions), "shards");

    let halves = block_on(engine.upload(captions, Storage::F16)).unwrap();
    let error = block_on(engine.score_galleries(&left, &halves)).unwrap_err();
    assert!(error.to_string().contains("F16"), "{error}");
}
