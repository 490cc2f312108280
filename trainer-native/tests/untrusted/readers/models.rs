//! Networks and their weights.

use avse_core::config::{BertConfig, ImageBackboneConfig, ModelConfig};
use avse_core::text::tokenizer::CaptionTokenizer;
use avse_core::weights::{
    BundleFiles, FileEntry, Manifest, Naming, Precision, StateDict, read_torch, state_dict_of,
};
use avse_core::{Avse, AvseModel};
use burn::tensor::Device;
use serde_json::json;

use super::{parts, scratch};

/// A `config.json` of a backbone, or of a whole model.
pub fn network(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let image = ImageBackboneConfig::from_hugging_face(text);
    let bert = BertConfig::from_hugging_face(text);
    let whole = serde_json::from_str::<ModelConfig>(text).is_ok_and(|c| c.validate().is_ok());
    whole || image.is_ok() || bert.is_ok()
}

/// One of each kind.
pub fn networks() -> Vec<Vec<u8>> {
    let swin = json!({"model_type": "swin", "image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [1, 1],
        "num_heads": [2, 2], "window_size": 4, "mlp_ratio": 2.0, "hidden_act": "gelu"});
    let resnet = json!({"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1],
        "layer_type": "bottleneck", "hidden_act": "relu"});
    let whole = config();
    let (vit, bert) = (whole["image"].clone(), whole["text"].clone());
    [swin, resnet, vit, bert, whole].map(|json| json.to_string().into_bytes()).to_vec()
}

/// A model of a few hundred weights.
fn config() -> serde_json::Value {
    json!({
        "embed_size": 8, "block_size": 4, "image_size": 8,
        "pooling": {"position_size": 4, "hidden_size": 4, "temperature": 0.1},
        "image": {"model_type": "vit", "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 4, "image_size": 8, "patch_size": 4},
        "text": {"model_type": "bert", "vocab_size": 8, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 4, "max_position_embeddings": 8},
    })
}

fn weights() -> StateDict {
    let config: ModelConfig = serde_json::from_value(config()).unwrap();
    let model = AvseModel::new(&config, &Device::flex()).unwrap();
    state_dict_of(&model, Naming::OFFICIAL).unwrap()
}

fn written(weights: &StateDict, precision: Precision) -> Vec<u8> {
    let path = scratch::folder().join("written.safetensors");
    weights.write_safetensors(&path, precision).unwrap();
    std::fs::read(path).unwrap()
}

/// Weights alone.
pub fn safetensors(bytes: &[u8]) -> bool {
    let path = std::path::Path::new("input.safetensors");
    StateDict::from_safetensors(bytes, bytes.len() as u64, path).is_ok()
}

/// In each precision.
pub fn safetensors_files() -> Vec<Vec<u8>> {
    let weights = weights();
    [Precision::F32, Precision::F16, Precision::Int8].map(|p| written(&weights, p)).to_vec()
}

/// A file of PyTorch's.
pub fn torch(bytes: &[u8]) -> bool {
    read_torch(scratch::file("input.pth", bytes)).is_ok()
}

/// An official checkpoint.
pub fn torch_files() -> Vec<Vec<u8>> {
    vec![include_bytes!("../../../../tests/fixtures/parity/model_best.pth").to_vec()]
}

/// A pickle.
pub fn pickle(bytes: &[u8]) -> bool {
    avse_core::weights::pickle::read(bytes).is_ok()
}

/// `{"a": [1, 2.5, None, True], ("b",): OrderedDict(c=3)}` and an object, as Python writes them.
pub fn pickles() -> Vec<Vec<u8>> {
    let dictionary = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01]q\x02(K\x01G@\x04\x00\x00\x00\x00\x00\x00N\x88eX\x01\x00\x00\x00bq\x03\
        \x85q\x04ccollections\nOrderedDict\nq\x05)Rq\x06X\x01\x00\x00\x00cq\x07K\x03su.";
    let object = b"\x80\x04\x95\x30\x00\x00\x00\x00\x00\x00\x00\x8c\x08argparse\x94\x8c\tNamespace\x94\x93\x94)\x81\x94}\x94\
        \x8c\x07img_res\x94M\x00\x01sb.";
    vec![dictionary.to_vec(), object.to_vec()]
}

/// A bundle whose manifest is right about the other files: the hash of a changed one would end the reading at once.
/// The first part stands for the manifest where it can be read as one.
pub fn bundle(bytes: &[u8]) -> bool {
    let [manifest, config, tokenizer, weights] = parts::split(bytes);
    let path = std::path::Path::new("manifest.json");
    let Ok(mut read) = Manifest::from_json(manifest, path) else { return false };
    let contents =
        [("config.json", config), ("tokenizer.json", tokenizer), ("model.safetensors", weights)];
    for (name, content) in contents {
        read.files.insert(name.into(), FileEntry::of_bytes(content));
    }
    let files = BundleFiles {
        manifest: serde_json::to_vec(&read).unwrap(),
        config: config.to_vec(),
        weights: weights.to_vec(),
        tokenizer: tokenizer.to_vec(),
    };
    if let Ok(files) = files.verify()
        && let Ok((avse, _)) = Avse::from_files(files, &Device::flex())
    {
        avse.encode_texts(&["a man"]).into_data();
        return true;
    }
    false
}

/// In each precision.
pub fn bundles() -> Vec<Vec<u8>> {
    let weights = weights();
    let vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nman\n##s\n";
    let tokenizer = CaptionTokenizer::from_vocab(vocabulary).unwrap().to_json().unwrap();
    let (config, tokenizer) = (config().to_string(), tokenizer.as_bytes());
    let bundle = |(name, precision): (&str, Precision)| {
        let entry = json!({"bytes": 0, "sha256": ""});
        let files =
            json!({"config.json": entry, "tokenizer.json": entry, "model.safetensors": entry});
        let manifest = json!({"format": "avse-bundle", "version": 1, "created_by": "a test", "precision": name, "files": files});
        let weights = written(&weights, precision);
        parts::join(&[manifest.to_string().as_bytes(), config.as_bytes(), tokenizer, &weights])
    };
    [("f32", Precision::F32), ("f16", Precision::F16), ("int8", Precision::Int8)]
        .map(bundle)
        .to_vec()
}
