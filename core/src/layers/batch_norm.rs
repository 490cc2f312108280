//! Batch normalisation over tokens with PyTorch's running variance.

use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use burn::tensor::module::{batch_norm, batch_norm_train};

/// The new running statistics, but where they are no numbers the old ones: a batch that overflowed in half
/// precision is skipped, and must not stay in them.
fn finite_or(new: Tensor<1>, old: Tensor<1>) -> Tensor<1> {
    let broken = new.clone().is_finite().bool_not();
    new.mask_where(broken, old)
}

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
        let [old_mean, old_variance] =
            [&norm.running_mean, &norm.running_var].map(|old| old.value_sync().to_device(&device));
        let mean =
            old_mean.clone().mul_scalar(keep) + result.mean.detach().mul_scalar(norm.momentum);
        let variance = old_variance.clone().mul_scalar(keep) + unbiased.mul_scalar(norm.momentum);
        norm.running_mean.update(finite_or(mean.detach(), old_mean));
        norm.running_var.update(finite_or(variance.detach(), old_variance));
        result.output
    } else {
        let mean = norm.running_mean.value().to_device(&device);
        let variance = norm.running_var.value().to_device(&device);
        batch_norm(rows, norm.gamma.val(), norm.beta.val(), mean, variance, norm.epsilon)
    };
    rows.reshape([batch, length, channels])
}

#[cfg(all(test, feature = "training"))]
mod tests {
    use burn::nn::BatchNormConfig;
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[test]
    fn a_batch_that_overflowed_leaves_no_trace() {
        let device = Device::flex().autodiff();
        let norm = BatchNormConfig::new(2).init(&device);
        let batch = |values: [f32; 8]| {
            Tensor::<3>::from_data(TensorData::new(values.to_vec(), [2, 2, 2]), &device)
        };
        let running = || {
            [&norm.running_mean, &norm.running_var]
                .map(|state| state.value_sync().into_data().try_to_vec::<f32>().unwrap())
        };
        token_batch_norm(&norm, batch([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]));
        let [mean, variance] = running();
        assert!(mean[0] != 0.0 && variance[0] != 1.0);
        // The second channel alone overflowed.
        token_batch_norm(&norm, batch([1.0, f32::INFINITY, 3.0, 4.0, 5.0, f32::NAN, 7.0, 8.0]));
        let [then_mean, then_variance] = running();
        assert_eq!((then_mean[1], then_variance[1]), (mean[1], variance[1]));
        assert!(then_mean[0] != mean[0] && then_variance.iter().all(|value| value.is_finite()));
    }
}
