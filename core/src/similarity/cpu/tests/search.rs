use half::f16;

use super::*;
use crate::similarity::{
    Direction, GalleryView, Hit, QuantisedBlocks, QuantisedView, Stored, TopK,
};

const DIRECTIONS: [Direction; 2] = [Direction::ImagesForCaption, Direction::CaptionsForImage];

/// The best k by the plain loops; `None` when a score is no number.
fn plain(
    engine: &Engine,
    queries: Blocks<'_>,
    gallery: Blocks<'_>,
    direction: Direction,
    k: usize,
) -> Option<Vec<Vec<Hit>>> {
    let width = queries.shape().width;
    let of_query = |row: usize| {
        let mut best = TopK::new(k);
        for index in 0..gallery.rows() {
            let (image, caption) = match direction {
                Direction::ImagesForCaption => (gallery.row(index), queries.row(row)),
                Direction::CaptionsForImage => (queries.row(row), gallery.row(index)),
            };
            let score = plain_score(engine, image, caption, width);
            if score.is_nan() {
                return None;
            }
            best.push(Hit { index, score });
        }
        Some(best.into_hits())
    };
    (0..queries.rows()).map(of_query).collect()
}

#[test]
fn any_gallery_gives_the_hits_of_the_plain_loops() {
    let mut rng = rng(21);
    for round in 0..35 {
        let (query, stored) = shapes(&mut rng);
        let kind = Kind::ALL[round % Kind::ALL.len()];
        let rows = rng.random_range(0..100);
        let precise = kind.embeddings(&mut rng, rows, stored);
        let halves: Vec<f16> = precise.iter().map(|&value| f16::from_f32(value)).collect();
        let widened: Vec<f32> = halves.iter().map(|&value| value.to_f32()).collect();
        let queries = kind.embeddings(&mut rng, round % 4, query);
        let queries = Blocks::new(&queries, query).unwrap();
        let k = [1, 3, 10, 200][rng.random_range(0..4)];
        let galleries = [(Stored::F32(&precise), &precise), (Stored::F16(&halves), &widened)];
        for (stored_as, values) in galleries {
            // Numbers beyond f16 become infinite there, and such a gallery is no gallery.
            let Ok(blocks) = Blocks::new(values, stored) else { continue };
            let bytes = QuantisedBlocks::from_blocks(blocks);
            for (engine, direction) in
                engines().flat_map(|engine| DIRECTIONS.map(|direction| (engine, direction)))
            {
                let expected = plain(&engine, queries, blocks, direction, k);
                for quantised in [None, Some(bytes.view())] {
                    let precise = Some(stored_as);
                    let gallery = GalleryView { shape: stored, rows, precise, quantised };
                    let found = engine.search(queries, &gallery, direction, k);
                    match &expected {
                        Some(expected) => assert_eq!(
                            &found.unwrap(),
                            expected,
                            "{engine:?} {kind:?} {direction:?} {}",
                            quantised.is_some()
                        ),
                        None => assert!(found.is_err(), "{engine:?} {kind:?}"),
                    }
                }
            }
        }
    }
}

/// Enough rows for several tasks and re-ranking in several batches.
#[test]
fn many_rows_and_many_ties() {
    let shape = BlockShape { blocks: 2, width: 16 };
    for kind in [Kind::Random, Kind::Duplicates, Kind::NearTies] {
        let mut rng = rng(22);
        let values = kind.embeddings(&mut rng, 9001, shape);
        let blocks = Blocks::new(&values, shape).unwrap();
        let bytes = QuantisedBlocks::from_blocks(blocks);
        let queries = kind.embeddings(&mut rng, 2, shape);
        let queries = Blocks::new(&queries, shape).unwrap();
        for (engine, direction) in
            engines().flat_map(|engine| DIRECTIONS.map(|direction| (engine, direction)))
        {
            for k in [1, 100, 4000] {
                let expected = plain(&engine, queries, blocks, direction, k).unwrap();
                for quantised in [None, Some(bytes.view())] {
                    let precise = Some(Stored::F32(&values));
                    let gallery = GalleryView { shape, rows: 9001, precise, quantised };
                    let found = engine.search(queries, &gallery, direction, k).unwrap();
                    assert!(found == expected, "{engine:?} {kind:?} {direction:?} {k}");
                }
            }
        }
    }
}

#[test]
fn without_precise_blocks_scores_are_near() {
    let shape = BlockShape { blocks: 4, width: 64 };
    let mut rng = rng(23);
    let values = Kind::Random.embeddings(&mut rng, 300, shape);
    let blocks = Blocks::new(&values, shape).unwrap();
    let bytes = QuantisedBlocks::from_blocks(blocks);
    let gallery = GalleryView { shape, rows: 300, precise: None, quantised: Some(bytes.view()) };
    for (engine, direction) in
        engines().flat_map(|engine| DIRECTIONS.map(|direction| (engine, direction)))
    {
        let found = engine.search(blocks.slice(5..6), &gallery, direction, 300).unwrap();
        let exact = plain(&engine, blocks.slice(5..6), blocks, direction, 300).unwrap();
        let score_of = |hits: &[Hit]| {
            let mut scores = vec![f32::NAN; 300];
            hits.iter().for_each(|hit| scores[hit.index] = hit.score);
            scores
        };
        let pairs = score_of(&found[0]).into_iter().zip(score_of(&exact[0]));
        assert!(pairs.clone().all(|(a, b)| (a - b).abs() < 0.02));
        assert!(found[0].windows(2).all(|two| two[0].score >= two[1].score));
    }
}

