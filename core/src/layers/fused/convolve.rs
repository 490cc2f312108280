//! Convolutions of tensors on whichever device: fused on the CPU, Burn's own elsewhere.

use burn::backend::Flex;
use burn::nn::BatchNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, Tensor};

use super::convolution::{Sizes, Then, Work, rows_of};
#[cfg(feature = "training")]
use super::graph;

/// `[B, H, W, C] -> [B, ceil(H / s), ceil(W / s), out]` by a square kernel of odd side k without
/// bias, at stride s, k / 2 zeros around the map.
pub fn convolve(layer: &Conv2d, map: Tensor<4>) -> Tensor<4> {
    let weight = layer.weight.val();
    let [_, channels, kernel, _] = weight.dims();
    let sizes = Sizes::new(map.dims(), kernel, layer.stride[0]);
    let single = map.dtype() == DType::F32;
    #[cfg(feature = "training")]
    if single && let Some(output) = graph::convolve(sizes, &map, &weight) {
        return output;
    }
    if single && let Ok(input) = map.clone().try_into_primitive::<Flex>() {
        let rows = rows_of(weight).try_into_primitive::<Flex>().expect("weights on their device");
        return Tensor::from_primitive::<Flex>(Work::new(sizes, input, rows).forward(None));
    }
    debug_assert_eq!(channels, map.dims()[3]);
    let pad = kernel / 2;
    let options = ConvOptions::new(layer.stride, [pad, pad], [1, 1], 1);
    conv2d(map.permute([0, 3, 1, 2]), weight, None, options).permute([0, 2, 3, 1])
}

/// [`convolve`], then a batch norm with its running statistics, then a ReLU where `relu` says so:
/// while the numbers are in the cache. `None` on other devices than the CPU, and where gradients
/// are kept.
pub fn convolve_normalised(
    layer: &Conv2d,
    norm: &BatchNorm,
    relu: bool,
    map: &Tensor<4>,
) -> Option<Tensor<4>> {
    if map.device().is_autodiff() || map.dtype() != DType::F32 {
        return None;
    }
    let weight = layer.weight.val();
    let [out, _, kernel, _] = weight.dims();
    let sizes = Sizes::new(map.dims(), kernel, layer.stride[0]);
    let input = map.clone().try_into_primitive::<Flex>().ok()?;
    let rows = rows_of(weight).try_into_primitive::<Flex>().ok()?;
    let then = Then::of(norm, relu).filter(|then| then.channels() == out)?;
    let work = Work::new(sizes, input, rows);
    Some(Tensor::from_primitive::<Flex>(work.forward(Some(&then))))
}

/// The same weight `[out, C, k, k]`, in memory as [`convolve`] reads it: for inference, where
/// putting it in order would otherwise take a third of the time of encoding one image.
pub fn channels_last(weight: Tensor<4>) -> Tensor<4> {
    let [out, channels, kernel, _] = weight.dims();
    rows_of(weight).reshape([out, kernel, kernel, channels]).permute([0, 3, 1, 2])
}
