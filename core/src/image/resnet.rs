//! Residual convolutional encoder with Hugging Face `ResNetModel` semantics (no pooler).
//!
//! Not a backbone of the paper. From scratch and on few images convolutions learn much faster
//! than transformers; their last map is sampled and pooled like Swin's.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer};
use burn::tensor::activation::relu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};

use crate::config::{ResNetConfig, ResNetLayerType};
use crate::layers::{channels_last, convolve, convolve_normalised, token_batch_norm};

/// Bottleneck blocks compute at a quarter of their width.
const REDUCTION: usize = 4;

/// The encoder: stem, pooling, stages of residual blocks.
#[derive(Module, Debug)]
pub struct ResNet {
    /// 7 x 7 at stride 2.
    pub stem: ConvNorm,
    /// All but the first halve the map (and the first, if so configured).
    pub stages: Vec<ResNetStage>,
}

/// Blocks at one resolution.
#[derive(Module, Debug)]
pub struct ResNetStage {
    /// The first may halve the map.
    pub blocks: Vec<ResNetBlock>,
}

/// `relu(layers(x) + shortcut(x))`.
#[derive(Module, Debug)]
pub struct ResNetBlock {
    /// Two of 3 x 3 (basic), or 1 x 1, 3 x 3 and 1 x 1 (bottleneck).
    pub layers: Vec<ConvNorm>,
    /// 1 x 1, where width or resolution change; else the identity.
    pub shortcut: Option<ConvNorm>,
}

/// Convolution without bias and batch norm.
#[derive(Module, Debug)]
pub struct ConvNorm {
    /// `[out, in, k, k]`.
    pub convolution: Conv2d,
    /// Over all positions of the batch.
    pub norm: BatchNorm,
}

impl ResNet {
    /// A new encoder with random weights.
    pub fn new(config: &ResNetConfig, device: &Device) -> Self {
        let stem = ConvNorm::new([3, config.embedding_size], 7, 2, device);
        let mut inputs = config.embedding_size;
        let stages = (0..config.depths.len())
            .map(|stage| {
                let width = config.hidden_sizes[stage];
                let blocks = (0..config.depths[stage])
                    .map(|block| {
                        let stride = if block == 0 { config.stride(stage) } else { 1 };
                        let block = ResNetBlock::new([inputs, width], stride, config, device);
                        inputs = width;
                        block
                    })
                    .collect();
                ResNetStage { blocks }
            })
            .collect();
        Self { stem, stages }
    }

    /// The same encoder with its weights in the order that convolutions on the CPU read.
    pub fn channels_last(mut self) -> Self {
        let blocks = self.stages.iter_mut().flat_map(|stage| &mut stage.blocks);
        let layers = blocks.flat_map(|block| block.layers.iter_mut().chain(&mut block.shortcut));
        for layer in layers.chain([&mut self.stem]) {
            let weight = layer.convolution.weight.clone();
            layer.convolution.weight = weight.map(channels_last);
        }
        self
    }

    /// `[B, 3, R, R] -> [B, n, D]`: the last map, row by row.
    pub fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let map = self.stem.forward(pixels.permute([0, 2, 3, 1]), true);
        let options = MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1]);
        let channels_first = map.permute([0, 3, 1, 2]);
        let pooled = max_pool2d(channels_first, options);
        let blocks = self.stages.iter().flat_map(|stage| &stage.blocks);
        let map = blocks.fold(pooled.permute([0, 2, 3, 1]), |map, block| block.forward(map));
        map.flatten(1, 2)
    }
}

impl ResNetBlock {
    fn new(
        [inputs, width]: [usize; 2],
        stride: usize,
        config: &ResNetConfig,
        device: &Device,
    ) -> Self {
        let layers = match config.layer_type {
            ResNetLayerType::Basic => vec![
                ConvNorm::new([inputs, width], 3, stride, device),
                ConvNorm::new([width, width], 3, 1, device),
            ],
            ResNetLayerType::Bottleneck => {
                let inner = width / REDUCTION;
                let early = config.downsample_in_bottleneck;
                let (first, second) = if early { (stride, 1) } else { (1, stride) };
                vec![
                    ConvNorm::new([inputs, inner], 1, first, device),
                    ConvNorm::new([inner, inner], 3, second, device),
                    ConvNorm::new([inner, width], 1, 1, device),
                ]
            }
        };
        let changes = inputs != width || stride != 1;
        let shortcut = changes.then(|| ConvNorm::new([inputs, width], 1, stride, device));
        Self { layers, shortcut }
    }

