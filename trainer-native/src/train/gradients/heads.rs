//! Above the cut: heads and loss over the whole batch, of one replica or of all.

use avse_core::AvseModel;
use avse_core::image::sampling::ViewPlan;
use avse_core::text::tokenizer::TokenBatch;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::sums::Sums;
use super::{Place, stream, surrogate};
use crate::Result;
use crate::train::factor::Factor;
use crate::train::objective::Objective;
use crate::train::random::{derive, seeded};

/// The upper part of a step.
pub struct Heads<'a> {
    /// The network.
    pub model: &'a AvseModel,
    /// What is minimised.
    pub objective: &'a Objective<'a>,
    /// Where and with whom.
    pub place: &'a Place<'a>,
    /// Whether every replica runs the heads over the tokens of all, so that batch norm sees them.
    pub sync: bool,
}

/// What the backbones return, without a graph.
pub struct Tokens {
    /// `[B * V, T, D]`.
    pub images: Tensor<3>,
    /// `[B, T, D]`.
    pub captions: Tensor<3>,
}

/// What comes back down.
pub struct Upper {
    /// The loss `[1]` over all replicas.
    pub loss: Tensor<1>,
    /// The heads' gradients: this replica's share of their sum over the replicas.
    pub sums: Sums,
    /// Gradient of this replica's image tokens.
    pub images: Tensor<3>,
    /// Gradient of this replica's caption tokens.
    pub captions: Tensor<3>,
}

