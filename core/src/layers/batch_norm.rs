//! Batch normalisation over tokens with PyTorch's running variance.

use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use burn::tensor::module::{batch_norm, batch_norm_train};

/// Normalises every channel of `[B, T, C]` over all `B * T` tokens, padding included.
///
/// In training the batch statistics are used and the running ones updated. Burn's
/// own forward would store the biased variance; PyTorch, and so the official
/// checkpoints, hold the unbiased one (times N / (N - 1)).
pub fn token_batch_norm(norm: &BatchNorm, tokens: Tensor<3>) -> Tensor<3> {
    let [batch, length, channels] = tokens.dims();
    let rows = tokens.reshape([batch * length, channels]);
    let device = rows.device();
    let rows = if device.is_autodiff() && norm.training.is_enabled() {
        let result = batch_norm_train(rows, norm.gamma.val(), norm.beta.val(), norm.epsilon);
        let count = (batch * length) as f64;
        let unbiased = result.variance.detach().mul_scalar(count / (count - 1.0).max(1.0));
        let keep = 1.0 - norm.momentum;
        let mean = norm.running_mean.value_sync().to_device(&device).mul_scalar(keep)
            + result.mean.detach().mul_scalar(norm.momentum);
        let variance = norm.running_var.value_sync().to_device(&device).mul_scalar(keep)
            + unbiased.mul_scalar(norm.momentum);
        norm.running_mean.update(mean.detach());
        norm.running_var.update(variance.detach());
        result.output
    } else {
        let mean = norm.running_mean.value().to_device(&device);
        let variance = norm.running_var.value().to_device(&device);
        batch_norm(rows, norm.gamma.val(), norm.beta.val(), mean, variance, norm.epsilon)
    };
    rows.reshape([batch, length, channels])
}
