//! The fused layers against the plain ones.

use std::ops::Range;

use burn::backend::{Autodiff, Flex};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::graph;
use super::layer::NormPlacement;
use crate::config::{Activation, BertConfig, VitConfig};
use crate::image::VitLayer;
use crate::text::BertLayer;

/// Batch, tokens: one chunk and several, odd and single.
const SHAPES: [[usize; 2]; 5] = [[1, 1], [3, 7], [2, 33], [40, 29], [5, 200]];
const WIDTH: usize = 24;

fn vit(activation: Activation, device: &Device) -> VitLayer {
    let config = VitConfig {
        hidden_size: WIDTH,
        num_attention_heads: 3,
        intermediate_size: 40,
        hidden_act: activation,
        ..VitConfig::default()
    };
    randomised(VitLayer::new(&config, device))
}

fn bert(activation: Activation, device: &Device) -> BertLayer {
    let config = BertConfig {
        hidden_size: WIDTH,
        num_attention_heads: 2,
        intermediate_size: 40,
        hidden_act: activation,
        hidden_dropout_prob: 0.0,
        attention_probs_dropout_prob: 0.0,
        ..BertConfig::default()
    };
    randomised(BertLayer::new(&config, device))
}

/// Numbers that are the same in every run. The gradient of ReLU jumps at zero: with others in each run, one in a hundred has a
/// unit so near to it that rounding decides the gradient, and by far more than the tolerance.
struct Numbers(ChaCha8Rng);

impl Numbers {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A tensor of numbers within `range`.
    fn tensor<const D: usize>(
        &mut self,
        shape: [usize; D],
        range: Range<f32>,
        device: &Device,
    ) -> Tensor<D> {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| self.0.random_range(range.clone())).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

/// New layers have zero biases and small weights, which would hide mistakes.
fn randomised<M: Module>(module: M) -> M {
    struct Shake(Numbers);
    impl ModuleMapper for Shake {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|value| {
                let noise = self.0.tensor(value.dims(), -0.5..0.5, &value.device());
                // Matrices have been drawn; gains and biases are ones and zeros.
                let value = if D == 1 { value + noise } else { noise };
                value.detach().require_grad()
            })
        }
    }
    module.map(&mut Shake(Numbers::new(1)))
}

/// Values of the output and of all gradients of `sum(output * target)`.
fn results<M: Module>(
    module: &M,
    tokens: &Tensor<3>,
    forward: impl Fn(Tensor<3>) -> Tensor<3>,
) -> Vec<Vec<f32>> {
    struct Collect<'a>(&'a burn::tensor::Gradients, Vec<Vec<f32>>);
    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = param.val().grad(self.0).unwrap();
            self.1.push(gradient.into_data().try_to_vec().unwrap());
        }
    }
    let tokens = tokens.clone().detach().require_grad();
    let output = forward(tokens.clone());
    let target = output.clone().detach().mul_scalar(0.7).sin();
    let gradients = (output.clone() * target).sum().backward();
    let mut collect = Collect(&gradients, Vec::new());
    module.visit(&mut collect);
    let mut all = collect.1;
    all.push(tokens.grad(&gradients).unwrap().into_data().try_to_vec().unwrap());
    all.push(output.into_data().try_to_vec().unwrap());
    all
}

fn assert_close(ours: &[Vec<f32>], plain: &[Vec<f32>]) {
    assert_eq!(ours.len(), plain.len());
    for (at, (ours, plain)) in ours.iter().zip(plain).enumerate() {
        let norm = |values: &[f32]| values.iter().map(|x| f64::from(x * x)).sum::<f64>().sqrt();
        let difference: Vec<f32> = ours.iter().zip(plain).map(|(a, b)| a - b).collect();
        let (difference, size) = (norm(&difference), norm(plain));
        // A key's bias shifts all scores of a query alike: its gradient is rounding.
        assert!(difference <= 1e-4 * size + 2e-3, "tensor {at}: {difference} of {size}");
    }
}

#[test]
fn pre_norm_layers_equal_the_plain_ones() {
    let device = Device::flex().autodiff();
    for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
        let layer = vit(activation, &device);
        for [batch, length] in SHAPES {
            let tokens = Numbers::new(2).tensor([batch, length, WIDTH], 0.0..1.0, &device);
            let plain = results(&layer, &tokens, |tokens| layer.forward_plain(tokens));
            let fused =
                results(&layer, &tokens, |tokens| layer.fused().forward(&tokens, None).unwrap());
            assert_close(&fused, &plain);
        }
    }
}

