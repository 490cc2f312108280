//! The best k of a gallery for each query.

use std::sync::atomic::{AtomicU32, Ordering};

use super::panel::{Panels, Side};
use super::query::{ByteQuery, Estimate};
use super::scorer::Scorer;
use super::{Engine, parallel};
#[cfg(feature = "gpu")]
use crate::similarity::BlockShape;
use crate::similarity::{Blocks, Direction, GalleryView, Hit, QuantisedView, Stored, TopK};
use crate::{Error, Result};

/// Embeddings that one task looks through.
const CHUNK: usize = 4096;
/// Embeddings that stay in the cache while all queries meet them.
const BATCH: usize = 64;
/// Panels that are re-ranked between two looks at the threshold, at most.
const RERANKED: usize = 64;

impl Engine {
    /// The best `k` of a gallery for each query, best first, of equal scores the lower index
    /// first. With captions as queries the gallery holds images, and the other way round
    /// (`direction`).
    ///
    /// Scores and order are those of the precise blocks, where the gallery has any. If it has
    /// quantised blocks too, precise ones are read only where the error bound of
    /// [`quantised`](crate::similarity::quantised) leaves an item a chance. Of a gallery with
    /// quantised blocks alone the scores are approximate, within that bound.
    ///
    /// # Errors
    /// [`Error::Shape`] when the gallery's parts or the widths do not fit, or a score is not
    /// a number (the row is named).
    pub fn search(
        &self,
        queries: Blocks<'_>,
        gallery: &GalleryView<'_>,
        direction: Direction,
        k: usize,
    ) -> Result<Vec<Vec<Hit>>> {
        gallery.validate()?;
        let (width, stored) = (queries.shape().width, gallery.shape.width);
        if width != stored {
            return Err(Error::Shape(format!(
                "queries have blocks of width {width}, the gallery of width {stored}"
            )));
        }
        if k == 0 || gallery.rows == 0 || queries.rows() == 0 {
            return Ok(vec![Vec::new(); queries.rows()]);
        }
        let Some(quantised) = gallery.quantised else {
            return self.search_precise(queries, gallery, direction, k);
        };
        let bytes: Option<Vec<ByteQuery>> = (0..queries.rows())
            .map(|row| ByteQuery::new(self.kernels, queries.row(row), gallery.shape, direction))
            .collect();
        match (bytes, gallery.precise) {
            (Some(bytes), None) => approximate(&bytes, quantised, k),
            // Where most are wanted there is nothing to reject.
            (Some(bytes), Some(precise)) if k < gallery.rows / 2 => {
                let candidates = candidates(&bytes, quantised, k);
                let lanes = Panels::new(self.kernels, gallery_side(direction), gallery.shape);
                let each = candidates.into_iter().enumerate();
                each.map(|(row, found)| rerank(&lanes, queries.row(row), precise, found, k))
                    .collect()
            }
            (_, Some(_)) => self.search_precise(queries, gallery, direction, k),
            (None, None) => Err(Error::Shape(format!("quantised blocks of width {width}"))),
        }
    }

    /// The best `k` of candidates of another first pass: rows and the most that their
    /// exact scores can be.
    #[cfg(feature = "gpu")]
    pub(in crate::similarity) fn rerank(
        &self,
        query: &[f32],
        shape: BlockShape,
        precise: Stored<'_>,
        direction: Direction,
        candidates: impl Iterator<Item = (usize, f32)>,
        k: usize,
    ) -> Result<Vec<Hit>> {
        let lanes = Panels::new(self.kernels, gallery_side(direction), shape);
        let candidates = candidates.map(|(index, upper)| Candidate::new(index, upper)).collect();
        rerank(&lanes, query, precise, candidates, k)
    }

    fn search_precise(
        &self,
        queries: Blocks<'_>,
        gallery: &GalleryView<'_>,
        direction: Direction,
        k: usize,
    ) -> Result<Vec<Vec<Hit>>> {
        let Some(precise) = gallery.precise else { return Ok(Vec::new()) };
        let lanes = Panels::new(self.kernels, gallery_side(direction), gallery.shape);
        let chunk = CHUNK.next_multiple_of(lanes.items);
        let found = parallel::map(gallery.rows.div_ceil(chunk), |at| {
            let rows = at * chunk..gallery.rows.min((at + 1) * chunk);
            let mut best = vec![TopK::new(k); queries.rows()];
            let mut scorer = Scorer::new(&lanes, precise);
            for first in rows.clone().step_by(lanes.items) {
                scorer.pack_range(first, lanes.items.min(rows.end - first));
                for (query, best) in best.iter_mut().enumerate() {
                    let scores = scorer.scores(queries.row(query))?;
                    for (at, &score) in scores.iter().enumerate() {
                        push(best, first + at, score)?;
                    }
                }
            }
            Ok(best)
        });
        let mut best = vec![TopK::new(k); queries.rows()];
        for part in found {
            best.iter_mut().zip(part?).for_each(|(best, part)| best.merge(part));
        }
        Ok(best.into_iter().map(TopK::into_hits).collect())
    }
}

fn gallery_side(direction: Direction) -> Side {
    match direction {
        Direction::ImagesForCaption => Side::Images,
        Direction::CaptionsForImage => Side::Captions,
    }
}

fn push(best: &mut TopK, index: usize, score: f32) -> Result<()> {
    if score.is_nan() {
        return Err(Error::Shape(format!("embedding {index}: its score is not a number")));
    }
    if score >= best.threshold() {
        best.push(Hit { index, score });
    }
    Ok(())
}

