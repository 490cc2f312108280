//! Evaluation: encode a split once, rank both ways, measure.

mod misses;
mod pairs;
mod positives;

use std::borrow::Cow;
use std::ops::Range;

use avse_core::Avse;
use avse_core::metrics::{RetrievalMetrics, ScoreMatrix};
use avse_core::similarity::reference::unit_blocks;
use avse_core::similarity::{BlockShape, Blocks, cpu};
use burn::tensor::Tensor;
use indicatif::ProgressBar;
use rayon::prelude::*;

use crate::data::{Split, picture};
use crate::progress;
use crate::reading::Skipped;
use crate::{Error, Result};

pub use misses::misses_page;
pub use pairs::Pairs;
pub use positives::Positives;

/// Images encoded together.
const IMAGE_BATCH: usize = 32;
/// Captions encoded together.
const CAPTION_BATCH: usize = 128;

/// Unit blocks of a split's images and captions, and how many captions were cut.
pub struct EncodedSplit {
    /// One embedding an image.
    pub images: Embeddings,
    /// One a caption.
    pub captions: Embeddings,
    /// For every caption the index of its image.
    pub image_of_caption: Vec<usize>,
    /// Captions longer than the network has positions for.
    pub truncated: usize,
}

/// Embeddings in host memory, `[rows, blocks, width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    values: Vec<f32>,
    shape: BlockShape,
}

impl Embeddings {
    /// All of them.
    ///
    /// # Errors
    /// [`avse_core::Error::Shape`] when a number is not finite.
    pub fn blocks(&self) -> Result<Blocks<'_>> {
        Ok(Blocks::new(&self.values, self.shape)?)
    }

    /// Numbers of this shape, row after row.
    pub(crate) fn new(values: Vec<f32>, shape: BlockShape) -> Self {
        Self { values, shape }
    }

    fn with_room_for(rows: usize, shape: BlockShape) -> Self {
        Self { values: Vec::with_capacity(rows * shape.size()), shape }
    }

    /// One of them.
    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.shape.size()..(row + 1) * self.shape.size()]
    }
}

/// How a split is encoded.
#[derive(Clone, Copy, Debug)]
pub struct EncodeOptions<'a> {
    /// Without a progress bar.
    pub quiet: bool,
    /// Plans of fixed view centres that an image's embedding is averaged over, see
    /// [`Avse::encode_pixels_averaged`]; 1 is the usual evaluation.
    pub test_views: usize,
    /// What is told of pictures that cannot be read.
    pub skipped: &'a Skipped,
}

/// Encodes every image and caption of a split once.
///
/// # Errors
/// [`Error::Format`] naming an image that cannot be read.
pub fn encode_split(avse: &Avse, split: &Split, quiet: bool) -> Result<EncodedSplit> {
    let skipped = Skipped::none(split.images.len());
    let options = EncodeOptions { quiet, test_views: 1, skipped: &skipped };
    Ok(encode_split_with(avse, split, options)?.0)
}

/// As [`encode_split`], with options. Images that cannot be read are left out with their captions; also returns
/// which, in ascending order: what was encoded is the split [without](Split::without) these.
///
/// # Errors
/// As [`Skipped::add`], and what the device says.
pub fn encode_split_with(
    avse: &Avse,
    split: &Split,
    options: EncodeOptions<'_>,
) -> Result<(EncodedSplit, Vec<usize>)> {
    let total = (split.images.len() + split.captions.len()) as u64;
    let bar = if options.quiet { ProgressBar::hidden() } else { progress::bar(total, "encode") };
    let (images, left_out) = encode_images(avse, split, options, &bar)?;
    let split = match left_out.as_slice() {
        [] => Cow::Borrowed(split),
        some => Cow::Owned(split.without(some)),
    };
    let (captions, truncated) = encode_captions(avse, &split.captions, &bar)?;
    bar.finish_and_clear();
    let image_of_caption = split.image_of_caption.clone();
    Ok((EncodedSplit { images, captions, image_of_caption, truncated }, left_out))
}

