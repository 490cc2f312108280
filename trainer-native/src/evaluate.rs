//! Evaluation: encode a split once, score all pairs, measure.

use avse_core::Avse;
use avse_core::image::pixels::{DecodeLimits, RgbImage};
use avse_core::metrics::{RetrievalMetrics, ScoreMatrix};
use avse_core::similarity::reference::{match_blocks, unit_blocks};
use burn::tensor::Tensor;
use indicatif::ProgressBar;
use rayon::prelude::*;

use crate::data::Split;
use crate::progress;
use crate::{Error, Result};

/// Images encoded together.
const IMAGE_BATCH: usize = 32;
/// Captions encoded together.
const CAPTION_BATCH: usize = 128;
/// Images scored together; bounds the temporary block products.
const SCORE_ROWS: usize = 64;
/// Captions scored together.
const SCORE_COLUMNS: usize = 2500;

/// Unit blocks of a split's images and captions, and how many captions were cut.
pub struct EncodedSplit {
    /// `[N, I, W]`.
    pub images: Tensor<3>,
    /// `[M, C, W]`.
    pub captions: Tensor<3>,
    /// Captions longer than the network has positions for.
    pub truncated: usize,
}

/// Encodes every image and caption of a split once.
///
/// # Errors
/// [`Error::Format`] naming an image that cannot be read.
pub fn encode_split(avse: &Avse, split: &Split, quiet: bool) -> Result<EncodedSplit> {
    let total = (split.images.len() + split.captions.len()) as u64;
    let bar = if quiet { ProgressBar::hidden() } else { progress::bar(total, "encode") };
    let images = encode_images(avse, split, &bar)?;
    let (captions, truncated) = encode_captions(avse, &split.captions, &bar);
    bar.finish_and_clear();
    Ok(EncodedSplit { images, captions, truncated })
}

/// Unit blocks `[N, I, W]` of a split's images.
///
/// # Errors
/// [`Error::Format`] naming an image that cannot be read.
pub fn encode_images_of(avse: &Avse, split: &Split) -> Result<Tensor<3>> {
    encode_images(avse, split, &ProgressBar::hidden())
}

fn encode_images(avse: &Avse, split: &Split, bar: &ProgressBar) -> Result<Tensor<3>> {
    let mut blocks = Vec::new();
    for chunk in split.images.chunks(IMAGE_BATCH) {
        let inputs: Vec<Vec<f32>> = chunk
            .par_iter()
            .map(|image| {
                let bytes = std::fs::read(&image.path).map_err(|e| Error::io(&image.path, e))?;
                let decoded = RgbImage::decode(&bytes, &DecodeLimits::default())
                    .map_err(|e| Error::format(&image.path, e.to_string()))?;
                Ok(avse.preprocess.evaluate(&decoded))
            })
            .collect::<Result<_>>()?;
        let embeddings = avse.encode_pixels(inputs.concat(), chunk.len());
        blocks.push(unit_blocks(embeddings, avse.config.block_size));
        bar.inc(chunk.len() as u64);
    }
    if blocks.is_empty() {
        return Err(Error::Usage(format!("split `{}` has no images", split.name)));
    }
    Ok(Tensor::cat(blocks, 0))
}

fn encode_captions(avse: &Avse, captions: &[String], bar: &ProgressBar) -> (Tensor<3>, usize) {
    let encoded: Vec<Vec<u32>> =
        captions.par_iter().map(|caption| avse.tokenizer.encode(caption)).collect();
    // Captions of one length together: little padding. The order is restored below.
    let mut order: Vec<usize> = (0..encoded.len()).collect();
    order.sort_by_key(|at| encoded[*at].len());
    let mut truncated = 0;
    let mut blocks = Vec::new();
    for chunk in order.chunks(CAPTION_BATCH) {
        let batch = chunk.iter().map(|at| encoded[*at].clone()).collect();
        let tokens = avse.tokenizer.pad(batch, avse.max_tokens());
        truncated += tokens.truncated;
        blocks.push(unit_blocks(avse.encode_tokens(&tokens), avse.config.block_size));
        bar.inc(chunk.len() as u64);
    }
    let mut position = vec![0i32; order.len()];
    for (at, original) in order.iter().enumerate() {
        position[*original] = at as i32;
    }
    let sorted = Tensor::cat(blocks, 0);
    let position = Tensor::from_data(position.as_slice(), &sorted.device());
    (sorted.select(0, position), truncated)
}

/// Scores of all pairs.
///
/// # Errors
/// [`avse_core::Error::Shape`] when a score is not a number.
pub fn score_split(encoded: &EncodedSplit, split: &Split) -> Result<ScoreMatrix> {
    let rows = split.images.len();
    let columns = split.captions.len();
    let mut scores = vec![0f32; rows * columns];
    for first_row in (0..rows).step_by(SCORE_ROWS) {
        let height = SCORE_ROWS.min(rows - first_row);
        let images = encoded.images.clone().narrow(0, first_row, height);
        for first in (0..columns).step_by(SCORE_COLUMNS) {
            let width = SCORE_COLUMNS.min(columns - first);
            let captions = encoded.captions.clone().narrow(0, first, width);
            let tile = match_blocks(images.clone(), captions).into_data();
            let tile: Vec<f32> = tile
                .try_to_vec()
                .map_err(|e| Error::Usage(format!("scores cannot be read back: {e}")))?;
            for (row, values) in tile.chunks(width).enumerate() {
                let start = (first_row + row) * columns + first;
                scores[start..start + width].copy_from_slice(values);
            }
        }
    }
    Ok(ScoreMatrix::new(scores, rows, split.image_of_caption.clone())?)
}

/// Encodes, scores and measures a split.
///
/// # Errors
/// As [`encode_split`] and [`score_split`].
pub fn evaluate_split(avse: &Avse, split: &Split, quiet: bool) -> Result<RetrievalMetrics> {
    let encoded = encode_split(avse, split, quiet)?;
    Ok(score_split(&encoded, split)?.evaluate())
}
