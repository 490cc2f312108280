//! Candidates of int8 galleries.

use avse_core::similarity::Direction::{self, CaptionsForImage, ImagesForCaption};
use avse_core::similarity::gpu::{GpuEngine, GpuOptions, Storage};
use avse_core::similarity::{Blocks, GalleryView, QuantisedBlocks, Stored, cpu};

use super::plain::score_of;
use super::search::sides;
use super::setup::{Rows, SHAPES, block_on, engine, on_each_variant};

/// Every item that may belong to the best k is a candidate, and its exact score lies within its bounds.
fn check(
    engine: &GpuEngine,
    gallery: Blocks<'_>,
    queries: Blocks<'_>,
    direction: Direction,
    k: usize,
    what: &str,
) -> usize {
    let what = format!(
        "{what}: {direction:?}, {} x {:?} for {:?}, k {k}",
        gallery.rows(),
        gallery.shape(),
        queries.shape()
    );
    let uploaded =
        block_on(engine.upload_quantised(QuantisedBlocks::from_blocks(gallery).view())).unwrap();
    let precise = block_on(engine.upload(gallery, Storage::F32)).unwrap();
    let on_device = block_on(engine.quantise(&precise)).unwrap();
    let mut count = 0;
    for (source, uploaded) in [("host", &uploaded), ("device", &on_device)] {
        let found = block_on(engine.candidates(uploaded, queries, direction, k)).unwrap();
        assert_eq!(found.len(), queries.rows());
        for (query, candidates) in found.iter().enumerate() {
            let what = format!("{what}, quantised on {source}, query {query}");
            let exact: Vec<f64> = (0..gallery.rows())
                .map(|item| score_of(gallery, item, queries, query, direction))
                .collect();
            for candidate in candidates {
                let score = exact[candidate.index];
                let inside =
                    f64::from(candidate.lower) <= score && score <= f64::from(candidate.upper);
                assert!(inside, "{what}: {candidate:?}, exactly {score}");
            }
            let mut order: Vec<usize> = (0..exact.len()).collect();
            order.sort_by(|a, b| exact[*b].total_cmp(&exact[*a]).then(a.cmp(b)));
            let mut indices: Vec<usize> =
                candidates.iter().map(|candidate| candidate.index).collect();
            indices.sort_unstable();
            assert!(indices.windows(2).all(|pair| pair[0] < pair[1]), "{what}: twice");
            // Whatever ties with the k-th may take its place in f32.
            let kth = order.get(k.wrapping_sub(1)).map_or(f64::NEG_INFINITY, |at| exact[*at]);
            for item in order.iter().filter(|item| k > 0 && exact[**item] >= kth) {
                assert!(
                    indices.binary_search(item).is_ok(),
                    "{what}: {item} of {} is missing",
                    exact[*item]
                );
            }
            count += candidates.len();
        }
    }
    count
}

/// Candidates from the device, scores from the processor: what the processor alone finds, to the bit.
#[test]
fn exact_search_equals_the_processor() {
    on_each_variant(|engine, what| {
        for direction in [ImagesForCaption, CaptionsForImage] {
            let (mut gallery, queries) = sides((8, 4, 64), direction, 900, 3);
            let twin = gallery.blocks().row(5).to_vec();
            for row in [7, 8, 300, 899] {
                gallery.row_mut(row).copy_from_slice(&twin);
            }
            // Blocks so large that nothing is known beforehand.
            gallery.row_mut(450).iter_mut().for_each(|value| *value *= 1e3);
            let mut huge = Rows { values: gallery.values.clone(), shape: gallery.shape };
            huge.row_mut(450).iter_mut().for_each(|value| *value *= 1e16);
            for (gallery, ks) in [(&gallery, [1, 10, 900]), (&huge, [1, 10, 2_000])] {
                let quantised = QuantisedBlocks::from_blocks(gallery.blocks());
                let uploaded = block_on(engine.upload_quantised(quantised.view())).unwrap();
                let precise = Stored::F32(&gallery.values);
                for k in ks {
                    let search =
                        engine.search_exact(&uploaded, precise, queries.blocks(), direction, k);
                    let view = GalleryView {
                        shape: gallery.shape,
                        rows: 900,
                        precise: Some(precise),
                        quantised: None,
                    };
                    let expected = cpu::Engine::new().search(queries.blocks(), &view, direction, k);
                    assert_eq!(
                        block_on(search).unwrap(),
                        expected.unwrap(),
                        "{what}: {direction:?}, k {k}"
                    );
                }
                let short = Stored::F32(&gallery.values[1..]);
                let error =
                    block_on(engine.search_exact(&uploaded, short, queries.blocks(), direction, 1));
                assert!(error.unwrap_err().to_string().contains("for 900 embeddings"));
            }
        }
    });
}

