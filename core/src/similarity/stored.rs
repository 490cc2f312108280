//! A gallery as the engines see it: precise blocks, quantised blocks, or both.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::{BlockShape, QuantisedView};
use crate::{Error, Result};

/// Precise blocks, `[rows, blocks, width]`, in memory or in a memory-mapped file.
#[derive(Clone, Copy, Debug)]
pub enum Stored<'a> {
    /// In 32 bits.
    F32(&'a [f32]),
    /// In 16 bits; scores are those of the numbers as f32.
    F16(&'a [f16]),
}

impl<'a> Stored<'a> {
    /// Count of numbers.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F16(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The memory of some numbers.
    pub(super) fn bytes(&self, range: std::ops::Range<usize>) -> &'a [u8] {
        match self {
            Self::F32(values) => bytemuck::cast_slice(&values[range]),
            Self::F16(values) => {
                use half::slice::HalfFloatSliceExt;
                bytemuck::cast_slice(values[range].reinterpret_cast())
            }
        }
    }

    /// Numbers `start..start + count` as f32; f16 are converted into `buffer`.
    pub(crate) fn read<'b>(&self, start: usize, count: usize, buffer: &'b mut Vec<f32>) -> &'b [f32]
    where
        'a: 'b,
    {
        match self {
            Self::F32(values) => &values[start..start + count],
            Self::F16(values) => {
                buffer.resize(count, 0.0);
                values[start..start + count].convert_to_f32_slice(buffer);
                buffer
            }
        }
    }
}

/// A collection to search in. It needs precise or quantised blocks; with both, the
/// quantised ones find candidates and the precise ones decide.
#[derive(Clone, Copy, Debug)]
pub struct GalleryView<'a> {
    /// How each embedding is cut.
    pub shape: BlockShape,
    /// Number of embeddings.
    pub rows: usize,
    /// Precise blocks, every number finite.
    pub precise: Option<Stored<'a>>,
    /// The same embeddings in 8 bits.
    pub quantised: Option<QuantisedView<'a>>,
}

impl GalleryView<'_> {
    /// Checks that all parts have the same rows and shape.
    ///
    /// # Errors
    /// [`Error::Shape`] saying which part does not fit.
    pub fn validate(&self) -> Result<()> {
        self.shape.validate()?;
        let wrong = |part: String| {
            Err(Error::Shape(format!(
                "a gallery of {} embeddings of {} x {} with {part}",
                self.rows, self.shape.blocks, self.shape.width
            )))
        };
        if self.precise.is_none() && self.quantised.is_none() {
            return wrong("neither precise nor quantised blocks".into());
        }
        if let Some(precise) = self.precise
            && self.rows.checked_mul(self.shape.size()) != Some(precise.len())
        {
            return wrong(format!("{} precise numbers", precise.len()));
        }
        if let Some(view) = self.quantised
            && (view.rows() != self.rows || view.shape() != self.shape)
        {
            let BlockShape { blocks, width } = view.shape();
            return wrong(format!("{} quantised ones of {blocks} x {width}", view.rows()));
        }
        Ok(())
    }
}
