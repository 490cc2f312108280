//! The gradients of a batch: in one graph, or with the graph cut to save memory or to cross devices.
//!
//! A cut turns what passes there into a leaf of the graph above it. The gradient that arrives at
//! the leaf goes on below through `sum(output * gradient)`, whose gradients are those of the
//! uncut graph. There are two places to cut:
//!
//! - between backbones and heads, so that backbones run in pieces of the batch (`micro_batch`),
//!   part by part (`recompute`), in another precision, or each on a device while the heads see all tokens (`sync_bn`);
//! - between heads and loss, where the embeddings of all replicas come together.

mod chain;
mod heads;
mod sums;
mod whole;

use avse_core::AvseModel;
use avse_core::chain::{CaptionChain, Chain, ImageChain};
use avse_core::text::tokenizer::TokenBatch;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, FloatDType, Tensor};
use serde::{Deserialize, Serialize};

use self::chain::{Networks, Piece};
use self::heads::Heads;
use self::sums::{Sums, over_replicas};
use super::collective::Collective;
use super::factor::Factor;
use super::loader::Batch;
use super::objective::Objective;
use super::precision::Precision;
use super::random::{derive, seeded};
use crate::Result;

/// How gradients are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Method {
    /// Samples that the backbones take at once; 0: the whole batch.
    pub micro_batch: usize,
    /// Whether the backbones keep no more than what passes between their parts.
    pub recompute: bool,
    /// What the backbones compute in.
    pub precision: Precision,
    /// Whether batch norm sees the tokens of all replicas.
    pub sync_bn: bool,
}

/// Where, with whom and from which seed a step is taken.
pub struct Place<'a> {
    /// The autodiff device.
    pub device: &'a Device,
    /// The other replicas.
    pub collective: &'a dyn Collective,
    /// This one's number.
    pub rank: usize,
    /// Seed of this step's draws, the same on every replica.
    pub seed: u64,
    /// What gradients are multiplied by inside of the backbones, see
    /// [`LossScale`](super::precision::LossScale).
    pub scale: Factor,
}

/// What a step takes.
pub(super) struct Input<'a> {
    /// The batch; its own pixels are not looked at.
    pub batch: &'a Batch,
    /// `[B, 3, R, R]` on the autodiff device.
    pub pixels: Tensor<4>,
}

/// Gradients, and the loss they belong to.
pub struct Computed {
    /// Of the loss over the batches of all replicas; the same on each of them.
    pub gradients: GradientsParams,
    /// That loss.
    pub loss: f64,
}

/// Seeds of the towers' draws are derived from a step's by these.
mod stream {
    pub const HEADS: u64 = 0;
    pub const IMAGES: u64 = 1;
    pub const CAPTIONS: u64 = 2;
}

impl Method {
    /// Whether a single graph does it.
    fn is_plain(self, place: &Place<'_>) -> bool {
        place.collective.world() == 1 && Self { sync_bn: false, ..self } == Self::default()
    }

    /// The gradients of this replica's `batch` together with the other replicas'.
    ///
    /// # Errors
    /// [`crate::Error::ReplicaGone`] when another replica has failed.
    pub fn compute(
        self,
        model: &AvseModel,
        batch: &Batch,
        objective: &Objective<'_>,
        place: &Place<'_>,
    ) -> Result<Computed> {
        let input = Input { batch, pixels: objective.pixels(batch, place.device) };
        let (gradients, loss) = self.gradients(model, input, objective, place)?;
        Ok(Computed { gradients, loss: f64::from(loss.into_scalar::<f32>()) })
    }

    /// As [`Method::compute`], with the loss `[1]` left on the device: nothing is waited for.
    pub(super) fn gradients(
        self,
        model: &AvseModel,
        input: Input<'_>,
        objective: &Objective<'_>,
        place: &Place<'_>,
    ) -> Result<(GradientsParams, Tensor<1>)> {
        if self.is_plain(place) {
            let of_batch = || objective.of_batch(model, input.batch, input.pixels);
            let loss = seeded(place.device, place.seed, of_batch);
            let value = loss.clone().inner();
            return Ok((GradientsParams::from_grads(loss.backward(), model), value));
        }
        self.cut_gradients(model, input, objective, place)
    }

