//! Generalised pooling alone, forward and backward.

use avse_core::config::PoolingConfig;
use avse_core::pooling::{Gpo, TokenMask};
use avse_core::weights::Naming;

use super::compare::values;
use super::devices::on_each_device;
use super::fixture::Fixture;

#[test]
fn pooled_values_weights_and_gradients() {
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