impl Heads<'_> {
    /// Captions padded to the longest of all replicas where the heads see all of them: batch
    /// norm counts padding, and tensors must fit together.
    ///
    /// # Errors
    /// As [`Collective::gather`](crate::train::collective::Collective::gather).
    pub fn common_padding(&self, tokens: &TokenBatch) -> Result<TokenBatch> {
        if !self.sync {
            return Ok(tokens.clone());
        }
        let widths = self.gather_numbers(vec![tokens.width as f32])?;
        let width = widths.into_iter().fold(0.0, f32::max) as usize;
        Ok(tokens.widened(width, self.objective.model.text.pad_token_id as u32))
    }

    /// Heads, loss, and their gradients.
    ///
    /// # Errors
    /// When another replica has failed.
    pub fn run(&self, tokens: Tokens, plan: &ViewPlan, lengths: &[usize]) -> Result<Upper> {
        let everyone = self.sync && self.place.collective.world() > 1;
        if everyone {
            self.over_all_tokens(tokens, plan, lengths)
        } else {
            self.over_own_tokens(tokens, plan, lengths)
        }
    }

    /// Every replica computes the same, each from its copy of all tokens.
    fn over_all_tokens(&self, tokens: Tokens, plan: &ViewPlan, lengths: &[usize]) -> Result<Upper> {
        let (world, rank) = (self.place.collective.world(), self.place.rank);
        let lengths = self.gather_numbers(lengths.iter().map(|l| *l as f32).collect())?;
        let lengths: Vec<usize> = lengths.into_iter().map(|length| length as usize).collect();
        let token_keep = match &plan.token_keep {
            Some(keep) => {
                let flags = keep.iter().map(|keep| f32::from(u8::from(*keep))).collect();
                let all = self.gather_numbers(flags)?;
                Some(all.into_iter().map(|flag| flag != 0.0).collect())
            }
            None => None,
        };
        // The heads read the shape and the flags of a plan only.
        let plan = ViewPlan { batch: world * plan.batch, token_keep, ..plan.clone() };
        let own = [tokens.images.dims()[0], tokens.captions.dims()[0]];
        let leaves = [self.gather_rows(tokens.images)?, self.gather_rows(tokens.captions)?];
        let [images, captions] = leaves.map(|all| Tensor::from_inner(all).require_grad());
        let embeddings = || {
            let images = self.model.image.pool_views(images.clone(), &plan);
            (images, self.model.text.pool(captions.clone(), &lengths))
        };
        // The same seed everywhere: every replica must drop the same.
        let seed = derive(self.place.seed, stream::HEADS);
        let (image_rows, caption_rows) = seeded(self.place.device, seed, embeddings);
        let loss = self.objective.of_embeddings(image_rows, caption_rows);
        let value = loss.clone().inner();
        let mut gradients = loss.backward();
        let mut own_rows = |leaf: &Tensor<3>, rows: usize| {
            let all = leaf
                .grad_remove(&mut gradients)
                .unwrap_or_else(|| leaf.clone().inner().zeros_like());
            all.narrow(0, rank * rows, rows)
        };
        let [images, captions] = [own_rows(&images, own[0]), own_rows(&captions, own[1])];
        let mut sums = Sums::new();
        sums.factor = Factor::Number(1.0 / world as f32);
        sums.add(GradientsParams::from_grads(gradients, self.model), self.model);
        Ok(Upper { loss: value, sums, images, captions })
    }

    /// The heads over this replica's tokens; only embeddings are exchanged.
    fn over_own_tokens(&self, tokens: Tokens, plan: &ViewPlan, lengths: &[usize]) -> Result<Upper> {
        let leaf = |tokens: Tensor<3>| Tensor::from_inner(tokens).require_grad();
        let (images, captions) = (leaf(tokens.images), leaf(tokens.captions));
        let embeddings = || {
            let image_rows = self.model.image.pool_views(images.clone(), plan);
            (image_rows, self.model.text.pool(captions.clone(), lengths))
        };
        let seed = derive(derive(self.place.seed, stream::HEADS), self.place.rank as u64);
        let (image_rows, caption_rows) = seeded(self.place.device, seed, embeddings);
        let (loss, mut gradients) = if self.place.collective.world() == 1 {
            let loss = self.objective.of_embeddings(image_rows, caption_rows);
            (loss.clone().inner(), loss.backward())
        } else {
            let (loss, d_images, d_captions) =
                self.loss_of_all(image_rows.clone().inner(), caption_rows.clone().inner())?;
            let below = surrogate(image_rows, d_images) + surrogate(caption_rows, d_captions);
            (loss, below.backward())
        };
        let mut of = |leaf: &Tensor<3>| {
            leaf.grad_remove(&mut gradients).unwrap_or_else(|| leaf.clone().inner().zeros_like())
        };
        let (images, captions) = (of(&images), of(&captions));
        let mut sums = Sums::new();
        sums.add(GradientsParams::from_grads(gradients, self.model), self.model);
        Ok(Upper { loss, sums, images, captions })
    }

    /// The loss over the embeddings of all replicas, and its gradients at this one's.
    fn loss_of_all(
        &self,
        images: Tensor<2>,
        captions: Tensor<2>,
    ) -> Result<(Tensor<1>, Tensor<2>, Tensor<2>)> {
        let rank = self.place.rank;
        let leaf = |rows: Tensor<2>| -> Result<[Tensor<2>; 2]> {
            let [count, width] = rows.dims();
            let own = Tensor::from_inner(rows.clone()).require_grad();
            let all = self.place.collective.gather(rank, rows.reshape([count * width]))?;
            let others =
                all.into_iter().map(|flat| Tensor::from_inner(flat.reshape([count, width])));
            let mut parts: Vec<Tensor<2>> = others.collect();
            parts[rank] = own.clone();
            Ok([own, Tensor::cat(parts, 0)])
        };
        let [images, all_images] = leaf(images)?;
        let [captions, all_captions] = leaf(captions)?;
        let loss = self.objective.of_embeddings(all_images, all_captions);
        let value = loss.clone().inner();
        let mut gradients = loss.backward();
        let mut of = |leaf: &Tensor<2>| {
            leaf.grad_remove(&mut gradients).unwrap_or_else(|| leaf.clone().inner().zeros_like())
        };
        Ok((value, of(&images), of(&captions)))
    }

    fn gather_rows(&self, tokens: Tensor<3>) -> Result<Tensor<3>> {
        let [rows, length, width] = tokens.dims();
        let flat = tokens.reshape([rows * length * width]);
        let all = self.place.collective.gather(self.place.rank, flat)?;
        Ok(Tensor::cat(
            all.into_iter().map(|flat| flat.reshape([rows, length, width])).collect(),
            0,
        ))
    }

    /// Numbers of all replicas, one after the other.
    fn gather_numbers(&self, numbers: Vec<f32>) -> Result<Vec<f32>> {
        Ok(self.place.collective.numbers(self.place.rank, numbers)?.concat())
    }
}
