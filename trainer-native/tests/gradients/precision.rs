//! `--precision`.

use avse_core::AvseModel;
use avse_core::config::{ImageBackboneConfig, ModelConfig};
use burn::optim::GradientsParams;
use trainer_native::train::{HostCollective, Method, Precision};

use super::setup::{alone, batch, config, loss, named, network, objective, with_place};

fn cosine(model: &AvseModel, a: &GradientsParams, b: &GradientsParams) -> f64 {
    let flat = |gradients| named(model, gradients).into_iter().flat_map(|(_, values)| values);
    let (mut dot, mut left, mut right) = (0.0, 0.0, 0.0);
    for (a, b) in flat(a).zip(flat(b)) {
        let (a, b) = (f64::from(a), f64::from(b));
        (dot, left, right) = (dot + a * b, left + a * a, right + b * b);
    }
    dot / (left * right).sqrt()
}

pub fn half_precision_points_where_single_does() {
    // 48 pixels: the table of positions is resized, as in every published ViT command. A window of 3 does not
    // divide the map of 8 x 8, nor one of 7 that of 256 pixels.
    for (backbone, image_size, window) in
        [("vit", 32, 0), ("vit", 48, 0), ("swin", 32, 4), ("swin", 32, 3)]
    {
        let mut config = ModelConfig { image_size, ..config(backbone, 0.0) };
        if let ImageBackboneConfig::Swin(swin) = &mut config.image {
            swin.window_size = window;
        }
        // In some batches two negatives are equally hard but for bf16's rounding; not in this one.
        let (model, batch) = (network(&config), batch(&config, 6));
        let single = alone(Method::default(), &model, &batch, &config);
        let (loss, group) = (loss(), HostCollective::new(1));
        for (precision, scale) in [(Precision::Bf16, 1.0), (Precision::F16, 1024.0)] {
            for method in [
                Method { precision, ..Method::default() },
                Method { precision, micro_batch: 3, recompute: true, ..Method::default() },
            ] {
                let half = with_place(&group, 0, scale, |place| {
                    method.compute(&model, &batch, &objective(&config, &loss), place).unwrap()
                });
                let agreement = cosine(&model, &half.gradients, &single.gradients);
                assert!(
                    agreement > 0.99,
                    "{backbone}, {image_size}, {window}, {method:?}: {agreement}"
                );
                assert!((half.loss - single.loss).abs() < 0.05 * single.loss);
                assert!(half.loss != single.loss, "nothing was computed in half precision");
            }
        }
    }
}

/// Dropout and dropped paths, too, are drawn in the backbones' type.
pub fn half_precision_drops() {
    for backbone in ["vit", "swin"] {
        let config = config(backbone, 0.3);
        let (model, batch) = (network(&config), batch(&config, 3));
        for precision in [Precision::Bf16, Precision::F16] {
            for recompute in [false, true] {
                let method = Method { precision, recompute, ..Method::default() };
                let computed = alone(method, &model, &batch, &config);
                assert!(computed.loss.is_finite(), "{backbone}, {method:?}");
                let gradients = named(&model, &computed.gradients);
                assert!(gradients.iter().all(|(_, values)| values.iter().all(|v| v.is_finite())));
            }
        }
    }
}
