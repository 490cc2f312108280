//! Stochastic depth.

use burn::tensor::{Distribution, FloatDType, Tensor};

/// Drops a whole residual branch per sample with probability `rate` in training and
/// scales the kept ones by `1 / (1 - rate)`; the identity outside training.
pub fn drop_path(branch: Tensor<3>, rate: f64) -> Tensor<3> {
    let device = branch.device();
    if rate == 0.0 || !device.is_autodiff() {
        return branch;
    }
    let keep = 1.0 - rate;
    let mask =
        Tensor::<3>::random([branch.dims()[0], 1, 1], Distribution::Bernoulli(keep), &device);
    let mask = mask.div_scalar(keep).cast(FloatDType::from(branch.dtype()));
    branch * mask
}
