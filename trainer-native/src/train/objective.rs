//! What training minimises.

use avse_core::config::ModelConfig;
use avse_core::loss::Negatives;
use avse_core::{AvseModel, token_tensor};
use burn::tensor::{Device, Tensor, TensorData};

use super::config::LossConfig;
use super::loader::Batch;

/// What is minimised in an epoch.
pub struct Objective<'a> {
    /// Architecture.
    pub model: &'a ModelConfig,
    /// Parts of the loss.
    pub loss: &'a LossConfig,
    /// Which negatives the triplet loss takes.
    pub negatives: Negatives,
}

impl Objective<'_> {
    /// The total loss `[1]` of a batch with its pictures `[B, 3, R, R]`, as one graph.
    pub fn of_batch(&self, model: &AvseModel, batch: &Batch, pixels: Tensor<4>) -> Tensor<1> {
        let tokens = token_tensor(&batch.tokens, &pixels.device());
        let images = model.encode_images(pixels, &batch.plan);
        let captions = model.encode_captions(tokens, &batch.tokens.lengths);
        self.of_embeddings(images, captions)
    }

    /// The total loss `[1]` of images `[B, V * E]` and their captions `[B, E]`.
    pub fn of_embeddings(&self, images: Tensor<2>, captions: Tensor<2>) -> Tensor<1> {
        let scores = AvseModel::similarity(images.clone(), captions, self.model);
        let loss = self.loss;
        let mut total =
            loss.triplet.forward(scores.clone(), self.negatives).mul_scalar(loss.triplet_weight);
        if let Some(contrastive) = &loss.contrastive {
            total = total + contrastive.forward(scores, self.model.caption_blocks());
        }
        if loss.regulariser.weight > 0.0 {
            total = total + loss.regulariser.forward(images, self.model.sampling.views);
        }
        total
    }

    /// The batch's pictures `[B, 3, R, R]` on a device.
    pub fn pixels(&self, batch: &Batch, device: &Device) -> Tensor<4> {
        let side = self.model.image_size;
        let shape = [batch.plan.batch, 3, side, side];
        Tensor::from_data(TensorData::new(batch.pixels.clone(), shape), device)
    }
}