#[test]
fn post_norm_layers_equal_the_plain_ones_with_padding() {
    let device = Device::flex().autodiff();
    for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
        let layer = bert(activation, &device);
        for [batch, length] in SHAPES {
            let lengths: Vec<usize> = (0..batch).map(|at| length - at * 5 % length).collect();
            let tokens = Numbers::new(2).tensor([batch, length, WIDTH], 0.0..1.0, &device);
            let plain = results(&layer, &tokens, |tokens| layer.forward_plain(tokens, &lengths));
            let fused = results(&layer, &tokens, |tokens| {
                layer.fused().forward(&tokens, Some(&lengths)).unwrap()
            });
            assert_close(&fused, &plain);
        }
    }
}

#[test]
fn inference_equals_training_without_dropout() {
    let device = Device::flex().autodiff();
    let layer = vit(Activation::Gelu, &device);
    let tokens = Numbers::new(2).tensor([40, 29, WIDTH], 0.0..1.0, &device);
    let training = layer.forward(tokens.clone()).into_data();
    let inference = layer.valid().forward(tokens.inner()).into_data();
    training.assert_eq(&inference, true);
}

/// With dropout there is no plain layer of the same mask: the gradient must be the slope
/// of the fused layer itself.
#[test]
fn gradients_with_dropout_are_slopes() {
    let device = Device::flex().autodiff();
    let vit = vit(Activation::Gelu, &device);
    let bert = bert(Activation::Gelu, &device);
    for placement in [NormPlacement::Before, NormPlacement::After] {
        let mut fused = if placement == NormPlacement::Before { vit.fused() } else { bert.fused() };
        fused.dropout = 0.3;
        let mut attention = fused.attention.clone();
        attention.dropout = burn::nn::DropoutConfig::new(0.3).init();
        fused.attention = &attention;
        let forward = |tokens: Tensor<3>| {
            let plan = fused.plan(tokens.dims(), None, Some(5));
            let parameters = fused.parameters(
                |weight| weight.try_into_primitive::<Autodiff<Flex>>().ok(),
                |vector| vector.try_into_primitive::<Autodiff<Flex>>().ok(),
            );
            let tokens = tokens.try_into_primitive::<Autodiff<Flex>>().unwrap();
            let output = graph::layer(plan, tokens, parameters.unwrap());
            Tensor::<3>::from_primitive::<Autodiff<Flex>>(output)
        };
        let loss = |tokens: Tensor<3>| (forward(tokens).square().sum()).into_scalar::<f32>();
        let shape = [3, 11, WIDTH];
        let mut numbers = Numbers::new(2);
        let tokens = numbers.tensor(shape, 0.0..1.0, &device).require_grad();
        let gradients = forward(tokens.clone()).square().sum().backward();
        let gradient = tokens.grad(&gradients).unwrap();
        let step = numbers.tensor(shape, -1.7..1.7, &device);
        let along = (gradient * step.clone().inner()).sum().into_scalar::<f32>();
        let tokens = tokens.detach();
        let moved = |by: f32| loss(tokens.clone() + step.clone().mul_scalar(by));
        let slope = (moved(2e-3) - moved(-2e-3)) / 4e-3;
        assert!((along - slope).abs() < 0.02 * slope.abs() + 0.5, "{along} {slope}");
    }
}

#[test]
fn convolutions_equal_the_plain_ones() {
    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::module::conv2d;
    use burn::tensor::ops::ConvOptions;

    let device = Device::flex().autodiff();
    for (batch, side, channels, kernel, stride) in
        [(1, 1, 3, 3, 1), (3, 8, 5, 3, 1), (2, 7, 4, 3, 2), (4, 10, 3, 7, 2), (2, 6, 8, 1, 2)]
    {
        let layer = Conv2dConfig::new([channels, 6], [kernel, kernel])
            .with_stride([stride, stride])
            .with_bias(false)
            .init(&device);
        let shape = [batch, side, side, channels];
        let map = Tensor::<4>::random(shape, Distribution::Default, &device);
        let pad = kernel / 2;
        let plain = |map: Tensor<4>| {
            let options = ConvOptions::new([stride, stride], [pad, pad], [1, 1], 1);
            let map = map.permute([0, 3, 1, 2]);
            conv2d(map, layer.weight.val(), None, options).permute([0, 2, 3, 1])
        };
        let run = |forward: &dyn Fn(Tensor<4>) -> Tensor<4>| {
            let map = map.clone().detach().require_grad();
            let output = forward(map.clone());
            let gradients = output.clone().sin().sum().backward();
            let values = |tensor: Tensor<4>| tensor.into_data().try_to_vec::<f32>().unwrap();
            vec![
                values(layer.weight.val().grad(&gradients).unwrap()),
                values(map.grad(&gradients).unwrap()),
                values(output),
            ]
        };
        let (ours, plain) = (run(&|map| super::convolve(&layer, map)), run(&plain));
        assert_close(&ours, &plain);
    }
}
