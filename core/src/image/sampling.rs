//! Radial bias sampling (RBS): each view of an image keeps the patches around a centre.
//!
//! All randomness of the image tower is drawn here, on the host, into a
//! [`ViewPlan`]; the tower itself is a pure function of pixels and plan.

mod test_views;

use std::ops::Range;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How the patches of a view are chosen, given the weights `exp(-alpha * distance)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ViewSampling {
    /// The patches nearest to the centre (official code).
    #[default]
    Nearest,
    /// Sampling without replacement by the weights, by Gumbel top-k (paper).
    Gumbel,
}

/// Settings of radial bias sampling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RadialBiasSampling {
    /// Views of each image.
    pub views: usize,
    /// Decay of the weights with the distance, counted in patches.
    pub alpha: f64,
    /// Share of the tokens (class token counted) that a view keeps in training.
    pub keep_training: f64,
    /// Share of the tokens that a view keeps in evaluation.
    pub keep_evaluation: f64,
    /// How the kept patches are chosen in training.
    pub method: ViewSampling,
}

impl Default for RadialBiasSampling {
    fn default() -> Self {
        Self {
            views: 2,
            alpha: 4.0,
            keep_training: 0.8,
            keep_evaluation: 0.9,
            method: ViewSampling::Nearest,
        }
    }
}

/// The token grid that views are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Patches along one side; the grid is square.
    pub side: usize,
    /// Whether a class token is put in front of each view.
    pub class_token: bool,
}

/// Which patches every view of a batch keeps, and which tokens pooling then sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewPlan {
    /// Images B.
    pub batch: usize,
    /// Views V of each image.
    pub views: usize,
    /// Patches K that each view keeps.
    pub kept: usize,
    /// `[B, V, K]` patch indices (row-major on the grid, class token not counted).
    pub indices: Vec<u32>,
    /// `[B, V, tokens]` with false for a token that pooling ignores (size augmentation);
    /// a token is the class token, when there is one, or a kept patch. `None`: all are seen.
    pub token_keep: Option<Vec<bool>>,
}

/// Size augmentation acts on a view when its first draw is above this (official code).
const SIZE_AUGMENTATION: f64 = 0.2;

impl RadialBiasSampling {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key that is wrong.
    pub fn validate(&self) -> Result<()> {
        if self.views == 0 {
            return Err(Error::config("sampling.views", "must be at least 1"));
        }
        if !(self.alpha.is_finite() && self.alpha >= 0.0) {
            return Err(Error::config("sampling.alpha", "must be a number of at least 0"));
        }
        let shares =
            [("keep_training", self.keep_training), ("keep_evaluation", self.keep_evaluation)];
        for (key, share) in shares {
            if !(share > 0.0 && share <= 1.0) {
                return Err(Error::config(format!("sampling.{key}"), "must be in (0, 1]"));
            }
        }
        Ok(())
    }

    /// Patches that a view keeps: `floor(share * tokens)`, the class token counted among
    /// the tokens as in the official code, at least 1 and at most the whole grid.
    pub fn kept(&self, grid: Grid, training: bool) -> usize {
        let share = if training { self.keep_training } else { self.keep_evaluation };
        let patches = grid.side * grid.side;
        let tokens = patches + usize::from(grid.class_token);
        // The small term keeps 0.9 * 10 = 9.000000000000002-like products on the integer.
        ((share * tokens as f64 + 1e-9).floor() as usize).clamp(1, patches)
    }

    /// The plan of evaluation and inference: nearest patches around fixed centres, so
    /// that the same image always gets the same embedding.
    ///
    /// View v of V is centred on the main diagonal at patch `floor(side * (2v + 1) / 2V)`.
    pub fn fixed_plan(&self, grid: Grid, batch: usize) -> ViewPlan {
        let centre = |view| {
            let at = grid.side * (2 * view + 1) / (2 * self.views);
            at * grid.side + at
        };
        let kept = self.kept(grid, false);
        let one: Vec<u32> =
            (0..self.views).flat_map(|view| nearest(grid.side, centre(view), kept)).collect();
        let indices = one.repeat(batch);
        ViewPlan { batch, views: self.views, kept, indices, token_keep: None }
    }

    /// A training plan: a uniform centre for every image and view, and size augmentation.
    pub fn random_plan(&self, grid: Grid, batch: usize, rng: &mut impl Rng) -> ViewPlan {
        let kept = self.kept(grid, true);
        let patches = grid.side * grid.side;
        let mut indices = Vec::with_capacity(batch * self.views * kept);
        for _ in 0..batch * self.views {
            let centre = rng.random_range(0..patches);
            match self.method {
                ViewSampling::Nearest => indices.extend(nearest(grid.side, centre, kept)),
                ViewSampling::Gumbel => {
                    indices.extend(gumbel_top_k(grid.side, centre, kept, self.alpha, rng));
                }
            }
        }
        let tokens = kept + usize::from(grid.class_token);
        let token_keep =
            (0..batch * self.views).flat_map(|_| size_augmentation(tokens, rng)).collect();
        ViewPlan { batch, views: self.views, kept, indices, token_keep: Some(token_keep) }
    }
}

/// The `count` patches nearest to `centre` on a `side` x `side` grid, nearest first;
/// equal distances in index order.
pub fn nearest(side: usize, centre: usize, count: usize) -> Vec<u32> {
    let mut patches: Vec<u32> = (0..(side * side) as u32).collect();
    patches.sort_by_key(|&patch| squared_distance(side, centre, patch as usize));
    patches.truncate(count);
    patches
}

/// `count` patches drawn without replacement with weights `exp(-alpha * distance)`.
///
/// The top-k of `log weight + Gumbel noise` is exactly that draw.
fn gumbel_top_k(
    side: usize,
    centre: usize,
    count: usize,
    alpha: f64,
    rng: &mut impl Rng,
) -> Vec<u32> {
    let mut keyed: Vec<(f64, u32)> = (0..side * side)
        .map(|patch| {
            let distance = (squared_distance(side, centre, patch) as f64).sqrt();
            let uniform = rng.random_range(f64::MIN_POSITIVE..1.0);
            (-alpha * distance - (-uniform.ln()).ln(), patch as u32)
        })
        .collect();
    keyed.sort_by(|a, b| b.0.total_cmp(&a.0));
    keyed.into_iter().take(count).map(|(_, patch)| patch).collect()
}

fn squared_distance(side: usize, a: usize, b: usize) -> usize {
    let dy = (a / side).abs_diff(b / side);
    let dx = (a % side).abs_diff(b % side);
    dx * dx + dy * dy
}

/// One view's tokens after size augmentation: with u ~ U(0, 1), when u > 0.2 each token
/// is dropped with probability 0.2 u. At least one token stays.
fn size_augmentation(tokens: usize, rng: &mut impl Rng) -> Vec<bool> {
    let u: f64 = rng.random();
    let draws: Vec<f64> = (0..tokens).map(|_| rng.random()).collect();
    size_augmentation_from(u, &draws)
}

/// [`RadialBiasSampling::random_plan`]'s size augmentation for given draws: `u` of the view, `draws` of
/// its tokens.
pub fn size_augmentation_from(u: f64, draws: &[f64]) -> Vec<bool> {
    let mut keep: Vec<bool> =
        draws.iter().map(|&draw| u <= SIZE_AUGMENTATION || draw > SIZE_AUGMENTATION * u).collect();
    if !keep.contains(&true)
        && let Some(first) = keep.first_mut()
    {
        *first = true;
    }
    keep
}

impl ViewPlan {
    /// The plan of the images in a range.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let per_image = self.views * self.kept;
        let indices = self.indices[range.start * per_image..range.end * per_image].to_vec();
        let flags = |keep: &Vec<bool>| {
            let per_image = keep.len() / self.batch.max(1);
            keep[range.start * per_image..range.end * per_image].to_vec()
        };
        let token_keep = self.token_keep.as_ref().map(flags);
        Self { batch: range.len(), indices, token_keep, ..*self }
    }

    /// A plan for given patches, `indices` in `[B, V, K]` order.
    ///
    /// # Errors
    /// [`Error::Shape`] when the number of indices is not `batch * views * kept`.
    pub fn from_indices(
        batch: usize,
        views: usize,
        kept: usize,
        indices: Vec<u32>,
    ) -> Result<Self> {
        if indices.len() != batch * views * kept || kept == 0 {
            return Err(Error::Shape(format!(
                "{} patch indices for {batch} images x {views} views x {kept} patches",
                indices.len()
            )));
        }
        Ok(Self { batch, views, kept, indices, token_keep: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const GRID: Grid = Grid { side: 6, class_token: true };

    #[test]
    fn kept_counts_follow_the_official_floor() {
        let sampling = RadialBiasSampling::default();
        assert_eq!(sampling.kept(GRID, false), 33);
        assert_eq!(sampling.kept(GRID, true), 29);
        assert_eq!(sampling.kept(Grid { side: 7, class_token: false }, false), 44);
        assert_eq!(sampling.kept(Grid { side: 1, class_token: false }, true), 1);
    }

    #[test]
    fn fixed_plan_is_the_same_for_every_image() {
        let plan = RadialBiasSampling::default().fixed_plan(GRID, 3);
        let each = plan.views * plan.kept;
        assert_eq!(plan.indices.len(), 3 * each);
        assert_eq!(plan.indices[..each], plan.indices[each..2 * each]);
        assert_eq!(plan.indices[0], 7, "view 0 starts at its centre (1, 1)");
        assert_eq!(plan.indices[plan.kept], 28, "view 1 starts at its centre (4, 4)");
    }

    #[test]
    fn views_hold_distinct_patches() {
        for method in [ViewSampling::Nearest, ViewSampling::Gumbel] {
            let sampling = RadialBiasSampling { method, ..Default::default() };
            let plan = sampling.random_plan(GRID, 8, &mut ChaCha8Rng::seed_from_u64(3));
            for view in plan.indices.chunks(plan.kept) {
                let mut seen = view.to_vec();
                seen.sort_unstable();
                seen.dedup();
                assert_eq!(seen.len(), plan.kept);
                assert!(seen.iter().all(|&p| p < 36));
            }
        }
    }

    #[test]
    fn gumbel_draws_follow_the_weights() {
        // One patch of a 2 x 2 grid: P = w / sum(w) with w = 1, e^-1, e^-1, e^-sqrt(2) at alpha 1.
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut counts = [0u32; 4];
        let draws = 20_000;
        for _ in 0..draws {
            counts[gumbel_top_k(2, 0, 1, 1.0, &mut rng)[0] as usize] += 1;
        }
        let weights = [1.0, (-1f64).exp(), (-1f64).exp(), (-(2f64.sqrt())).exp()];
        let total: f64 = weights.iter().sum();
        for (count, weight) in counts.iter().zip(weights) {
            let share = f64::from(*count) / f64::from(draws);
            assert!((share - weight / total).abs() < 0.015, "{share} {}", weight / total);
        }
    }

    #[test]
    fn size_augmentation_keeps_a_token_and_has_the_right_rate() {
        assert_eq!(size_augmentation_from(1.0, &[0.1, 0.1]), [true, false]);
        assert_eq!(size_augmentation_from(0.2, &[0.0; 3]), [true; 3]);
        assert_eq!(size_augmentation_from(0.5, &[0.09, 0.11]), [false, true]);
    }
}