    /// `[B, H, W, in] -> [B, H / s, W / s, out]`, rounded up.
    pub fn forward(&self, map: Tensor<4>) -> Tensor<4> {
        let last = self.layers.len() - 1;
        let layers = self.layers.iter().enumerate();
        let branch = layers.fold(map.clone(), |map, (at, layer)| layer.forward(map, at < last));
        let residual = match &self.shortcut {
            Some(shortcut) => shortcut.forward(map, false),
            None => map,
        };
        relu(branch + residual)
    }
}

impl ConvNorm {
    fn new(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        let convolution = Conv2dConfig::new(channels, [kernel, kernel])
            .with_stride([stride, stride])
            .with_bias(false)
            .with_initializer(Initializer::KaimingNormal {
                gain: std::f64::consts::SQRT_2,
                fan_out_only: true,
            })
            .init(device);
        Self { convolution, norm: BatchNormConfig::new(channels[1]).init(device) }
    }

    /// `[B, H, W, in] -> [B, H / s, W / s, out]`, rounded up; through a ReLU if `activate`.
    pub fn forward(&self, map: Tensor<4>, activate: bool) -> Tensor<4> {
        convolve_normalised(&self.convolution, &self.norm, activate, &map)
            .unwrap_or_else(|| self.forward_plain(map, activate))
    }

    fn forward_plain(&self, map: Tensor<4>, activate: bool) -> Tensor<4> {
        let map = convolve(&self.convolution, map);
        let [batch, height, width, channels] = map.dims();
        let rows = map.reshape([batch, height * width, channels]);
        let map = token_batch_norm(&self.norm, rows).reshape([batch, height, width, channels]);
        if activate { relu(map) } else { map }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ImageBackboneConfig;

    #[test]
    fn the_last_map_is_the_grid_that_views_are_drawn_from() {
        let device = Device::flex();
        for layer_type in [ResNetLayerType::Basic, ResNetLayerType::Bottleneck] {
            for first in [false, true] {
                let config = ResNetConfig {
                    embedding_size: 4,
                    hidden_sizes: vec![8, 12],
                    depths: vec![2, 1],
                    layer_type,
                    downsample_in_first_stage: first,
                    ..Default::default()
                };
                for side in [5, 32, 47] {
                    let pixels = Tensor::<4>::ones([2, 3, side, side], &device);
                    let map = ResNet::new(&config, &device).forward(pixels);
                    let grid = ImageBackboneConfig::ResNet(config.clone()).grid_side(side);
                    assert_eq!(map.dims(), [2, grid * grid, 12], "{side}");
                }
            }
        }
    }
    #[test]
    fn norm_and_activation_in_one_pass_change_nothing() {
        use burn::tensor::{Distribution, TensorData};
        let device = Device::flex();
        for (channels, kernel, stride) in [([3, 5], 3, 1), ([4, 16], 1, 2), ([3, 7], 7, 2)] {
            let layer = ConvNorm::new(channels, kernel, stride, &device);
            let statistic = |from: f32| {
                let values: Vec<f32> = (0..channels[1]).map(|at| from + at as f32 / 4.0).collect();
                Tensor::<1>::from_data(TensorData::new(values, [channels[1]]), &device)
            };
            layer.norm.running_mean.update(statistic(-0.5));
            layer.norm.running_var.update(statistic(0.25));
            let shape = [2, 9, 8, channels[0]];
            let map = Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
            for activate in [false, true] {
                let expected = layer.forward_plain(map.clone(), activate);
                let difference = (layer.forward(map.clone(), activate) - expected).abs().max();
                assert!(difference.into_scalar::<f32>() < 1e-5, "{channels:?} {activate}");
            }
        }
    }
}