fn encode_images(
    avse: &Avse,
    split: &Split,
    options: EncodeOptions<'_>,
    bar: &ProgressBar,
) -> Result<(Embeddings, Vec<usize>)> {
    avse.expect_image_tower()?;
    let shape = shape(avse, avse.config.image_blocks());
    let mut encoded = Embeddings::with_room_for(split.images.len(), shape);
    let (plans, limits) = (options.test_views.max(1), &options.skipped.policy().limits);
    // As many views at once as without further plans.
    let batch = (IMAGE_BATCH / plans).max(1);
    let mut left_out = Vec::new();
    for (chunk, images) in split.images.chunks(batch).enumerate() {
        let read: Vec<Result<Vec<f32>>> = images
            .par_iter()
            .map(|image| Ok(avse.preprocess.evaluate(&picture::decode(&image.path, limits)?)))
            .collect();
        let mut inputs = Vec::with_capacity(images.len());
        for (at, read) in read.into_iter().enumerate() {
            match read {
                Ok(input) => inputs.push(input),
                Err(error) => {
                    options.skipped.add(&images[at].id, &error.to_string())?;
                    left_out.push(chunk * batch + at);
                }
            }
        }
        if !inputs.is_empty() {
            let embeddings = avse.encode_pixels_averaged(inputs.concat(), inputs.len(), plans);
            encoded.values.extend(host_blocks(embeddings, avse)?);
        }
        bar.inc(images.len() as u64);
    }
    if left_out.len() == split.images.len() {
        let none =
            if left_out.is_empty() { "has no images" } else { "has no image that can be read" };
        return Err(Error::Usage(format!("split `{}` {none}", split.name)));
    }
    Ok((encoded, left_out))
}

fn encode_captions(
    avse: &Avse,
    captions: &[String],
    bar: &ProgressBar,
) -> Result<(Embeddings, usize)> {
    let tokens: Vec<Vec<u32>> =
        captions.par_iter().map(|caption| avse.tokenizer.encode(caption)).collect();
    // Captions of one length together: little padding.
    let mut order: Vec<usize> = (0..tokens.len()).collect();
    order.sort_by_key(|at| tokens[*at].len());
    let shape = shape(avse, avse.config.caption_blocks());
    let mut encoded = Embeddings { values: vec![0.0; captions.len() * shape.size()], shape };
    let mut truncated = 0;
    for chunk in order.chunks(CAPTION_BATCH) {
        let batch = chunk.iter().map(|at| tokens[*at].clone()).collect();
        let batch = avse.tokenizer.pad(batch, avse.max_tokens());
        truncated += batch.truncated;
        let blocks = host_blocks(avse.encode_tokens(&batch), avse)?;
        for (row, at) in blocks.chunks_exact(shape.size()).zip(chunk) {
            encoded.values[at * shape.size()..(at + 1) * shape.size()].copy_from_slice(row);
        }
        bar.inc(chunk.len() as u64);
    }
    Ok((encoded, truncated))
}

fn shape(avse: &Avse, blocks: usize) -> BlockShape {
    BlockShape { blocks, width: avse.config.block_size }
}

/// Embeddings `[B, blocks * width]` as unit blocks in host memory.
///
/// # Errors
/// [`Error::Device`] when the device does not give them back.
pub fn host_blocks(embeddings: Tensor<2>, avse: &Avse) -> Result<Vec<f32>> {
    unit_blocks(embeddings, avse.config.block_size)
        .try_into_data()
        .map_err(|e| Error::Device(e.to_string()))?
        .try_to_vec()
        .map_err(|e| Error::Device(e.to_string()))
}

/// Scores of all pairs, in memory.
///
/// # Errors
/// [`avse_core::Error::Shape`] when an embedding or a score is not a number.
pub fn score_split(encoded: &EncodedSplit) -> Result<ScoreMatrix> {
    let (images, captions) = (encoded.images.blocks()?, encoded.captions.blocks()?);
    let mut scores = vec![0f32; images.rows() * captions.rows()];
    cpu::score_matrix(images, captions, &mut scores)?;
    Ok(ScoreMatrix::new(scores, images.rows(), encoded.image_of_caption.clone())?)
}

