//! Retrieval quality where a query has several right answers, as ECCV Caption measures it.

use serde::{Deserialize, Serialize};

/// Quality in one direction, in percent; R is a query's own number of right answers.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PositiveRecall {
    /// Queries that were measured.
    pub queries: usize,
    /// Queries whose first answer is right.
    pub r1: f64,
    /// R-Precision: the mean share of right answers among the first R.
    pub r_precision: f64,
    /// mAP@R: the mean of `1/R * sum over ranks k <= R with a right answer of (right answers
    /// among the first k) / k`.
    pub map_at_r: f64,
}

/// Quality in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PositiveMetrics {
    /// Captions retrieved by images.
    pub image_to_text: PositiveRecall,
    /// Images retrieved by captions.
    pub text_to_image: PositiveRecall,
}

impl PositiveRecall {
    /// From whether each of a query's first R answers is right, best first; R is the length.
    /// A query without right answers (R = 0) is left out; all zero for no queries.
    pub fn from_relevance<'a>(queries: impl IntoIterator<Item = &'a [bool]>) -> Self {
        let mut total = Self::default();
        for relevance in queries.into_iter().filter(|relevance| !relevance.is_empty()) {
            let (mut right, mut precisions) = (0usize, 0.0);
            for (at, _) in relevance.iter().enumerate().filter(|(_, right)| **right) {
                right += 1;
                precisions += right as f64 / (at + 1) as f64;
            }
            let count = relevance.len() as f64;
            total.queries += 1;
            total.r1 += f64::from(u8::from(relevance[0]));
            total.r_precision += right as f64 / count;
            total.map_at_r += precisions / count;
        }
        let percent = 100.0 / total.queries.max(1) as f64;
        Self {
            queries: total.queries,
            r1: percent * total.r1,
            r_precision: percent * total.r_precision,
            map_at_r: percent * total.map_at_r,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_by_hand() {
        // R = 4, right at ranks 1 and 3: R-Precision 2/4, AP (1/1 + 2/3) / 4 = 5/12.
        let first = [true, false, true, false];
        // R = 2, right at rank 2: R-Precision 1/2, AP (1/2) / 2 = 1/4.
        let second = [false, true];
        // R = 1, wrong.
        let third = [false];
        let found = PositiveRecall::from_relevance([&first[..], &second, &third]);
        assert_eq!(found.queries, 3);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(found.r1, 100.0 / 3.0);
        close(found.r_precision, 100.0 / 3.0);
        close(found.map_at_r, 100.0 * (5.0 / 12.0 + 1.0 / 4.0) / 3.0);
    }

    #[test]
    fn perfect_and_empty() {
        let all = PositiveRecall::from_relevance([&[true; 3][..], &[true], &[]]);
        let perfect = PositiveRecall { queries: 2, r1: 100.0, r_precision: 100.0, map_at_r: 100.0 };
        assert_eq!(all, perfect);
        assert_eq!(PositiveRecall::from_relevance([]), PositiveRecall::default());
    }
}
