//! Which blocks of a pair matched: what a score is made of.

use super::Blocks;
use crate::{Error, Result};

/// The optimal matching of one image and one caption.
#[derive(Clone, Debug, PartialEq)]
pub struct Matching {
    /// `[image blocks, caption blocks]` dot products, cosines for unit blocks.
    pub products: Vec<f32>,
    /// For each caption block the image block that fits it best; of equal ones the first.
    pub chosen: Vec<usize>,
    /// The sum of the chosen products.
    pub score: f32,
}

impl Matching {
    /// Matches the embeddings of an image and of a caption, one row each.
    ///
    /// # Errors
    /// [`Error::Shape`] when the blocks are of different widths or there is not one row each.
    pub fn of(image: Blocks<'_>, caption: Blocks<'_>) -> Result<Self> {
        let width = image.shape().width;
        if width != caption.shape().width || (image.rows(), caption.rows()) != (1, 1) {
            let message = format!(
                "a matching of {} images of {:?} and {} captions of {:?}",
                image.rows(),
                image.shape(),
                caption.rows(),
                caption.shape()
            );
            return Err(Error::Shape(message));
        }
        let columns = caption.shape().blocks;
        let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(x, y)| x * y).sum() };
        let products: Vec<f32> = image
            .values()
            .chunks_exact(width)
            .flat_map(|row| {
                caption.values().chunks_exact(width).map(move |column| dot(row, column))
            })
            .collect();
        let best = |column: usize| {
            (0..image.shape().blocks).fold(0, |best, row| {
                let better = products[row * columns + column] > products[best * columns + column];
                if better { row } else { best }
            })
        };
        let chosen: Vec<usize> = (0..columns).map(best).collect();
        let score =
            chosen.iter().enumerate().map(|(column, row)| products[row * columns + column]).sum();
        Ok(Self { products, chosen, score })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::similarity::BlockShape;

    #[test]
    fn each_caption_block_takes_its_best_image_block() {
        let blocks = |blocks| BlockShape { blocks, width: 4 };
        let image = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
        let caption = [0.5, 0.25, 0.0, 0.0, -1.0, 0.75, 0.0, 0.0];
        let image = Blocks::new(&image, blocks(3)).unwrap();
        let caption = Blocks::new(&caption, blocks(2)).unwrap();
        let matching = Matching::of(image, caption).unwrap();
        assert_eq!(matching.products, [0.5, -1.0, 0.25, 0.75, 0.5, -1.0]);
        assert_eq!((matching.chosen, matching.score), (vec![0, 1], 1.25));

        let narrow = Blocks::new(&[0.0; 8], BlockShape { blocks: 1, width: 8 }).unwrap();
        assert!(Matching::of(image, narrow).is_err());
        let two = Blocks::new(&[0.0; 8], blocks(1)).unwrap();
        assert!(Matching::of(image, two).is_err());
    }
}