    fn cut_gradients(
        self,
        model: &AvseModel,
        input: Input<'_>,
        objective: &Objective<'_>,
        place: &Place<'_>,
    ) -> Result<(GradientsParams, Tensor<1>)> {
        let device = place.device;
        let Input { batch, pixels } = input;
        let scale = &place.scale;
        let heads = Heads { model, objective, place, sync: self.sync_bn };
        let tokens = heads.common_padding(&batch.tokens)?;
        let tracked = self.precision.copy(model);
        let frozen = tracked.clone().no_grad();
        let networks = Networks { tracked, frozen, device: device.clone() };
        let (images, captions) = self.pieces(batch, pixels, &tokens, place);
        let image_tokens = self.tokens(&images, &networks);
        let caption_tokens = self.tokens(&captions, &networks);
        let upper = heads.run(
            heads::Tokens { images: joined(&image_tokens), captions: joined(&caption_tokens) },
            &batch.plan,
            &tokens.lengths,
        )?;
        let mut sums = upper.sums;
        sums.factor = scale.inverse();
        self.descend(images, image_tokens, scale.times(upper.images), &networks, &mut sums);
        self.descend(captions, caption_tokens, scale.times(upper.captions), &networks, &mut sums);
        let gradients = over_replicas(sums.into_gradients(), model, place.collective, place.rank)?;
        Ok((gradients, upper.loss))
    }

    /// The batch in pieces, for both backbones.
    fn pieces(
        self,
        batch: &Batch,
        pixels: Tensor<4>,
        tokens: &TokenBatch,
        place: &Place<'_>,
    ) -> (Vec<Piece<ImageChain>>, Vec<Piece<CaptionChain>>) {
        let pixels = match self.precision {
            Precision::F32 => pixels,
            half => pixels.cast(half.dtype()),
        };
        let images = ImageChain { pixels, plan: batch.plan.clone() };
        let captions = CaptionChain::new(tokens, place.device);
        let seed = |tower| derive(derive(place.seed, tower), place.rank as u64);
        let count = batch.plan.batch;
        (
            self.cut(count, seed(stream::IMAGES), |range| images.slice(range)),
            self.cut(count, seed(stream::CAPTIONS), |range| captions.slice(range)),
        )
    }

    /// The samples of a batch in pieces.
    fn cut<C>(
        self,
        batch: usize,
        seed: u64,
        slice: impl Fn(std::ops::Range<usize>) -> C,
    ) -> Vec<Piece<C>> {
        let size = if self.micro_batch == 0 { batch } else { self.micro_batch };
        let starts = (0..batch).step_by(size.max(1));
        let piece = |start: usize| Piece {
            chain: slice(start..(start + size).min(batch)),
            seed: derive(seed, start as u64),
        };
        starts.map(piece).collect()
    }

    /// Whether a backbone runs once and its graph waits for the gradient.
    fn keeps_graph(self) -> bool {
        self.micro_batch == 0 && !self.recompute
    }

    /// The tokens of every piece.
    fn tokens<C: Chain>(self, pieces: &[Piece<C>], networks: &Networks) -> Vec<Tensor<3>> {
        let model = if self.keeps_graph() { &networks.tracked } else { &networks.frozen };
        let run = |piece: &Piece<C>| {
            let tokens = piece.forward(model, &networks.device);
            if self.keeps_graph() { tokens } else { Tensor::from_inner(tokens.inner()) }
        };
        pieces.iter().map(run).collect()
    }

    /// Hands the gradient of the tokens down to the backbone's parameters.
    fn descend<C: Chain>(
        self,
        pieces: Vec<Piece<C>>,
        tokens: Vec<Tensor<3>>,
        gradient: Tensor<3>,
        networks: &Networks,
        sums: &mut Sums,
    ) {
        let gradient = match self.precision {
            Precision::F32 => gradient,
            half => gradient.cast(half.dtype()),
        };
        let mut start = 0;
        for (piece, tokens) in pieces.into_iter().zip(tokens) {
            let rows = tokens.dims()[0];
            let gradient = gradient.clone().narrow(0, start, rows);
            start += rows;
            if self.keeps_graph() {
                sums.add(backward(tokens, gradient, &networks.tracked), &networks.tracked);
            } else if self.recompute {
                piece.backward_by_parts(networks, gradient, sums);
            } else {
                piece.backward(networks, gradient, sums);
            }
        }
    }
}

/// All pieces' tokens as an f32 leaf.
fn joined(tokens: &[Tensor<3>]) -> Tensor<3> {
    let inner = tokens.iter().map(|tokens| tokens.clone().inner()).collect();
    Tensor::cat(inner, 0).cast(FloatDType::F32)
}

/// `sum(output * gradient)`: its gradients are those of a loss with `gradient` at `output`.
fn surrogate<const D: usize>(output: Tensor<D>, gradient: Tensor<D>) -> Tensor<1> {
    (output * Tensor::from_inner(gradient)).sum()
}

/// The parameters' gradients for `gradient` at `output`.
fn backward<const D: usize>(
    output: Tensor<D>,
    gradient: Tensor<D>,
    model: &AvseModel,
) -> GradientsParams {
    GradientsParams::from_grads(surrogate(output, gradient).backward(), model)
}
