//! `avse convert` as a user runs it.
#![allow(clippy::unwrap_used)]

mod hub;
#[path = "../../../tests/support/same_weights.rs"]
mod same_weights;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use avse_core::config::{BertConfig, ImageBackboneConfig, ModelConfig, VitConfig};
use avse_core::image::Vit;
use avse_core::text::Bert;
use avse_core::text::tokenizer::CaptionTokenizer;
use avse_core::weights::{
    Bundle, BundleContents, Naming, Precision, StateDict, Towers, read_torch, state_dict_of,
};
use burn::tensor::{DType, Device, TensorData};
use same_weights::assert_same;
use support::HubServer;
use tempfile::TempDir;

const VOCABULARY: usize = 150;

fn avse(arguments: &[&str], hub: &str, home: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_avse"))
        .args(arguments)
        .env("HF_ENDPOINT", hub)
        .env("HF_HOME", home)
        .output()
        .unwrap()
}

/// An address where nothing listens.
const NOWHERE: &str = "http://127.0.0.1:9";

fn succeed(arguments: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    succeed_with(arguments, NOWHERE, home.path())
}

fn succeed_with(arguments: &[&str], hub: &str, home: &Path) -> String {
    let output = avse(arguments, hub, home);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {errors}");
    errors
}

fn fail(arguments: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let output = avse(arguments, NOWHERE, home.path());
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn fixture(name: &str) -> PathBuf {
    let standard = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/parity");
    std::env::var_os("AVSE_PARITY_DIR").map_or(standard, PathBuf::from).join(name)
}

/// The configuration of the official fixture, whose widths are no usual ones.
fn fixture_config() -> ModelConfig {
    let text = fs::read_to_string(fixture("official_checkpoint.json")).unwrap();
    let config = &serde_json::from_str::<serde_json::Value>(&text).unwrap()["config"];
    let size = |key: &str| usize::try_from(config[key].as_u64().unwrap()).unwrap();
    ModelConfig {
        embed_size: size("embed_size"),
        block_size: size("block_dim"),
        image_size: size("img_res"),
        sampling: Default::default(),
        pooling: Default::default(),
        image: ImageBackboneConfig::Vit(serde_json::from_value(config["vit"].clone()).unwrap()),
        text: serde_json::from_value(config["bert"].clone()).unwrap(),
        text_dropout: 0.2,
    }
}

fn write_vocabulary(folder: &Path, size: usize) {
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(str::to_string);
    let words = (special.len()..size).map(|word| format!("word{word}"));
    let lines: Vec<_> = special.into_iter().chain(words).collect();
    fs::write(folder.join("vocab.txt"), lines.join("\n") + "\n").unwrap();
}

/// Official checkpoint -> official safetensors -> bundle -> official safetensors -> bundle.
#[test]
fn official_weights_go_around_without_changing_a_bit() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let checkpoint = fixture("model_best.pth");
    let saved = read_torch(&checkpoint).unwrap().weights;
    let checkpoint = checkpoint.to_str().unwrap();
    let config = fixture_config();
    fs::write(at("config.json"), serde_json::to_string(&config).unwrap()).unwrap();
    write_vocabulary(folder.path(), config.text.vocab_size);
    let options = ["--config", &at("config.json"), "--text", folder.path().to_str().unwrap()];
    let convert = |from: &str, to: &str, out: &str| {
        let start = ["convert", "--from", from, "--to", to, "--out", out];
        // A bundle has its own configuration.
        let options = if Path::new(from).is_dir() { &options[2..] } else { &options };
        succeed(&[start.as_slice(), options].concat())
    };

    // The checkpoint as it is, the tensors that nothing uses included, and named.
    let said = convert(checkpoint, "official", &at("1.safetensors"));
    assert!(said.contains("not used") && said.contains("sim_enc.bin_score"), "{said}");
    assert_same(&saved, &StateDict::read_safetensors(at("1.safetensors")).unwrap());

    convert(&at("1.safetensors"), "bundle", &at("bundle"));
    let bundle = Bundle::open(at("bundle")).unwrap();
    assert_eq!(bundle.config::<ModelConfig>().unwrap(), config);
    let used = bundle.weights().unwrap();
    for (name, data) in used.iter() {
        assert!(data.as_bytes() == saved.get(name).unwrap().as_bytes(), "{name} differs");
    }
    assert!(used.len() < saved.len());

    // Out of the bundle, every key and shape that the official strict loading wants.
    convert(&at("bundle"), "official", &at("2.safetensors"));
    let complete = StateDict::read_safetensors(at("2.safetensors")).unwrap();
    assert_eq!(complete.names().collect::<Vec<_>>(), saved.names().collect::<Vec<_>>());
    for (name, data) in complete.iter() {
        let original = saved.get(name).unwrap();
        assert_eq!((data.dtype(), data.shape()), (original.dtype(), original.shape()), "{name}");
    }
    convert(&at("2.safetensors"), "bundle", &at("bundle 2"));
    assert_same(&used, &Bundle::open(at("bundle 2")).unwrap().weights().unwrap());
    // An average of the weights has one tensor more, which is no key of the official code.
    let mut average = saved.clone();
    average.insert("n_averaged", TensorData::new(vec![3i64], [1]));
    average.write_safetensors(at("average.safetensors"), Precision::F32).unwrap();
    convert(&at("average.safetensors"), "official", &at("5.safetensors"));
    let names = StateDict::read_safetensors(at("5.safetensors")).unwrap();
    assert!(names.names().eq(saved.names()));
    let error = fail(&["convert", "--from", "run1.ckpt", "--to", "bundle", "--out", &at("6")]);
    assert!(error.contains("run1.ckpt: no such file"), "{error}");
    convert(&at("bundle"), "safetensors", &at("3.safetensors"));
    for said in [["--config", &at("config.json")], ["--img-res", "64"]] {
        let (from, out) = (at("bundle"), at("4.safetensors"));
        let start = ["convert", "--from", &from, "--to", "safetensors", "--out", &out];
        let error = fail(&[&start[..], &said].concat());
        assert!(error.contains("a bundle") && error.contains(said[0]), "{error}");
    }
    assert_same(&used, &StateDict::read_safetensors(at("3.safetensors")).unwrap());

    // Half precision: about half the bytes, and the same shapes.
    succeed(&[
        "convert",
        "--from",
        &at("bundle"),
        "--to",
        "bundle",
        "--out",
        &at("half"),
        "--precision",
        "f16",
    ]);
    let half = Bundle::open(at("half")).unwrap();
    assert_eq!(half.manifest().precision, Precision::F16);
    let key = "txt_enc.fc.weight";
    assert_eq!(half.weights().unwrap().get(key).unwrap().dtype(), DType::F16);
    let bytes = |bundle: &Bundle| bundle.manifest().files["model.safetensors"].bytes;
    assert!(bytes(&half) * 10 < bytes(&bundle) * 6, "{} {}", bytes(&half), bytes(&bundle));

    // A table with rows to spare: fine with the bundle's own tokenizer, refused with anybody's.
    write_vocabulary(folder.path(), config.text.vocab_size - 2);
    let tokenizer = CaptionTokenizer::from_folder(folder.path()).unwrap().to_json().unwrap();
    let value = serde_json::to_value(&config).unwrap();
    Bundle::write(
        at("spare"),
        BundleContents {
            config: &value,
            weights: &used,
            tokenizer: tokenizer.as_bytes(),
            precision: Precision::F32,
            towers: Towers::Both,
        },
    )
    .unwrap();
    convert(&at("spare"), "bundle", &at("again"));
    assert_same(&used, &Bundle::open(at("again")).unwrap().weights().unwrap());
    let (checkpoint, text) = (at("1.safetensors"), folder.path().to_str().unwrap());
    let from = ["convert", "--from", &checkpoint, "--config", &at("config.json"), "--text", text];
    let said = fail(&[from.as_slice(), &["--to", "bundle", "--out", &at("no")]].concat());
    assert!(said.contains("tokens") && said.contains("--text"), "{said}");
}

