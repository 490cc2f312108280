//! The published way to train: pretrained backbones, everything given as options.

use std::fs;
use std::path::Path;

use avse_core::config::{BertConfig, ImageBackboneConfig, VitConfig};
use avse_core::image::Vit;
use avse_core::text::Bert;
use avse_core::weights::{Naming, Precision, StateDict, state_dict_of};
use burn::tensor::Device;
use serde::Serialize;
use serde_json::{Value, json};

use super::support::{Fixture, avse};

fn write_backbone(folder: &Path, weights: StateDict, config: &impl Serialize) {
    fs::create_dir_all(folder).unwrap();
    weights.write_safetensors(folder.join("model.safetensors"), Precision::F32).unwrap();
    fs::write(folder.join("config.json"), serde_json::to_string(config).unwrap()).unwrap();
}

/// A small ViT in `vit` and a small BERT in `bert`.
fn write_backbones(fixture: &Fixture) {
    write_vit(&fixture.path("vit"));
    write_bert(&fixture.path("bert"));
}

/// A small ViT.
pub fn write_vit(folder: &Path) {
    let vit = VitConfig {
        hidden_size: 16,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        intermediate_size: 24,
        image_size: 16,
        patch_size: 4,
        ..Default::default()
    };
    let weights = state_dict_of(&Vit::new(&vit, &Device::flex()), Naming::VIT).unwrap();
    write_backbone(folder, weights, &ImageBackboneConfig::Vit(vit));
}

/// A small Swin.
#[cfg(feature = "cuda-backend")]
pub fn write_swin(folder: &Path) {
    use avse_core::config::SwinConfig;
    let swin = SwinConfig {
        image_size: 32,
        embed_dim: 8,
        depths: vec![1, 1],
        num_heads: vec![1, 2],
        window_size: 4,
        ..Default::default()
    };
    let weights = avse_core::image::Swin::new(&swin, &Device::flex());
    let weights = state_dict_of(&weights, Naming::SWIN).unwrap();
    write_backbone(folder, weights, &ImageBackboneConfig::Swin(swin));
}

/// A small BERT with its vocabulary.
pub fn write_bert(folder: &Path) {
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    let vocabulary: Vec<&str> = special.into_iter().chain(["a", "red", "dog", "boat"]).collect();
    let bert = BertConfig {
        vocab_size: vocabulary.len(),
        hidden_size: 16,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        intermediate_size: 24,
        max_position_embeddings: 32,
        ..Default::default()
    };
    let weights = state_dict_of(&Bert::new(&bert, &Device::flex()), Naming::BERT).unwrap();
    write_backbone(folder, weights, &bert);
    fs::write(folder.join("vocab.txt"), vocabulary.join("\n") + "\n").unwrap();
}

#[test]
fn both_spellings_train_the_same_run() {
    let fixture = Fixture::new();
    write_backbones(&fixture);
    let paths = ["data", "vit", "bert"].map(|name| fixture.arg(name));
    let weights = |run: &str| fixture.read(&format!("{run}/last/model.safetensors"));
    let train = |run: &str, separator: &str| {
        let folder = fixture.arg(run);
        let options = [
            ("dataset", "f30k"),
            ("data_path", &paths[0]),
            ("gpu_id", "cpu"),
            ("img_res", "20"),
            ("logger_name", &folder),
            ("batch_size", "10"),
            ("vit_type", &paths[1]),
            ("bert_type", &paths[2]),
            ("embed_size", "24"),
            ("num_epochs", "1"),
            ("learning_rate", "3e-4"),
            ("lr_schedules", "7"),
            ("decay_rate", "0.25"),
            ("grad_clip", "1.5"),
            ("margin", "0.3"),
            ("size_augment", "0"),
            ("view_sampling", "gumbel"),
            ("regulariser", "paper"),
            ("clip", "official"),
            ("select_on", "test"),
            ("workers", "1"),
            ("seed", "4"),
        ];
        let options = options.iter().flat_map(|(name, value)| {
            [format!("--{}", name.replace('_', separator)), value.to_string()]
        });
        avse(std::iter::once("train".to_string()).chain(options)).succeeds();
        fixture.text(&format!("{run}/run.toml")).parse::<toml::Table>().unwrap()
    };
    let mut run = train("one", "_");
    let mut hyphens = train("two", "-");
    assert_ne!(run.remove("logger_name"), hyphens.remove("logger_name"));
    assert_eq!(run, hyphens);
    assert!(weights("one") == weights("two"));

    for (key, value) in [("img_res", 20), ("batch_size", 10), ("embed_size", 24), ("seed", 4)] {
        assert_eq!(run[key].as_integer(), Some(value), "{key}");
    }
    assert_eq!(run["vit_type"].as_str(), Some(paths[1].as_str()));
    assert_eq!(run["view_sampling"].as_str(), Some("gumbel"));
    assert_eq!(run["caption_augmentation"].as_bool(), Some(false));
    assert_eq!(run["loss"]["triplet"]["margin"].as_float(), Some(0.3));
    assert_eq!(run["loss"]["regulariser"]["form"].as_str(), Some("paper"));
    let optimiser = run["optimiser"].as_table().unwrap();
    assert_eq!(optimiser["clip"].as_str(), Some("official"));
    assert_eq!(optimiser["grad_clip"].as_float(), Some(1.5));
    assert_eq!(optimiser["schedule"]["factor"].as_float(), Some(0.25));
    fixture.eval("two/best", &[]).succeeds();

    // What a run wrote trains it again.
    fixture.write("tiny.toml", fixture.text("one/run.toml"));
    fixture.train("three", &[]).succeeds();
    assert!(weights("one") == weights("three"), "run.toml is not the whole run");
}

/// What the backbones leave open stands in the file, and in the bundle afterwards.
#[test]
fn heads_are_of_any_size() {
    let fixture = Fixture::new();
    write_backbones(&fixture);
    let run = "batch_size = 10\nnum_epochs = 1\nimg_res = 20\nembed_size = 24\nworkers = 1\n";
    let heads = "[heads]\nblock_size = 8\ntext_dropout = 0.1\n\
                 sampling = { views = 3, alpha = 2.5, method = \"gumbel\" }\n\
                 pooling = { hidden_size = 4 }\n";
    fixture.write("heads.toml", format!("{run}{heads}"));
    let [file, data, vit, bert, out] =
        ["heads.toml", "data", "vit", "bert", "run"].map(|name| fixture.arg(name));
    let train = || {
        let place = ["train", "--config", &file, "--data_path", &data, "--logger_name", &out];
        avse([&place[..], &["--vit_type", &vit, "--bert_type", &bert, "--gpu-id", "cpu"]].concat())
    };
    train().succeeds();
    let config: Value = serde_json::from_slice(&fixture.read("run/best/config.json")).unwrap();
    assert_eq!((&config["block_size"], &config["text_dropout"]), (&json!(8), &json!(0.1)));
    assert_eq!(config["pooling"]["hidden_size"], 4);
    let sampling = &config["sampling"];
    assert_eq!((&sampling["views"], &sampling["alpha"]), (&json!(3), &json!(2.5)));
    assert_eq!(sampling["method"], "gumbel");
    fixture.eval("run/best", &[]).succeeds();

    fixture.write("heads.toml", format!("{run}[heads]\nviews = 3\n"));
    train().fails_with(&["heads.toml", "views"]);
    fixture.write("heads.toml", format!("{run}[heads]\nblock_size = 7\n"));
    train().fails_with(&["block_size", "7"]);
}