/// An item so large that its approximate score is no number, although the exact one is and beats all others,
/// among more near ties than one batch of the re-ranking holds.
#[test]
fn an_item_without_a_bound_is_scored_first() {
    const ROWS: usize = 300;
    let (image, caption) =
        (BlockShape { blocks: 8, width: 16 }, BlockShape { blocks: 2, width: 16 });
    let mut rng = rng(24);
    let queries = Kind::Random.embeddings(&mut rng, 1, caption);
    let mut values = Kind::NearTies.embeddings(&mut rng, ROWS, image);
    let (one, two) = queries.split_at(16);
    let huge = one.iter().zip(two).map(|(one, two)| 1e36 * (one - 0.5 * two));
    let huge: Vec<f32> = huge.cycle().take(image.size()).collect();
    values[150 * image.size()..][..image.size()].copy_from_slice(&huge);
    let gallery = Blocks::new(&values, image).unwrap();
    let queries = Blocks::new(&queries, caption).unwrap();
    let bytes = QuantisedBlocks::from_blocks(gallery);
    for engine in engines() {
        for k in [1, 3] {
            let direction = Direction::ImagesForCaption;
            let expected = plain(&engine, queries, gallery, direction, k).unwrap();
            assert_eq!(expected[0][0].index, 150);
            let precise = Some(Stored::F32(&values));
            let quantised = Some(bytes.view());
            let view = GalleryView { shape: image, rows: ROWS, precise, quantised };
            assert_eq!(
                engine.search(queries, &view, direction, k).unwrap(),
                expected,
                "{engine:?}"
            );
        }
    }
}

#[test]
fn a_score_that_is_no_number_is_refused() {
    let (one, two) = (BlockShape { blocks: 1, width: 4 }, BlockShape { blocks: 2, width: 4 });
    // The second caption block gives -infinity, the first one infinity.
    let (images, caption) = ([1e30; 4 * 9], [1e30, 0.0, 0.0, 0.0, -1e30, 0.0, 0.0, 0.0]);
    let images = Blocks::new(&images, one).unwrap();
    let caption = Blocks::new(&caption, two).unwrap();
    let bytes = QuantisedBlocks::from_blocks(images);
    for engine in engines() {
        let precise = Some(Stored::F32(images.values()));
        let bytes = Some(bytes.view());
        for (precise, quantised) in [(precise, None), (precise, bytes), (None, bytes)] {
            let gallery = GalleryView { shape: one, rows: 9, precise, quantised };
            let found = engine.search(caption, &gallery, Direction::ImagesForCaption, 1);
            let error = found.unwrap_err().to_string();
            assert!(error.contains("embedding 0: its score is not a number"), "{error}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let shape = BlockShape { blocks: 2, width: 4 };
    let other = BlockShape { blocks: 1, width: 8 };
    let values = [0.5; 16];
    let queries = Blocks::new(&values, shape).unwrap();
    let bytes = QuantisedBlocks::from_blocks(Blocks::new(&values, other).unwrap());
    let refused = |queries: Blocks<'_>, gallery: GalleryView<'_>| {
        let direction = Direction::ImagesForCaption;
        Engine::new().search(queries, &gallery, direction, 1).unwrap_err().to_string()
    };
    let precise = Some(Stored::F32(&values));
    let good = GalleryView { shape, rows: 2, precise, quantised: None };
    let none = GalleryView { precise: None, ..good };
    assert!(refused(queries, none).contains("neither precise nor quantised"));
    assert!(refused(queries, GalleryView { rows: 3, ..good }).contains("16 precise numbers"));
    let mixed = GalleryView { quantised: Some(bytes.view()), ..good };
    assert!(refused(queries, mixed).contains("2 quantised ones of 1 x 8"));
    let wide = Blocks::new(&values, other).unwrap();
    assert!(refused(wide, good).contains("queries have blocks of width 8"));
    // A precise number that is none is met when it is scored.
    let mut broken = values;
    broken[9] = f32::NAN;
    let broken = GalleryView { precise: Some(Stored::F32(&broken)), ..good };
    assert!(refused(queries, broken).contains("embedding 1"));
    let empty: Option<QuantisedView<'_>> = None;
    let direction = Direction::CaptionsForImage;
    let nothing =
        GalleryView { rows: 0, precise: Some(Stored::F32(&[])), quantised: empty, ..good };
    let engine = Engine::new();
    assert_eq!(engine.search(queries, &nothing, direction, 3).unwrap(), vec![vec![]; 2]);
    assert_eq!(engine.search(queries, &good, direction, 0).unwrap(), vec![vec![]; 2]);
}
