//! Generalised pooling alone, forward and backward.

use avse_core::config::PoolingConfig;
use avse_core::is_cpu;
use avse_core::pooling::{Gpo, TokenMask};
use avse_core::weights::Naming;
use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};

use super::compare::values;
use super::comparisons::{largest, relative_l2};
use super::devices::on_each_device;
use super::fixture::Fixture;

pub fn pooled_values_weights_and_gradients() {
    on_each_device(|run| {
        let device = &run.device.clone().autodiff();
        let fixture = Fixture::open("gpo");
        let config = &fixture.json["config"];
        let sizes = PoolingConfig {
            position_size: config["d_pe"].as_u64().unwrap() as usize,
            hidden_size: config["d_hidden"].as_u64().unwrap() as usize,
            ..Default::default()
        };
        let gpo = fixture.load(Gpo::new(&sizes, device), Naming::GPO);
        for (case, about) in config["cases"].as_object().unwrap() {
            let lengths: Vec<usize> = serde_json::from_value(about["lengths"].clone()).unwrap();
            let features = fixture.tensor_on::<3>(&format!("{case}.features"), device);
            let features = features.require_grad();
            let longest = *lengths.iter().max().unwrap();
            let mask = TokenMask::from_lengths(&lengths, features.dims()[1]);

            let weights = gpo.weights(&mask, device).narrow(1, 0, longest);
            let weights = weights.unsqueeze_dim::<3>(2);
            run.embedding(&fixture, &format!("{case}.pool_weights"), weights);
            let pooled = gpo.forward(features.clone(), &mask);
            run.embedding(&fixture, &format!("{case}.pooled"), pooled.clone());

            let upstream = fixture.tensor_on::<2>(&format!("{case}.upstream"), device);
            let gradients = (pooled * upstream).sum().backward();
            let compare = |name: &str, actual: Vec<f32>| {
                run.gradient(&fixture, &format!("{case}.g.{name}"), &actual);
            };
            compare("features", values(features.grad(&gradients).unwrap()));
            let matrices = [
                ("gru.weight_ih_l0", &gpo.weight_ih),
                ("gru.weight_hh_l0", &gpo.weight_hh),
                ("gru.weight_ih_l0_reverse", &gpo.weight_ih_reverse),
                ("gru.weight_hh_l0_reverse", &gpo.weight_hh_reverse),
            ];
            for (name, parameter) in matrices {
                compare(name, values(parameter.val().grad(&gradients).unwrap()));
            }
            let vectors = [
                ("gru.bias_ih_l0", &gpo.bias_ih),
                ("gru.bias_hh_l0", &gpo.bias_hh),
                ("gru.bias_ih_l0_reverse", &gpo.bias_ih_reverse),
                ("gru.bias_hh_l0_reverse", &gpo.bias_hh_reverse),
            ];
            for (name, parameter) in vectors {
                compare(name, values(parameter.val().grad(&gradients).unwrap()));
            }
            compare("linear.weight", values(gpo.score.weight.val().grad(&gradients).unwrap()));
        }
    });
}

/// On GPUs the recurrent network is a kernel up to a width of the state, and separate operations beyond it.
pub fn states_of_any_width_are_those_of_the_processor() {
    let processor = Device::flex().autodiff();
    for (hidden_size, width) in [(1, 3), (5, 1), (32, 9), (64, 7), (65, 7)] {
        let sizes = PoolingConfig { hidden_size, position_size: 12, ..Default::default() };
        let gpo = Gpo::new(&sizes, &processor);
        let lengths: Vec<usize> = [3, 7, 1, 7, 9].map(|length: usize| length.min(width)).into();
        let mask = TokenMask::from_lengths(&lengths, width);
        let upstream = Tensor::<2>::random([5, width], Distribution::Default, &processor);
        let on = |device: &Device| {
            let gpo = gpo.clone().fork(device);
            let weights = gpo.weights(&mask, device);
            let upstream = upstream.clone().inner().to_device(&device.clone().inner());
            let upstream = Tensor::from_inner(upstream);
            let gradients = (weights.clone() * upstream).sum().backward();
            let of = [
                values(gpo.weight_ih.val().grad(&gradients).unwrap()),
                values(gpo.weight_hh.val().grad(&gradients).unwrap()),
                values(gpo.weight_ih_reverse.val().grad(&gradients).unwrap()),
                values(gpo.weight_hh_reverse.val().grad(&gradients).unwrap()),
                values(gpo.bias_hh.val().grad(&gradients).unwrap()),
                values(gpo.bias_hh_reverse.val().grad(&gradients).unwrap()),
            ];
            (values(weights), of.concat())
        };
        let (weights, gradients) = on(&processor);
        assert!(gradients.iter().any(|value| *value != 0.0) || width == 1);
        on_each_device(|run| {
            if is_cpu(&run.device) {
                return;
            }
            let (weights_there, gradients_there) = on(&run.device.clone().autodiff());
            let named = |what: &str| format!("{what}, {hidden_size} wide, {width} long");
            let error = largest(&weights_there, &weights);
            run.comparisons.add(&named("weights"), error, run.tolerances.embedding);
            let error = relative_l2(&gradients_there, &gradients);
            run.comparisons.add(&named("gradients"), error, run.tolerances.gradient);
        });
    }
}

/// Of equal values the earlier takes the greater weight where places are found, that is off the CPU.
pub fn equal_values_keep_their_order() {
    let processor = Device::flex().autodiff();
    let gpo = Gpo::new(&PoolingConfig::default(), &processor);
    for (length, width) in [(1, 1), (8, 3), (21, 130)] {
        let mask = TokenMask::from_lengths(&[length, length, length], length);
        let tokens = Tensor::<3>::random([3, length, width], Distribution::Default, &processor);
        let tokens = (tokens * 4.0).round().inner();
        let weights = values(gpo.weights(&mask, &processor));
        let numbers = values(tokens.clone());
        // A token's gradient is its weight, as the sum is.
        let expected: Vec<f32> = (0..numbers.len())
            .map(|index| {
                let (column, at) = (index % width, index / width % length);
                let first = index / width / length * length;
                let number = |at: usize| numbers[(first + at) * width + column];
                let is_before = |other: &usize| {
                    number(*other) > number(at) || number(*other) == number(at) && *other < at
                };
                weights[first + (0..length).filter(is_before).count()]
            })
            .collect();
        on_each_device(|run| {
            if is_cpu(&run.device) {
                return;
            }
            let device = run.device.clone().autodiff();
            let tokens: Tensor<3> = Tensor::from_inner(tokens.clone().to_device(&run.device));
            let tokens = tokens.require_grad();
            let pooled = gpo.clone().fork(&device).forward(tokens.clone(), &mask);
            let gradient = values(tokens.grad(&pooled.sum().backward()).unwrap());
            let error = relative_l2(&gradient, &expected);
            run.comparisons.add(&format!("{length} x {width}"), error, run.tolerances.gradient);
        });
    }
}
