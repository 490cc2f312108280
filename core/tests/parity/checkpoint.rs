//! The official `.pth`, read directly.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use avse_core::AvseModel;
use avse_core::config::{BertConfig, ImageBackboneConfig, ModelConfig, SwinConfig, VitConfig};
use avse_core::image::{Swin, Vit};
use avse_core::text::Bert;
use avse_core::weights::{Naming, StateDict, load_into, read_torch, state_dict_of};
use burn::tensor::{DType, Device};
use serde_json::Value;

fn folder() -> PathBuf {
    std::env::var_os("AVSE_PARITY_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/parity"),
        PathBuf::from,
    )
}

fn description(name: &str) -> Value {
    let path = folder().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The tensors `w.*` of a fixture under their official names.
fn fixture_weights(description: &Value) -> StateDict {
    let file = folder().join(description["file"].as_str().unwrap());
    let tensors = StateDict::read_safetensors(file).unwrap();
    tensors.renamed(|name| name.strip_prefix("w.").map(str::to_string))
}

fn part<T: serde::de::DeserializeOwned>(config: &Value) -> T {
    serde_json::from_value(config.clone()).unwrap()
}

fn model_config(config: &Value) -> ModelConfig {
    let size = |key: &str| config[key].as_u64().unwrap() as usize;
    let mut model = ModelConfig {
        embed_size: size("embed_size"),
        block_size: size("block_dim"),
        image_size: size("img_res"),
        sampling: Default::default(),
        pooling: Default::default(),
        image: ImageBackboneConfig::Vit(part::<VitConfig>(&config["vit"])),
        text: part::<BertConfig>(&config["bert"]),
        text_dropout: 0.2,
    };
    model.pooling.position_size = config["gpo"]["d_pe"].as_u64().unwrap() as usize;
    model.pooling.hidden_size = config["gpo"]["d_hidden"].as_u64().unwrap() as usize;
    model
}

pub fn the_official_checkpoint_is_read_as_it_was_saved() {
    let description = description("official_checkpoint");
    let checkpoint = read_torch(folder().join(description["file"].as_str().unwrap())).unwrap();

    let listed = description["model"].as_object().unwrap();
    assert_eq!(checkpoint.weights.len(), listed.len());
    for (name, entry) in listed {
        let data = checkpoint.weights.get(name).unwrap_or_else(|| panic!("{name} is missing"));
        let shape: Vec<usize> = part(&entry["shape"]);
        assert_eq!(data.shape().to_vec(), shape, "{name}");
        let dtype = if data.dtype() == DType::I64 { "torch.int64" } else { "torch.float32" };
        assert_eq!(entry["dtype"], dtype, "{name}");
        let values = data.try_to_vec_as::<f64>().unwrap();
        let scale = entry["abs_sum"].as_f64().unwrap();
        for (key, sum) in
            [("sum", values.iter().sum::<f64>()), ("abs_sum", values.iter().map(|v| v.abs()).sum())]
        {
            let difference = (sum - entry[key].as_f64().unwrap()).abs();
            assert!(difference <= 1e-9 * scale + 1e-12, "{name}: {key} is {difference} off");
        }
    }

    // Every option of the argparse.Namespace, and the numbers beside it.
    let mut expected = BTreeMap::new();
    for key in ["epoch", "best_rsum", "Eiters"] {
        expected.insert(key.to_string(), description[key].clone());
    }
    for (key, value) in description["opt"].as_object().unwrap() {
        expected.insert(format!("opt.{key}"), value.clone());
    }
    assert_eq!(checkpoint.options, expected);
}

pub fn the_official_checkpoint_holds_the_weights_of_the_evaluation_fixture() {
    let checkpoint = description("official_checkpoint");
    let file = folder().join(checkpoint["file"].as_str().unwrap());
    let read = read_torch(file).unwrap().weights;
    let expected = fixture_weights(&description("avse_eval"));
    assert!(!expected.is_empty());
    for (name, data) in expected.iter() {
        let other = read.get(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(data.shape(), other.shape(), "{name}");
        assert!(data.as_bytes() == other.as_bytes(), "{name} differs");
    }
    assert_eq!(read.len(), expected.len());
}

pub fn the_official_checkpoint_fills_the_model_and_comes_out_again() {
    let description = description("official_checkpoint");
    let config = model_config(&description["config"]);
    let file = folder().join(description["file"].as_str().unwrap());
    let weights = read_torch(file).unwrap().weights;
    let model = AvseModel::new(&config, &Device::flex()).unwrap();
    let (model, report) = load_into(model, weights.clone(), Naming::OFFICIAL).unwrap();

    let used = state_dict_of(&model, Naming::OFFICIAL).unwrap();
    for (name, data) in used.iter() {
        let original = weights.get(name).unwrap_or_else(|| panic!("{name} is not official"));
        assert_eq!(data.shape(), original.shape(), "{name}");
        assert!(data.as_bytes() == original.as_bytes(), "{name} differs");
    }
    // What the model did not take is listed, so that every tensor is accounted for.
    assert_eq!(report.loaded, used.names().collect::<Vec<_>>());
    assert_eq!(report.loaded.len() + report.unused.len(), weights.len());
    let unused = |part: &str| report.unused.iter().any(|name| name.contains(part));
    for part in ["visual_encoder.pooler", "bert.pooler", "mlp.bns.1", "bin_score"] {
        assert!(unused(part), "{part} is not among {:?}", report.unused);
    }
}

/// Names go to ours and back without loss, and no two share one of ours.
fn assert_bijection(naming: Naming, weights: &StateDict) {
    let mut ours = BTreeMap::new();
    for name in weights.names().filter(|name| !naming.is_unused(name)) {
        let path = naming.to_ours(name).unwrap_or_else(|| panic!("{name} has no place"));
        assert_eq!(naming.to_official(&path).as_deref(), Some(name));
        let taken = ours.insert(path, name);
        assert_eq!(taken, None, "{name}");
    }
    assert!(!ours.is_empty());
}

pub fn the_names_are_a_bijection() {
    assert_bijection(Naming::OFFICIAL, &fixture_weights(&description("avse_train")));
    assert_bijection(Naming::VIT, &fixture_weights(&description("vit_tower")));
    assert_bijection(Naming::SWIN, &fixture_weights(&description("swin_tower")));
    assert_bijection(Naming::BERT, &fixture_weights(&description("bert_tower")));
}

pub fn the_towers_load_by_their_hugging_face_names() {
    let device = Device::flex();
    let vit = description("vit_tower");
    let module = Vit::new(&part(&vit["config"]), &device);
    load_into(module, fixture_weights(&vit), Naming::VIT).unwrap();

    let bert = description("bert_tower");
    let module = Bert::new(&part(&bert["config"]), &device);
    load_into(module, fixture_weights(&bert), Naming::BERT).unwrap();

    let swin = description("swin_tower");
    let module = Swin::new(&part::<SwinConfig>(&swin["config"]), &device);
    let (_, report) = load_into(module, fixture_weights(&swin), Naming::SWIN).unwrap();
    assert!(report.unused.iter().all(|name| name.ends_with("relative_position_index")));
}