#[test]
fn every_shape_direction_and_variant() {
    on_each_variant(|engine, what| {
        for (at, shape) in SHAPES.into_iter().enumerate() {
            for direction in [ImagesForCaption, CaptionsForImage] {
                let (gallery, queries) = sides(shape, direction, 75 + at, 1 + at % 3);
                check(engine, gallery.blocks(), queries.blocks(), direction, 5, what);
            }
        }
    });
}

#[test]
fn every_count() {
    on_each_variant(|engine, what| {
        for rows in [0, 1, 65, 300] {
            for k in [0, 1, 10, 500] {
                let (gallery, queries) = sides((2, 1, 8), ImagesForCaption, rows, 1);
                check(engine, gallery.blocks(), queries.blocks(), ImagesForCaption, k, what);
            }
        }
    });
}

/// Duplicates, near ties, zero blocks, huge and tiny norms.
#[test]
fn adversarial_galleries() {
    on_each_variant(|engine, what| {
        for direction in [ImagesForCaption, CaptionsForImage] {
            let (mut gallery, queries) = sides((4, 3, 20), direction, 900, 2);
            let twin = gallery.blocks().row(0).to_vec();
            for row in 1..400 {
                gallery.row_mut(row).copy_from_slice(&twin);
                if row % 3 == 0 {
                    gallery.row_mut(row)[row % 20] += 1e-7 * row as f32;
                }
            }
            gallery.row_mut(500).fill(0.0);
            gallery.row_mut(501).iter_mut().for_each(|value| *value *= 1e9);
            gallery.row_mut(502).iter_mut().for_each(|value| *value *= 1e-30);
            gallery.row_mut(503)[0] = -1e6;
            for k in [1, 10, 420] {
                check(engine, gallery.blocks(), queries.blocks(), direction, k, what);
            }
        }
    });
}

/// The first pass has to leave most of a gallery out, or it is worth nothing.
#[test]
fn candidates_are_few() {
    let Some(engine) = engine(&GpuOptions::default()) else { return };
    let (gallery, queries) = sides((8, 4, 64), ImagesForCaption, 5_000, 2);
    let count = check(&engine, gallery.blocks(), queries.blocks(), ImagesForCaption, 5, "few");
    assert!(count < 4 * 200, "{count} candidates of two queries, twice");
}

#[test]
fn shards() {
    // Three shards of 256, or ten of 64 where the numbers are f32.
    let options = GpuOptions { shard_bytes: 64 * 8 * 16 * 4, ..GpuOptions::default() };
    let Some(engine) = engine(&options) else { return };
    let (gallery, queries) = sides((8, 4, 16), ImagesForCaption, 600, 2);
    let quantised = QuantisedBlocks::from_blocks(gallery.blocks());
    let uploaded = block_on(engine.upload_quantised(quantised.view())).unwrap();
    let all =
        block_on(engine.candidates(&uploaded, queries.blocks(), ImagesForCaption, 600)).unwrap();
    let counts: Vec<usize> = all.iter().map(Vec::len).collect();
    assert_eq!(counts, [600, 600]);
    check(&engine, gallery.blocks(), queries.blocks(), ImagesForCaption, 7, "shards");
    let error =
        block_on(engine.search(&uploaded, queries.blocks(), ImagesForCaption, 3)).unwrap_err();
    assert!(error.to_string().contains("int8 gallery"), "{error}");
}

/// Scores of two int8 galleries are those of the stored numbers.
#[test]
fn matrices() {
    on_each_variant(|engine, what| {
        for (image_blocks, caption_blocks, width) in SHAPES {
            let images = Rows::unit(1, 37, image_blocks, width);
            let captions = Rows::unit(2, 21, caption_blocks, width);
            let upload = |rows: &Rows| {
                let quantised = QuantisedBlocks::from_blocks(rows.blocks());
                let gallery = block_on(engine.upload_quantised(quantised.view())).unwrap();
                (gallery, stored(&quantised, rows))
            };
            let (left, stored_images) = upload(&images);
            let (right, stored_captions) = upload(&captions);
            let scores = block_on(engine.score_galleries(&left, &right)).unwrap();
            for (at, found) in scores.iter().enumerate() {
                let (i, j) = (at / 21, at % 21);
                let (left, right) = (stored_images.blocks(), stored_captions.blocks());
                let exact = super::plain::score(left, i, right, j);
                let error = (f64::from(*found) - exact).abs();
                assert!(error < 1e-5, "{what}: pair {i}, {j}: {found}, exactly {exact}");
            }
        }
    });
}

/// What an int8 gallery holds, as f32.
fn stored(quantised: &QuantisedBlocks, rows: &Rows) -> Rows {
    let view = quantised.view();
    let blocks = view.values().chunks_exact(rows.shape.width).zip(view.scales());
    let values = blocks.flat_map(|(block, scale)| block.iter().map(move |v| f32::from(*v) * scale));
    Rows { values: values.collect(), shape: rows.shape }
}