#[test]
fn errors_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let checkpoint = fixture("model_best.pth");
    let from = ["convert", "--out", out, "--to", "bundle", "--from"];
    let convert = |rest: &[&str]| fail(&[from.as_slice(), rest].concat());

    // The fixture's widths do not tell the number of heads.
    let error = convert(&[checkpoint.to_str().unwrap()]);
    assert!(error.contains("num_attention_heads") && error.contains("--config"), "{error}");

    // A tokenizer of another size.
    let config = folder.path().join("config.json");
    fs::write(&config, serde_json::to_string(&fixture_config()).unwrap()).unwrap();
    write_vocabulary(folder.path(), 60);
    let text = folder.path().to_str().unwrap();
    let config = config.to_str().unwrap();
    let error = convert(&[checkpoint.to_str().unwrap(), "--config", config, "--text", text]);
    assert!(error.contains("60 tokens") && error.contains("--text"), "{error}");

    // A configuration of another model: the tensors are named.
    let mut other = fixture_config();
    other.embed_size *= 2;
    fs::write(config, serde_json::to_string(&other).unwrap()).unwrap();
    let error = convert(&[checkpoint.to_str().unwrap(), "--config", config, "--text", text]);
    assert!(error.contains("txt_enc.fc.weight is ["), "{error}");

    // No such folder; no network.
    let error = convert(&["./nowhere"]);
    assert!(error.contains("./nowhere: there is no such file or folder"), "{error}");
    let error = convert(&["vit-base-patch16-384"]);
    for part in ["google/vit-base-patch16-384", "local", "config.json", "HF_ENDPOINT"] {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
    assert!(!Path::new(out).exists());
}

#[test]
fn weights_with_nan_are_not_converted() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let config = fixture_config();
    fs::write(at("config.json"), serde_json::to_string(&config).unwrap()).unwrap();
    write_vocabulary(folder.path(), config.text.vocab_size);
    let mut weights = read_torch(fixture("model_best.pth")).unwrap().weights;
    let data = weights.get("txt_enc.fc.bias").unwrap().clone();
    let mut values = data.try_to_vec::<f32>().unwrap();
    values[0] = f32::NAN;
    let shape = data.shape().to_vec();
    weights.insert("txt_enc.fc.bias", burn::tensor::TensorData::new(values, shape));
    weights.write_safetensors(at("nan.safetensors"), Precision::F32).unwrap();
    let (from, out) = (at("nan.safetensors"), at("out"));
    let error = fail(&[
        "convert",
        "--from",
        &from,
        "--to",
        "bundle",
        "--out",
        &out,
        "--config",
        &at("config.json"),
        "--text",
        folder.path().to_str().unwrap(),
    ]);
    for part in ["nan.safetensors", "txt_enc.fc.bias (1 of ", "NaN"] {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
    assert!(!Path::new(&out).exists());
}