/// Measures all images against all captions, without their matrix.
///
/// # Errors
/// As [`score_split`].
pub fn measure(encoded: &EncodedSplit) -> Result<RetrievalMetrics> {
    Pairs::new(std::slice::from_ref(encoded))?.measure()
}

/// As [`Pairs::measure_folds`], of one model.
///
/// # Errors
/// As there.
pub fn measure_folds(encoded: &EncodedSplit, count: usize) -> Result<RetrievalMetrics> {
    Pairs::new(std::slice::from_ref(encoded))?.measure_folds(count)
}

impl EncodedSplit {
    /// Some images, renumbered from 0, and their captions.
    fn fold(&self, images: Range<usize>) -> Self {
        let pairs = self.image_of_caption.iter().enumerate();
        let own: Vec<(usize, usize)> = pairs
            .filter(|(_, image)| images.contains(image))
            .map(|(caption, image)| (caption, image - images.start))
            .collect();
        let mut captions = Embeddings::with_room_for(own.len(), self.captions.shape);
        for (caption, _) in &own {
            captions.values.extend_from_slice(self.captions.row(*caption));
        }
        let mut some = Embeddings::with_room_for(images.len(), self.images.shape);
        for image in images {
            some.values.extend_from_slice(self.images.row(image));
        }
        let image_of_caption = own.into_iter().map(|(_, image)| image).collect();
        Self { images: some, captions, image_of_caption, truncated: 0 }
    }
}

/// Encodes and measures a split, without the images that cannot be read and their captions.
///
/// # Errors
/// As [`encode_split_with`] and [`score_split`].
pub fn evaluate_split(avse: &Avse, split: &Split, skipped: &Skipped) -> Result<RetrievalMetrics> {
    let options = EncodeOptions { quiet: false, test_views: 1, skipped };
    measure(&encode_split_with(avse, split, options)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    pub(super) fn random(rng: &mut impl rand::Rng, rows: usize, shape: BlockShape) -> Embeddings {
        let values = (0..rows * shape.size()).map(|_| rng.random_range(-1.0..1.0)).collect();
        Embeddings { values, shape }
    }

    #[test]
    fn figures_equal_those_of_the_matrix() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let images = random(&mut rng, 20, BlockShape { blocks: 8, width: 16 });
        let captions = random(&mut rng, 70, BlockShape { blocks: 4, width: 16 });
        // Captions of an image do not stand together.
        let image_of_caption = (0..70).map(|at| at * 7 % 20).collect();
        let encoded = EncodedSplit { images, captions, image_of_caption, truncated: 0 };
        let matrix = score_split(&encoded).unwrap();
        assert_eq!(measure(&encoded).unwrap(), matrix.evaluate());
        assert_eq!(measure_folds(&encoded, 5).unwrap(), matrix.five_fold().unwrap());
        assert!(measure_folds(&encoded, 3).unwrap_err().to_string().contains("3 folds"));
    }

    /// Two images with one and three captions, by hand.
    #[test]
    fn any_caption_of_an_image_counts() {
        let shape = BlockShape { blocks: 1, width: 16 };
        let embeddings = |angles: &[f32]| {
            let block = |angle: &f32| {
                let mut block = [0.0; 16];
                (block[0], block[1]) = (angle.cos(), angle.sin());
                block
            };
            Embeddings::new(angles.iter().flat_map(block).collect(), shape)
        };
        // Image 0 is nearest to caption 2, which is of image 1; its own comes second. Image 1 is
        // nearest to its own caption 3, though its caption 1 is the farthest of all.
        let encoded = EncodedSplit {
            images: embeddings(&[0.0, 1.0]),
            captions: embeddings(&[0.2, -1.5, 0.1, 1.0]),
            image_of_caption: vec![0, 1, 1, 1],
            truncated: 0,
        };
        let metrics = measure(&encoded).unwrap();
        assert_eq!(metrics.image_to_text.r1, 50.0);
        assert_eq!(metrics.image_to_text.mean_rank, 1.5);
        // Captions 0 and 3 find their image first, captions 1 and 2 second.
        assert_eq!(metrics.text_to_image.r1, 50.0);
        assert_eq!(metrics.text_to_image.mean_rank, 1.5);
    }
}
