//! The three backbones alone, layer by layer.

use burn::tensor::Tensor;
use serde_json::Value;

use avse_core::config::{Activation, BertConfig, SwinConfig, VitConfig};
use avse_core::image::{Swin, Vit};
use avse_core::text::Bert;
use avse_core::weights::Naming;

use super::compare::TOWER;
use super::devices::on_each_device;
use super::fixture::Fixture;

fn config<T: serde::de::DeserializeOwned>(fixture: &Fixture) -> T {
    serde_json::from_value(fixture.json["config"].clone()).expect("`config`")
}

pub fn vit_at_native_and_enlarged_resolution() {
    on_each_device(|run| {
        let device = &run.device;
        let fixture = Fixture::open("vit_tower");
        let config: VitConfig = config(&fixture);
        let vit = fixture.load(Vit::new(&config, device), Naming::VIT);
        for case in ["native", "large"] {
            let pixels = fixture.tensor_on::<4>(&format!("{case}.pixels"), device);
            let batch = pixels.dims()[0];
            let (class_token, patches) = vit.embed(pixels);
            let class_token = class_token.expand([batch as i64, -1, -1]);
            let mut tokens = Tensor::cat(vec![class_token, patches], 1);
            run.close(&fixture, &format!("{case}.embeddings"), tokens.clone(), TOWER);
            for (at, layer) in vit.layers.iter().enumerate() {
                tokens = layer.forward(tokens);
                run.close(&fixture, &format!("{case}.hidden.{}", at + 1), tokens.clone(), TOWER);
            }
            run.close(&fixture, &format!("{case}.encoder_last"), tokens.clone(), TOWER);
            let normed = vit.norm.forward(tokens);
            run.close(&fixture, &format!("{case}.last_hidden_state"), normed, TOWER);
        }
    });
}

pub fn swin_in_every_padding_case() {
    on_each_device(|run| {
        let device = &run.device;
        let fixture = Fixture::open("swin_tower");
        let config: SwinConfig = config(&fixture);
        let cases = fixture.json["config"]["cases"].as_object().expect("`cases`");
        let swin = fixture.load(Swin::new(&config, device), Naming::SWIN);
        for case in cases.keys() {
            let pixels = fixture.tensor_on::<4>(&format!("{case}.pixels"), device);
            let mut map = swin.embed(pixels.clone());
            let name = format!("{case}.hidden.0");
            run.close(&fixture, &name, map.clone().flatten::<3>(1, 2), TOWER);
            for (at, stage) in swin.stages.iter().enumerate() {
                let before = stage.run_blocks(map.clone());
                let name = format!("{case}.before_downsample.{at}");
                run.close(&fixture, &name, before.flatten::<3>(1, 2), TOWER);
                map = stage.forward(map);
                let name = format!("{case}.hidden.{}", at + 1);
                run.close(&fixture, &name, map.clone().flatten::<3>(1, 2), TOWER);
            }
            let last = swin.forward(pixels);
            run.close(&fixture, &format!("{case}.last_hidden_state"), last, TOWER);
        }
    });
}

/// A map smaller than the window (where the official code raises) is one clamped window,
/// and leaves no trace in the model.
pub fn swin_smaller_than_its_window() {
    on_each_device(|run| {
        let device = &run.device;
        let fixture = Fixture::open("swin_tower");
        let config: SwinConfig = config(&fixture);
        let swin = fixture.load(Swin::new(&config, device), Naming::SWIN);
        let side = config.patch_size * config.window_size / 2;
        let small = swin.forward(Tensor::<4>::ones([1, 3, side, side], device));
        assert!(small.clone().is_finite().all().into_scalar::<bool>());
        let pixels = fixture.tensor_on::<4>("native.pixels", device);
        run.close(&fixture, "native.last_hidden_state", swin.forward(pixels), TOWER);
    });
}

pub fn bert_with_and_without_padding() {
    on_each_device(|run| {
        let device = &run.device;
        let fixture = Fixture::open("bert_tower");
        let config: BertConfig = config(&fixture);
        let bert = fixture.load(Bert::new(&config, device), Naming::BERT);
        let ids = fixture.ids_on("input_ids", device);
        let lengths = fixture.sizes("lengths");
        run.close(&fixture, "hidden.0", bert.embed(ids.clone()), TOWER);
        run.close(&fixture, "last_hidden_state", bert.forward(ids.clone(), &lengths), TOWER);
        let full = vec![ids.dims()[1]; lengths.len()];
        run.close(&fixture, "last_hidden_state_nomask", bert.forward(ids, &full), TOWER);
    });
}

/// `config.json` keys that we do not know, or of another model type, do not pass silently.
pub fn hugging_face_configs() {
    let fixture = Fixture::open("bert_tower");
    let mut json: Value = fixture.json["config"].clone();
    json["model_type"] = "roberta".into();
    let error = BertConfig::from_hugging_face(&json.to_string()).unwrap_err();
    assert!(error.to_string().contains("roberta"), "{error}");
    json["model_type"] = "bert".into();
    for (name, expected) in [
        ("gelu", Activation::Gelu),
        ("gelu_new", Activation::GeluTanh),
        ("gelu_pytorch_tanh", Activation::GeluTanh),
    ] {
        json["hidden_act"] = name.into();
        let config = BertConfig::from_hugging_face(&json.to_string()).unwrap();
        assert_eq!(config.hidden_act, expected, "{name}");
    }
    json["hidden_size"] = 50.into();
    let error = BertConfig::from_hugging_face(&json.to_string()).unwrap_err();
    assert!(error.to_string().contains("text.num_attention_heads"), "{error}");
}