/// Calls `see(query, row, estimate)` for all queries and rows, chunk by chunk, each with a
/// state of its own made by `start`; returns the states.
fn first_pass<T: Send>(
    queries: &[ByteQuery],
    gallery: QuantisedView<'_>,
    start: impl Fn() -> T + Sync + Send,
    see: impl Fn(&mut T, usize, usize, Estimate) + Sync + Send,
) -> Vec<T> {
    let rows = gallery.rows();
    parallel::map(rows.div_ceil(CHUNK), |chunk| {
        let mut state = start();
        let mut dots = Vec::new();
        let mut estimates = [Estimate { score: 0.0, error: 0.0 }; BATCH];
        let end = rows.min((chunk + 1) * CHUNK);
        for first in (chunk * CHUNK..end).step_by(BATCH) {
            let estimates = &mut estimates[..BATCH.min(end - first)];
            for (at, query) in queries.iter().enumerate() {
                query.estimate(gallery, first, &mut dots, estimates);
                for (row, estimate) in estimates.iter().enumerate() {
                    see(&mut state, at, first + row, *estimate);
                }
            }
        }
        state
    })
}

/// The best by approximate score.
fn approximate(
    queries: &[ByteQuery],
    gallery: QuantisedView<'_>,
    k: usize,
) -> Result<Vec<Vec<Hit>>> {
    let start = || (vec![TopK::new(k); queries.len()], Ok(()));
    let parts = first_pass(queries, gallery, start, |(best, state), query, index, estimate| {
        if state.is_ok() {
            *state = push(&mut best[query], index, estimate.score);
        }
    });
    let (mut best, _) = start();
    for (part, state) in parts {
        state?;
        best.iter_mut().zip(part).for_each(|(best, part)| best.merge(part));
    }
    Ok(best.into_iter().map(TopK::into_hits).collect())
}

/// An item that may be among the best, and the most its score can be.
#[derive(Clone, Copy)]
struct Candidate {
    index: usize,
    upper: f32,
}

impl Candidate {
    /// A bound that is no number bounds nothing: such an item is scored before all others.
    fn new(index: usize, upper: f32) -> Self {
        Self { index, upper: if upper.is_nan() { f32::INFINITY } else { upper } }
    }

    /// Whether a score up to the bound is high enough.
    fn may_enter(&self, kept: &TopK) -> bool {
        self.upper >= kept.threshold()
    }
}

/// For each query all items whose upper bound reaches the k-th greatest lower bound: at
/// least k exact scores reach that, so no other item is among the best k.
fn candidates(queries: &[ByteQuery], gallery: QuantisedView<'_>, k: usize) -> Vec<Vec<Candidate>> {
    let floors: Vec<Floor> = queries.iter().map(|_| Floor::new()).collect();
    let start = || queries.iter().map(|_| (TopK::new(k), Vec::new())).collect::<Vec<_>>();
    let parts = first_pass(queries, gallery, start, |state, query, index, estimate| {
        let (lowers, candidates) = &mut state[query];
        let candidate = Candidate::new(index, estimate.score + estimate.error);
        if candidate.upper < floors[query].get() {
            return;
        }
        candidates.push(candidate);
        let lower = estimate.score - estimate.error;
        if lower >= lowers.threshold() {
            lowers.push(Hit { index, score: lower });
            floors[query].raise(lowers.threshold());
        }
    });
    let mut all: Vec<_> = start();
    for part in parts {
        for ((lowers, candidates), (part_lowers, part)) in all.iter_mut().zip(part) {
            lowers.merge(part_lowers);
            candidates.extend(part);
        }
    }
    let keep = |(lowers, mut candidates): (TopK, Vec<Candidate>)| {
        candidates.retain(|candidate| candidate.may_enter(&lowers));
        candidates
    };
    all.into_iter().map(keep).collect()
}

/// The greatest k-th lower bound that any thread has seen.
struct Floor(AtomicU32);

impl Floor {
    fn new() -> Self {
        Self(AtomicU32::new(f32::NEG_INFINITY.to_bits()))
    }

    fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Relaxed))
    }

    fn raise(&self, floor: f32) {
        let higher = |old| (floor > f32::from_bits(old)).then_some(floor.to_bits());
        // Err says that another thread's floor is as high.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, higher);
    }
}

/// Scores candidates exactly, the most promising first, until none that is left can enter.
fn rerank(
    lanes: &Panels,
    query: &[f32],
    precise: Stored<'_>,
    mut candidates: Vec<Candidate>,
    k: usize,
) -> Result<Vec<Hit>> {
    candidates.sort_unstable_by(|a, b| b.upper.total_cmp(&a.upper).then(a.index.cmp(&b.index)));
    let mut best = TopK::new(k);
    let mut rest = candidates.as_slice();
    let mut panels = k.div_ceil(lanes.items).min(RERANKED);
    while let Some(first) = rest.first()
        && first.may_enter(&best)
    {
        let (batch, after) = rest.split_at(rest.len().min(panels * lanes.items));
        let scored = parallel::map(batch.len().div_ceil(lanes.items), |at| {
            let mut scorer = Scorer::new(lanes, precise);
            let end = batch.len().min((at + 1) * lanes.items);
            let items = &batch[at * lanes.items..end];
            scorer.pack(items.iter().map(|candidate| candidate.index));
            Ok((items, scorer.scores(query)?.to_vec()))
        });
        for part in scored {
            let (items, scores) = part?;
            for (item, score) in items.iter().zip(scores) {
                push(&mut best, item.index, score)?;
            }
        }
        rest = after;
        panels = (panels * 2).min(RERANKED);
    }
    Ok(best.into_hits())
}
