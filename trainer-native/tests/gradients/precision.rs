//! `--precision`.

use avse_core::AvseModel;
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

#[test]
fn half_precision_points_where_single_does() {
    for backbone in ["vit", "swin"] {
        let config = config(backbone, 0.0);
        let (model, batch) = (network(&config), batch(&config, 3));
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
                assert!(agreement > 0.99, "{backbone}, {method:?}: {agreement}");
                assert!((half.loss - single.loss).abs() < 0.05 * single.loss);
                assert!(half.loss != single.loss, "nothing was computed in half precision");
            }
        }
    }
}
