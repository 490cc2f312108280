//! The similarity without any cleverness, in f64.

use avse_core::similarity::{Blocks, Direction, Hit};
use half::f16;

/// The sum over the caption's blocks of the best image block for each.
pub fn score(image: Blocks<'_>, i: usize, caption: Blocks<'_>, j: usize) -> f64 {
    let width = image.shape().width;
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let best = |block: &[f32]| {
        let products = image.row(i).chunks_exact(width).map(|other| dot(other, block));
        products.fold(f64::NEG_INFINITY, f64::max)
    };
    caption.row(j).chunks_exact(width).map(best).sum()
}

/// A pair of a search: the query's score of an item.
pub fn score_of(
    gallery: Blocks<'_>,
    item: usize,
    queries: Blocks<'_>,
    query: usize,
    direction: Direction,
) -> f64 {
    match direction {
        Direction::ImagesForCaption => score(gallery, item, queries, query),
        Direction::CaptionsForImage => score(queries, query, gallery, item),
    }
}

/// The documented bound of a score's rounding error: (W + C) 2^-24 times the sum over caption
/// blocks of the greatest |image block| |caption block|.
pub fn rounding(images: Blocks<'_>, captions: Blocks<'_>) -> f64 {
    let width = images.shape().width;
    let norm = |block: &[f32]| block.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    let most =
        |blocks: Blocks<'_>| blocks.values().chunks_exact(width).map(norm).fold(0.0, f64::max);
    let count = captions.shape().blocks;
    (width + count) as f64 * 2f64.powi(-24) * count as f64 * most(images) * most(captions)
}

/// Numbers as 16 bits hold them.
pub fn halves(values: &[f32]) -> Vec<f32> {
    values.iter().map(|value| f16::from_f32(*value).to_f32()).collect()
}

/// Whether `hits` are the best `k`: each score right, none missing that is better by more than
/// the error, best first, of equal scores the lower index first.
pub fn assert_best(hits: &[Hit], exact: &[f64], k: usize, error: f64, what: &str) {
    assert_eq!(hits.len(), k.min(exact.len()), "{what}: hits");
    for hit in hits {
        let difference = (f64::from(hit.score) - exact[hit.index]).abs();
        assert!(difference <= error, "{what}: {hit:?}, exactly {}", exact[hit.index]);
    }
    for pair in hits.windows(2) {
        let right = pair[0].score > pair[1].score
            || (pair[0].score == pair[1].score && pair[0].index < pair[1].index);
        assert!(right, "{what}: {pair:?}");
    }
    let Some(worst) = hits.last() else { return };
    let found: std::collections::HashSet<usize> = hits.iter().map(|hit| hit.index).collect();
    for (index, score) in exact.iter().enumerate().filter(|(index, _)| !found.contains(index)) {
        let limit = f64::from(worst.score) + error;
        assert!(*score <= limit, "{what}: item {index} of {score} was left out for {worst:?}");
    }
}
