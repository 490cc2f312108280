use super::*;
use crate::similarity::cpu::panel::{Panels, Side};
use crate::similarity::cpu::query::{ByteQuery, Estimate};
use crate::similarity::cpu::words::{Estimates, WordPanels, WordRows};
use crate::similarity::{Direction, QuantisedBlocks, QuantisedView};

/// Whether the bound holds; a bound that is not finite says nothing, and that is allowed.
fn holds(exact: f32, approximate: f32, error: f32) -> bool {
    !error.is_finite() || (f64::from(exact) - f64::from(approximate)).abs() <= f64::from(error)
}

#[test]
fn no_estimate_is_off_by_more_than_its_bound() {
    let mut rng = rng(11);
    let mut finite = 0;
    for round in 0..35 {
        let (image, caption) = shapes(&mut rng);
        let kind = Kind::ALL[round % Kind::ALL.len()];
        let images = kind.embeddings(&mut rng, 9, image);
        let captions = kind.embeddings(&mut rng, 7, caption);
        let images = Blocks::new(&images, image).unwrap();
        let captions = Blocks::new(&captions, caption).unwrap();
        for engine in engines() {
            let exact = plain_matrix(&engine, images, captions);
            for (caption, image, estimate) in estimates(&engine, images, captions) {
                let exact = exact[image * captions.rows() + caption];
                let Estimate { score, error } = estimate;
                assert!(holds(exact, score, error), "{engine:?} {kind:?} {exact} {estimate:?}");
                finite += usize::from(error.is_finite());
            }
        }
    }
    assert!(finite > 5_000, "a bound that is never finite proves nothing: {finite}");
}

/// Estimates of all pairs by both int8 directions, and in 16 bits where there are such
/// kernels: `(caption, image, estimate)`.
fn estimates(
    engine: &Engine,
    images: Blocks<'_>,
    captions: Blocks<'_>,
) -> Vec<(usize, usize, Estimate)> {
    let mut all = Vec::new();
    let nothing = Estimate { score: 0.0, error: 0.0 };
    let mut run = |queries: Blocks<'_>, gallery: Blocks<'_>, direction| {
        let bytes = QuantisedBlocks::from_blocks(gallery);
        for row in 0..queries.rows() {
            let query = queries.row(row);
            let query = ByteQuery::new(engine.kernels, query, gallery.shape(), direction).unwrap();
            let mut found = vec![nothing; gallery.rows()];
            query.estimate(bytes.view(), 0, &mut Vec::new(), &mut found);
            for (item, estimate) in found.into_iter().enumerate() {
                all.push(match direction {
                    Direction::ImagesForCaption => (row, item, estimate),
                    Direction::CaptionsForImage => (item, row, estimate),
                });
            }
        }
    };
    run(captions, images, Direction::ImagesForCaption);
    run(images, captions, Direction::CaptionsForImage);

    let lanes = Panels::new(engine.kernels, Side::Captions, captions.shape());
    if let Some(panels) = WordPanels::new(&lanes, captions) {
        let rows = WordRows::new(engine.kernels, images);
        let (mut best, mut estimates) = (Vec::new(), Estimates::default());
        for group in &panels.groups {
            group.multiply(&rows, &mut best);
            for image in 0..images.rows() {
                group.estimate(&rows, image, &mut best, &mut estimates);
                let pairs = estimates.scores.iter().zip(&estimates.errors);
                for (caption, (&score, &error)) in group.captions.clone().zip(pairs) {
                    all.push((caption, image, Estimate { score, error }));
                }
            }
        }
    }
    all
}

#[test]
fn unit_blocks_are_bound_tightly() {
    let shape = BlockShape { blocks: 4, width: 256 };
    let values = Kind::Random.embeddings(&mut rng(12), 8, shape);
    let blocks = Blocks::new(&values, shape).unwrap();
    for engine in engines() {
        for (.., estimate) in estimates(&engine, blocks, blocks) {
            assert!(estimate.error < 0.03, "{engine:?} {estimate:?}");
        }
    }
}

#[test]
fn broken_parts_are_refused() {
    let shape = BlockShape { blocks: 2, width: 4 };
    let view = |values: &[i8], scales: &[f32], residuals: &[f32]| {
        QuantisedView::new(shape, values, scales, residuals).map(|view| view.rows())
    };
    assert_eq!(view(&[1; 16], &[1.0; 4], &[0.0; 4]).unwrap(), 2);
    let refused = |result: crate::Result<usize>| result.unwrap_err().to_string();
    assert!(refused(view(&[1; 15], &[1.0; 4], &[0.0; 4])).contains("15 quantised numbers"));
    assert!(refused(view(&[1; 16], &[1.0; 3], &[0.0; 4])).contains("3 scales"));
    let scales = [1.0, 1.0, f32::NAN, 1.0];
    assert!(refused(view(&[1; 16], &scales, &[0.0; 4])).contains("embedding 1: a scale is NaN"));
    let residuals = [0.0, -1.0, 0.0, 0.0];
    assert!(refused(view(&[1; 16], &[1.0; 4], &residuals)).contains("embedding 0: a residual"));
}
