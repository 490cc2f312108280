//! The same step as one graph: the oracle of the cut ones.

use avse_core::AvseModel;
use avse_core::chain::Chain;
use burn::optim::GradientsParams;
use burn::tensor::{Device, FloatDType, Tensor};

use super::chain::Piece;
use super::{Computed, Method, Place, stream};
use crate::train::loader::Batch;
use crate::train::objective::Objective;
use crate::train::random::{derive, seeded};

impl Method {
    /// What [`Method::compute`] returns on one device in f32, with every graph kept: the backbones run in the
    /// same pieces and with the same draws, and one backward pass goes through everything.
    pub fn compute_whole(
        self,
        model: &AvseModel,
        batch: &Batch,
        objective: &Objective<'_>,
        place: &Place<'_>,
    ) -> Computed {
        let (images, captions) =
            self.pieces(batch, objective.pixels(batch, place.device), &batch.tokens, place);
        let images = forward(&images, model, place.device);
        let captions = forward(&captions, model, place.device);
        let seed = derive(derive(place.seed, stream::HEADS), place.rank as u64);
        let embeddings = || {
            let images = model.image.pool_views(images, &batch.plan);
            (images, model.text.pool(captions, &batch.tokens.lengths))
        };
        let (images, captions) = seeded(place.device, seed, embeddings);
        let loss = objective.of_embeddings(images, captions);
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        Computed { gradients, loss: value }
    }
}

fn forward<C: Chain>(pieces: &[Piece<C>], model: &AvseModel, device: &Device) -> Tensor<3> {
    let tokens = pieces.iter().map(|piece| piece.forward(model, device)).collect();
    Tensor::cat(tokens, 0).cast(FloatDType::F32)
}
