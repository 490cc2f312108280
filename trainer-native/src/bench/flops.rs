//! Floating-point operations of a phase, counted by formula from the configuration.
//!
//! Counted are matrix products alone, 2 operations a multiply-add, as is the custom; norms,
//! softmax, activations, sorts, the pooling's small recurrence, resizing of the position
//! table and the optimiser are not. For T tokens of width D and inner width F:
//!
//! - encoder block: 8 T D² (query, key, value, output) + 4 T D F (feed-forward)
//!   + 4 T² D (scores and weighted values);
//! - patch embedding of n patches of p x p pixels: 2 n 3p² D, once an image, before sampling;
//! - view head: 2 T D E; caption head: 2 T (D E + D E/2 + E/2 E);
//! - backward: twice the forward, except that the patch embedding's input needs no gradient;
//! - loss: block products 2 B² I C W for I image and C caption blocks of width W, and the
//!   regulariser's 2 B E² for each pair of views.

use avse_core::config::{ImageBackboneConfig, ModelConfig, VitConfig};
use avse_core::image::ImageTower;

use super::{Phase, Workload};

/// Operations of one run of a phase; `None` for a backbone that has no formula here (Swin).
pub fn of_phase(phase: Phase, workload: &Workload) -> Option<f64> {
    let model = &workload.model;
    let operations = match phase {
        Phase::Images => workload.image_batch as f64 * image(model, false)?.total(),
        Phase::Captions => workload.caption_batch as f64 * caption(model, workload.caption_tokens),
        Phase::Step => {
            let batch = workload.step_batch as f64;
            let image = image(model, true)?;
            let pair = image.total() + caption(model, workload.caption_tokens);
            3.0 * (batch * pair + loss(model, batch)) - batch * image.patches
        }
    };
    Some(operations)
}

/// Forward operations of one image, all views.
struct ImageOperations {
    patches: f64,
    views: f64,
}

impl ImageOperations {
    fn total(&self) -> f64 {
        self.patches + self.views
    }
}

fn image(model: &ModelConfig, training: bool) -> Option<ImageOperations> {
    let ImageBackboneConfig::Vit(vit) = &model.image else { return None };
    let grid = ImageTower::grid(model);
    let tokens = (model.sampling.kept(grid, training) + 1) as f64;
    let head = 2.0 * tokens * (vit.hidden_size * model.embed_size) as f64;
    Some(ImageOperations {
        patches: patch_embedding(vit, grid.side),
        views: model.sampling.views as f64 * (vit_blocks(vit, tokens) + head),
    })
}

fn patch_embedding(vit: &VitConfig, side: usize) -> f64 {
    2.0 * (side * side) as f64 * (3 * vit.patch_size.pow(2) * vit.hidden_size) as f64
}

fn vit_blocks(vit: &VitConfig, tokens: f64) -> f64 {
    vit.num_hidden_layers as f64 * block(tokens, vit.hidden_size, vit.intermediate_size)
}

fn caption(model: &ModelConfig, tokens: usize) -> f64 {
    let (bert, embed, tokens) = (&model.text, model.embed_size as f64, tokens as f64);
    let width = bert.hidden_size as f64;
    let head = 2.0 * tokens * (1.5 * width * embed + 0.5 * embed * embed);
    let blocks = bert.num_hidden_layers as f64;
    blocks * block(tokens, bert.hidden_size, bert.intermediate_size) + head
}

/// One encoder block.
fn block(tokens: f64, width: usize, inner: usize) -> f64 {
    let (width, inner) = (width as f64, inner as f64);
    8.0 * tokens * width * width + 4.0 * tokens * width * inner + 4.0 * tokens * tokens * width
}

fn loss(model: &ModelConfig, batch: f64) -> f64 {
    let products = (model.image_blocks() * model.caption_blocks() * model.block_size) as f64;
    let views = model.sampling.views;
    let pairs = (views * (views - 1) / 2) as f64;
    2.0 * batch * batch * products + 2.0 * batch * pairs * (model.embed_size as f64).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::VitSize;

    /// torchvision gives 17.56 billion multiply-adds for `vit_b_16` at 224 px (its classifier
    /// is far below the rounding).
    #[test]
    fn the_known_count_of_vit_base() {
        let vit = VitSize::Base.config();
        let multiply_adds = (patch_embedding(&vit, 14) + vit_blocks(&vit, 197.0)) / 2.0;
        assert!((multiply_adds / 1e9 - 17.56).abs() < 0.01, "{multiply_adds}");
    }

    /// A block's products written out one by one.
    #[test]
    fn a_block_is_its_products() {
        let product = |m: usize, k: usize, n: usize| 2 * m * k * n;
        let (t, heads, d) = (7, 3, 4);
        let (width, inner) = (heads * d, 20);
        let parts = 4 * product(t, width, width)
            + heads * (product(t, d, t) + product(t, t, d))
            + product(t, width, inner)
            + product(t, inner, width);
        assert_eq!(block(t as f64, width, inner), parts as f64);
    }

    #[test]
    fn a_step_is_about_three_forwards() {
        let workload = Workload::published(VitSize::Base, 256);
        let model = &workload.model;
        let image = image(model, true).unwrap();
        let forward = 4.0 * (image.total() + caption(model, 16));
        let step = of_phase(Phase::Step, &workload).unwrap();
        assert!(step < 3.0 * forward + 3.0 * loss(model, 4.0) && step > 2.98 * forward);
        // Two views of 206 tokens (205 kept patches) through 85 M weights, and 16 tokens of text.
        assert!((step / 1e12 - 0.94).abs() < 0.05, "{step}");
    }
}
