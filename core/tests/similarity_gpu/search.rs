//! Top-k of a few queries.

use avse_core::similarity::Direction::{self, CaptionsForImage, ImagesForCaption};
use avse_core::similarity::gpu::{GpuEngine, GpuGallery, GpuOptions, Storage};
use avse_core::similarity::{Blocks, Hit, Stored};
use half::f16;

use super::plain::{assert_best, halves, rounding, score_of};
use super::setup::{Rows, SHAPES, block_on, engine, on_each_variant};

/// Gallery and queries of a shape in a direction.
pub fn sides(
    shape: (usize, usize, usize),
    direction: Direction,
    rows: usize,
    queries: usize,
) -> (Rows, Rows) {
    let (images, captions, width) = shape;
    let (gallery, query) = match direction {
        ImagesForCaption => (images, captions),
        CaptionsForImage => (captions, images),
    };
    (Rows::unit(1, rows, gallery, width), Rows::unit(2, queries, query, width))
}

/// Searches and checks the result against all plain scores.
fn check(
    engine: &GpuEngine,
    gallery: Blocks<'_>,
    queries: Blocks<'_>,
    direction: Direction,
    storage: Storage,
    k: usize,
    what: &str,
) {
    let what = format!(
        "{what}: {direction:?}, {storage:?}, {} x {:?} for {:?}, k {k}",
        gallery.rows(),
        gallery.shape(),
        queries.shape()
    );
    let uploaded = block_on(engine.upload(gallery, storage)).unwrap();
    assert_eq!((uploaded.rows(), uploaded.shape()), (gallery.rows(), gallery.shape()));
    let found = block_on(engine.search(&uploaded, queries, direction, k)).unwrap();
    assert_eq!(found.len(), queries.rows(), "{what}");

    let rounded = halves(gallery.values());
    let stored = match storage {
        Storage::F32 => gallery,
        Storage::F16 => Blocks::new(&rounded, gallery.shape()).unwrap(),
    };
    let error = match direction {
        ImagesForCaption => rounding(stored, queries),
        CaptionsForImage => rounding(queries, stored),
    };
    for (query, hits) in found.iter().enumerate() {
        let exact =
            (0..stored.rows()).map(|item| score_of(stored, item, queries, query, direction));
        assert_best(hits, &exact.collect::<Vec<_>>(), k, error, &format!("{what}, query {query}"));
    }
}

#[test]
fn every_shape_direction_and_variant() {
    on_each_variant(|engine, what| {
        for (at, shape) in SHAPES.into_iter().enumerate() {
            for direction in [ImagesForCaption, CaptionsForImage] {
                let storage = if at % 2 == 0 { Storage::F32 } else { Storage::F16 };
                let (gallery, queries) = sides(shape, direction, 75 + at, 1 + at % 3);
                check(engine, gallery.blocks(), queries.blocks(), direction, storage, 7, what);
            }
        }
    });
}

#[test]
fn every_count() {
    on_each_variant(|engine, what| {
        for rows in [0, 1, 2, 63, 64, 65, 300] {
            for k in [0, 1, 10, 65, 500] {
                let (gallery, queries) = sides((2, 1, 8), ImagesForCaption, rows, 1);
                check(
                    engine,
                    gallery.blocks(),
                    queries.blocks(),
                    ImagesForCaption,
                    Storage::F32,
                    k,
                    what,
                );
            }
        }
        let (gallery, queries) = sides((2, 1, 8), CaptionsForImage, 5, 0);
        check(engine, gallery.blocks(), queries.blocks(), CaptionsForImage, Storage::F16, 3, what);
    });
}

/// Many turns of each workgroup, the last ones partly and wholly empty.
#[test]
fn long_galleries() {
    on_each_variant(|engine, what| {
        let (gallery, queries) = sides((1, 1, 4), ImagesForCaption, 70_001, 2);
        for (storage, k) in [(Storage::F16, 1), (Storage::F16, 30), (Storage::F32, 30)] {
            check(engine, gallery.blocks(), queries.blocks(), ImagesForCaption, storage, k, what);
        }
    });
}

/// As they lie in a file, in 32 and 16 bits.
#[test]
fn stored_blocks() {
    let Some(engine) = engine(&GpuOptions::default()) else { return };
    let (gallery, queries) = sides((8, 4, 16), ImagesForCaption, 130, 1);
    let halves: Vec<f16> = gallery.values.iter().map(|value| f16::from_f32(*value)).collect();
    let search = |gallery: &GpuGallery| {
        block_on(engine.search(gallery, queries.blocks(), ImagesForCaption, 9)).unwrap()
    };
    let stored =
        [(Stored::F32(&gallery.values), Storage::F32), (Stored::F16(&halves), Storage::F16)];
    for (stored, storage) in stored {
        let uploaded = block_on(engine.upload_stored(stored, gallery.shape)).unwrap();
        let same = block_on(engine.upload(gallery.blocks(), storage)).unwrap();
        assert_eq!(uploaded.bytes(), same.bytes());
        assert_eq!(search(&uploaded), search(&same));
    }
    let error =
        block_on(engine.upload_stored(Stored::F16(&halves[1..]), gallery.shape)).unwrap_err();
    assert!(error.to_string().contains("whole number of rows"), "{error}");
}

