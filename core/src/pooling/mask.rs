//! Tokens that count, and padding.

use burn::tensor::{Bool, Device, Tensor, TensorData};

/// Which tokens of a padded batch count.
#[derive(Clone, Debug)]
pub struct TokenMask {
    keep: Vec<bool>,
    pub(super) lengths: Vec<usize>,
    pub(super) width: usize,
}

impl TokenMask {
    /// `keep` in `[N, T]` order.
    pub fn new(keep: Vec<bool>, rows: usize, width: usize) -> Self {
        debug_assert_eq!(keep.len(), rows * width);
        let lengths =
            keep.chunks(width.max(1)).map(|row| row.iter().filter(|k| **k).count()).collect();
        Self { keep, lengths, width }
    }

    /// The first `lengths[i]` tokens of row i count.
    pub fn from_lengths(lengths: &[usize], width: usize) -> Self {
        let keep = lengths.iter().flat_map(|&l| (0..width).map(move |at| at < l)).collect();
        Self { keep, lengths: lengths.iter().map(|&l| l.min(width)).collect(), width }
    }

    /// Every token counts.
    pub fn full(rows: usize, width: usize) -> Self {
        Self { keep: Vec::new(), lengths: vec![width; rows], width }
    }

    /// Tokens that count in each row.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Whether a token of a row counts.
    pub(super) fn keeps(&self, row: usize, at: usize) -> bool {
        // Without flags every token counts.
        self.keep.is_empty() || self.keep[row * self.width + at]
    }

    /// `[N, T, 1]`, true where a token does not count; `None` when all do.
    pub(super) fn dropped(&self, device: &Device) -> Option<Tensor<3, Bool>> {
        if self.lengths.iter().all(|&length| length == self.width) {
            return None;
        }
        let dropped: Vec<bool> = self.keep.iter().map(|keep| !keep).collect();
        let data = TensorData::new(dropped, [self.lengths.len(), self.width, 1]);
        Some(Tensor::from_data(data, device))
    }
}
