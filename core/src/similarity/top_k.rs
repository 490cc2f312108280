//! The best k of many scores.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A found item and its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Row of the gallery.
    pub index: usize,
    /// Its score.
    pub score: f32,
}

impl Hit {
    /// Best first: the higher score, and of equal scores the lower index.
    pub fn order(&self, other: &Self) -> Ordering {
        // Adding 0 turns -0 into 0, which is equal to it in every metric.
        (other.score + 0.0).total_cmp(&(self.score + 0.0)).then(self.index.cmp(&other.index))
    }
}

/// Collects scores and keeps the best k. The result does not depend on the order in
/// which they come.
#[derive(Clone, Debug)]
pub struct TopK {
    limit: usize,
    /// The worst of the kept is on top.
    kept: BinaryHeap<Worst>,
}

#[derive(Clone, Copy, Debug)]
struct Worst(Hit);

impl Ord for Worst {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.order(&other.0)
    }
}

impl PartialOrd for Worst {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Worst {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Worst {}

impl TopK {
    /// An empty collection of at most `limit` hits.
    pub fn new(limit: usize) -> Self {
        Self { limit, kept: BinaryHeap::new() }
    }

    /// A score below this cannot enter any more; one equal to it can, with a lower index.
    pub fn threshold(&self) -> f32 {
        match self.kept.peek() {
            _ if self.limit == 0 => f32::INFINITY,
            Some(worst) if self.kept.len() == self.limit => worst.0.score,
            _ => f32::NEG_INFINITY,
        }
    }

    /// Offers a hit.
    pub fn push(&mut self, hit: Hit) {
        if self.kept.len() < self.limit {
            self.kept.push(Worst(hit));
        } else if let Some(mut worst) = self.kept.peek_mut()
            && hit.order(&worst.0) == Ordering::Less
        {
            *worst = Worst(hit);
        }
    }

    /// Offers all that `other` kept.
    pub fn merge(&mut self, other: Self) {
        other.kept.into_iter().for_each(|hit| self.push(hit.0));
    }

    /// The kept hits, best first.
    pub fn into_hits(self) -> Vec<Hit> {
        self.kept.into_sorted_vec().into_iter().map(|hit| hit.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lower_index_in_any_order() {
        let scores = [0.5f32, 0.9, 0.5, -1.0, 0.9, 0.5];
        for start in 0..scores.len() {
            let mut top = TopK::new(4);
            for at in 0..scores.len() {
                let index = (start + at * 5) % scores.len();
                top.push(Hit { index, score: scores[index] });
            }
            assert_eq!(top.threshold(), 0.5);
            let found: Vec<usize> = top.into_hits().iter().map(|hit| hit.index).collect();
            assert_eq!(found, [1, 4, 0, 2]);
        }
    }

    #[test]
    fn nothing_and_everything() {
        let mut none = TopK::new(0);
        none.push(Hit { index: 0, score: 1.0 });
        assert_eq!(none.threshold(), f32::INFINITY);
        assert!(none.into_hits().is_empty());
        let mut all = TopK::new(9);
        all.push(Hit { index: 3, score: 0.25 });
        assert_eq!(all.threshold(), f32::NEG_INFINITY);
        assert_eq!(all.into_hits(), [Hit { index: 3, score: 0.25 }]);
    }
}