/// A binding that holds a few rows only.
#[test]
fn shards() {
    let options = GpuOptions { shard_bytes: 64 * 8 * 16 * 4, ..GpuOptions::default() };
    let Some(engine) = engine(&options) else { return };
    for rows in [64, 65, 500] {
        let (gallery, queries) = sides((8, 4, 16), ImagesForCaption, rows, 3);
        for storage in [Storage::F32, Storage::F16] {
            check(
                &engine,
                gallery.blocks(),
                queries.blocks(),
                ImagesForCaption,
                storage,
                20,
                "shards",
            );
        }
    }
}

/// Equal items have equal scores, wherever they lie, and come in the order of their indices.
#[test]
fn ties_go_to_the_lower_index() {
    on_each_variant(|engine, what| {
        for direction in [ImagesForCaption, CaptionsForImage] {
            let (mut gallery, queries) = sides((8, 4, 16), direction, 700, 1);
            let twin = gallery.blocks().row(0).to_vec();
            for row in [3, 64, 65, 127, 128, 500, 699] {
                gallery.row_mut(row).copy_from_slice(&twin);
            }
            let uploaded = block_on(engine.upload(gallery.blocks(), Storage::F32)).unwrap();
            // The whole ranking: the twins stand together, in order.
            let hits =
                &block_on(engine.search(&uploaded, queries.blocks(), direction, 700)).unwrap()[0];
            let first = hits.iter().position(|hit| hit.index == 0).unwrap();
            let twins: Vec<usize> = hits[first..first + 8].iter().map(|hit| hit.index).collect();
            assert_eq!(twins, [0, 3, 64, 65, 127, 128, 500, 699], "{what}");
            // And cut in their midst.
            let hits = &block_on(engine.search(&uploaded, queries.blocks(), direction, first + 3))
                .unwrap()[0];
            let twins: Vec<usize> = hits[first..].iter().map(|hit| hit.index).collect();
            assert_eq!(twins, [0, 3, 64], "{what}");
        }
    });
}

/// All zero: every item ties.
#[test]
fn zero_blocks() {
    on_each_variant(|engine, what| {
        let gallery = Rows {
            values: vec![0.0; 130 * 8],
            shape: sides((2, 1, 4), ImagesForCaption, 0, 0).0.shape,
        };
        let queries = Rows::unit(3, 1, 1, 4);
        let uploaded = block_on(engine.upload(gallery.blocks(), Storage::F32)).unwrap();
        let hits =
            block_on(engine.search(&uploaded, queries.blocks(), ImagesForCaption, 3)).unwrap();
        let expected = [0, 1, 2].map(|index| Hit { index, score: 0.0 });
        assert_eq!(hits, [expected], "{what}");
    });
}

#[test]
fn what_does_not_fit_is_refused() {
    let Some(engine) = engine(&GpuOptions::default()) else { return };
    let (gallery, queries) = sides((2, 1, 8), ImagesForCaption, 5, 1);
    let uploaded = block_on(engine.upload(gallery.blocks(), Storage::F32)).unwrap();
    let wide = Rows::unit(4, 1, 1, 12);
    let refused = |queries: Blocks<'_>| {
        block_on(engine.search(&uploaded, queries, ImagesForCaption, 1)).unwrap_err().to_string()
    };
    assert!(refused(wide.blocks()).contains("blocks of 12 numbers"));
    let huge = Rows { values: vec![3e38; 8], shape: queries.shape };
    assert!(refused(huge.blocks()).contains("could exceed f32"));

    let mut broken = gallery.values.clone();
    broken[2 * 16 + 3] = f32::NAN;
    let fill = |rows: std::ops::Range<usize>, values: &mut [f32]| {
        values.copy_from_slice(&broken[rows.start * 16..rows.end * 16]);
        Ok(())
    };
    let error = block_on(engine.upload_rows(gallery.shape, 5, Storage::F32, fill)).unwrap_err();
    assert!(error.to_string().contains("embedding 2: a number is NaN"), "{error}");
    let large = Rows { values: vec![70_000.0; 16], shape: gallery.shape };
    let error = block_on(engine.upload(large.blocks(), Storage::F16)).unwrap_err();
    assert!(error.to_string().contains("range of 16 bits"), "{error}");
}
