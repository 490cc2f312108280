//! Weights in and out of files and modules, on generated data.
#![allow(clippy::unwrap_used)]

mod backbones;
mod files;
#[path = "../../../tests/support/same_weights.rs"]
mod same_weights;
mod torch;
#[path = "../../../tests/support/torch_types.rs"]
mod torch_types;
mod web;

use std::fs;
use std::path::Path;

use avse_core::config::{BertConfig, ImageBackboneConfig, ModelConfig, SwinConfig, VitConfig};
use avse_core::weights::{
    Bundle, BundleContents, Naming, Precision, StateDict, Towers, infer_config, load_into, pickle,
    read_torch, read_weights, state_dict_of,
};
use avse_core::{AvseModel, Error};
use burn::tensor::{DType, Device, TensorData};
use same_weights::assert_same;

fn vit() -> VitConfig {
    VitConfig {
        hidden_size: 12,
        num_hidden_layers: 2,
        num_attention_heads: 3,
        intermediate_size: 20,
        image_size: 32,
        ..Default::default()
    }
}

fn bert() -> BertConfig {
    BertConfig {
        vocab_size: 30,
        hidden_size: 8,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 12,
        max_position_embeddings: 10,
        ..Default::default()
    }
}

fn swin() -> SwinConfig {
    SwinConfig {
        image_size: 32,
        embed_dim: 8,
        depths: vec![2, 1],
        num_heads: vec![2, 4],
        window_size: 4,
        ..Default::default()
    }
}

fn model_config(image: ImageBackboneConfig) -> ModelConfig {
    ModelConfig {
        embed_size: 16,
        block_size: 8,
        image_size: 32,
        sampling: Default::default(),
        pooling: Default::default(),
        image,
        text: bert(),
        text_dropout: 0.2,
    }
}

fn model() -> AvseModel {
    AvseModel::new(&model_config(ImageBackboneConfig::Vit(vit())), &Device::flex()).unwrap()
}

fn weights_error<T>(result: avse_core::Result<T>) -> String {
    match result {
        Err(Error::Weights(message)) => message,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("no error"),
    }
}

#[test]
fn a_model_survives_a_safetensors_file_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let weights = state_dict_of(&model(), Naming::OFFICIAL).unwrap();
    weights.write_safetensors(&path, Precision::F32).unwrap();
    let read = StateDict::read_safetensors(&path).unwrap();
    assert_same(&weights, &read);

    // Into a model with other random weights, and out again.
    let other = model();
    let before = state_dict_of(&other, Naming::OFFICIAL).unwrap();
    let key = "txt_enc.fc.weight";
    assert_ne!(before.get(key).unwrap().as_bytes(), weights.get(key).unwrap().as_bytes());
    let (other, report) = load_into(other, read, Naming::OFFICIAL).unwrap();
    assert_same(&weights, &state_dict_of(&other, Naming::OFFICIAL).unwrap());
    assert_eq!(report.loaded.len(), weights.len());
    assert!(report.unused.is_empty());

    // Written twice, the same bytes; and nothing is left beside the file.
    let again = folder.path().join("again.safetensors");
    weights.write_safetensors(&again, Precision::F32).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&again).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn linear_weights_are_stored_output_first() {
    let weights = state_dict_of(&model(), Naming::OFFICIAL).unwrap();
    let shape = |name: &str| weights.get(name).unwrap().shape().to_vec();
    assert_eq!(shape("img_enc.image_encoder.fc.weight"), [16, 12]);
    assert_eq!(shape("txt_enc.mlp.layers.0.weight"), [8, 8]);
    assert_eq!(shape("txt_enc.bert.embeddings.word_embeddings.weight"), [30, 8]);
}

#[test]
fn half_precision_keeps_vectors_and_what_would_overflow() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    let mut weights = StateDict::new();
    let matrix = |values: Vec<f32>| TensorData::new(values, [2, 2]);
    weights.insert("matrix", matrix(vec![0.1, -2.0, 3.5, 65504.0]));
    weights.insert("large", matrix(vec![1.0, 2.0, 3.0, 1e6]));
    weights.insert("vector", TensorData::new(vec![1e-9f32, 1e6], [2]));
    weights.insert("count", TensorData::new(vec![3i64], [1]));
    weights.write_safetensors(&path, Precision::F16).unwrap();
    let read = StateDict::read_safetensors(&path).unwrap();
    assert_eq!(read.get("matrix").unwrap().dtype(), DType::F16);
    for name in ["large", "vector"] {
        assert_eq!(read.get(name).unwrap().as_bytes(), weights.get(name).unwrap().as_bytes());
    }
    assert_eq!(read.get("count").unwrap().try_to_vec::<i64>().unwrap(), [3]);

    // A model loaded from half precision computes in its own precision again.
    let weights = state_dict_of(&model(), Naming::OFFICIAL).unwrap();
    weights.write_safetensors(&path, Precision::F16).unwrap();
    let read = StateDict::read_safetensors(&path).unwrap();
    let (loaded, _) = load_into(model(), read, Naming::OFFICIAL).unwrap();
    for (name, data) in state_dict_of(&loaded, Naming::OFFICIAL).unwrap().iter() {
        let original = weights.get(name).unwrap().try_to_vec::<f32>().unwrap();
        for (a, b) in data.try_to_vec::<f32>().unwrap().iter().zip(&original) {
            assert!((a - b).abs() <= b.abs() / 1024.0 + 1e-7, "{name}: {a} {b}");
        }
    }
}

#[test]
fn every_wrong_tensor_is_named_at_once() {
    let mut weights = state_dict_of(&model(), Naming::OFFICIAL).unwrap();
    weights.remove("txt_enc.fc.bias").unwrap();
    weights.remove("img_enc.visual_encoder.embeddings.cls_token").unwrap();
    weights.insert("txt_enc.ln.weight", TensorData::zeros::<f32, _>([17]));
    weights.insert("txt_enc.surprise", TensorData::zeros::<f32, _>([2, 3]));
    weights.insert("txt_enc.bert.pooler.dense.bias", TensorData::zeros::<f32, _>([8]));
    let duplicate = TensorData::zeros::<f32, _>([16]);
    weights.insert("module.txt_enc.ln.bias", duplicate);
    let message = weights_error(load_into(model(), weights, Naming::OFFICIAL));
    for part in [
        "2 missing: ",
        "txt_enc.fc.bias [16]",
        "img_enc.visual_encoder.embeddings.cls_token [1, 1, 12]",
        "1 unknown: txt_enc.surprise [2, 3]",
        "txt_enc.ln.weight is [17], should be [16]",
        "1 there twice: txt_enc.ln.bias",
    ] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    assert!(!message.contains("pooler"), "{message}");
}

#[test]
fn known_unused_tensors_are_listed() {
    let weights = state_dict_of(&model(), Naming::OFFICIAL).unwrap();
    // As distributed training would save it.
    let mut weights = weights.renamed(|name| Some(format!("module.{name}")));
    let scalar = || TensorData::new(vec![1.0f32], Vec::<usize>::new());
    weights.insert("module.sim_enc.bin_score", scalar());
    weights.insert("module.txt_enc.mlp.bns.0.num_batches_tracked", scalar());
    let (_, report) = load_into(model(), weights, Naming::OFFICIAL).unwrap();
    let unused = ["sim_enc.bin_score", "txt_enc.mlp.bns.0.num_batches_tracked"];
    assert_eq!(report.unused, unused);
}

#[test]
fn broken_safetensors_are_told_from_good_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut weights = StateDict::new();
    weights.insert("a", TensorData::new(vec![1.0f32, 2.0], [2]));
    weights.write_safetensors(&path, Precision::F32).unwrap();
    let good = fs::read(&path).unwrap();

    let mut huge = good.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut garbled = good.clone();
    garbled[9] = b'!';
    let longer = [good.as_slice(), &[0]].concat();
    let damaged = [&good[..good.len() - 3], &good[..5], &huge, &garbled, &longer, b""];
    for (case, bytes) in damaged.into_iter().enumerate() {
        fs::write(&path, bytes).unwrap();
        match StateDict::read_safetensors(&path) {
            Err(Error::Format { path: named, .. }) => assert_eq!(named, path),
            other => panic!("case {case}: {other:?}"),
        }
    }
    let missing = folder.path().join("nothing.safetensors");
    let error = StateDict::read_safetensors(&missing).unwrap_err();
    assert!(error.to_string().contains("nothing.safetensors"), "{error}");
}

fn write_bundle(folder: &Path, weights: &StateDict) -> avse_core::Result<Bundle> {
    let config = model_config(ImageBackboneConfig::Vit(vit()));
    let config = serde_json::to_value(config).unwrap();
    let tokenizer = br#"{"version":"1.0"}"#;
    let (precision, towers) = (Precision::F32, Towers::Both);
    let contents = BundleContents { config: &config, weights, tokenizer, precision, towers };
    Bundle::write(folder, contents)
}

#[test]
fn a_bundle_is_replaced_as_a_whole_and_checked_on_opening() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("best");
    let first = state_dict_of(&model(), Naming::OFFICIAL).unwrap();
    let second = state_dict_of(&model(), Naming::OFFICIAL).unwrap();
    write_bundle(&folder, &first).unwrap();
    let written = write_bundle(&folder, &second).unwrap();
    let names = |path: &Path| {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(parent.path()), ["best"]);
    let files = ["config.json", "manifest.json", "model.safetensors", "tokenizer.json"];
    assert_eq!(names(&folder), files);

    let bundle = Bundle::open(&folder).unwrap();
    assert_eq!(bundle.manifest(), written.manifest());
    assert_same(&second, &bundle.weights().unwrap());
    let config = model_config(ImageBackboneConfig::Vit(vit()));
    assert_eq!(bundle.config::<ModelConfig>().unwrap(), config);
    assert_eq!(bundle.tokenizer().unwrap(), br#"{"version":"1.0"}"#);

    // One byte changed, one byte missing, a file missing: each error names the file.
    for name in &files[..] {
        let path = folder.join(name);
        let good = fs::read(&path).unwrap();
        if *name != "manifest.json" {
            let mut flipped = good.clone();
            let last = flipped.len() - 2;
            flipped[last] ^= 1;
            fs::write(&path, flipped).unwrap();
            let error = Bundle::open(&folder).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("sha256"), "{error}");
        }
        fs::write(&path, &good[..good.len() - 2]).unwrap();
        let error = Bundle::open(&folder).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        fs::remove_file(&path).unwrap();
        let error = Bundle::open(&folder).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        fs::write(&path, good).unwrap();
    }
    Bundle::open(&folder).unwrap();

    // A crash between the renames of a replacement leaves the old bundle aside.
    fs::rename(&folder, parent.path().join(".best.previous")).unwrap();
    assert_same(&second, &Bundle::open(&folder).unwrap().weights().unwrap());
    // Reading moves nothing: a writer may be at it. The next one puts things right.
    assert!(!folder.exists());
    write_bundle(&folder, &first).unwrap();
    assert_same(&first, &Bundle::open(&folder).unwrap().weights().unwrap());
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_that_is_no_bundle_is_not_overwritten() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("thesis");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("chapter.txt"), "years of work").unwrap();
    let weights = state_dict_of(&model(), Naming::OFFICIAL).unwrap();
    let error = write_bundle(&folder, &weights).unwrap_err().to_string();
    assert!(error.contains("thesis") && error.contains("no bundle"), "{error}");
    assert_eq!(fs::read_to_string(folder.join("chapter.txt")).unwrap(), "years of work");
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_without_weights_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = read_weights(folder.path()).unwrap_err().to_string();
    assert!(error.contains("model.safetensors") && error.contains("pytorch_model.bin"), "{error}");
    let path = folder.path().join("broken.pth");
    fs::write(&path, b"PK\x03\x04 but no archive").unwrap();
    let error = read_torch(&path).unwrap_err().to_string();
    assert!(error.contains("broken.pth"), "{error}");
}

#[test]
fn pickles_are_read_as_data() {
    use pickle::Value;
    // {"a": [1, -2], "same": the same list, "call": os.system("true")}, protocol 2.
    let bytes = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01]q\x02(K\x01J\xfe\xff\xff\xffe\
        X\x04\x00\x00\x00sameq\x03h\x02X\x04\x00\x00\x00callq\x04cos\nsystem\n\
        X\x04\x00\x00\x00true\x85Ru.";
    let value = pickle::read(bytes).unwrap();
    let list = Value::List(vec![Value::Int(1), Value::Int(-2)]);
    assert_eq!(value.get("a"), Some(&list));
    assert_eq!(value.get("same"), Some(&list));
    let Some(Value::Object { class, arguments, .. }) = value.get("call") else {
        panic!("{value:?}")
    };
    assert_eq!(class, "os.system");
    assert_eq!(**arguments, Value::List(vec![Value::Text("true".into())]));
    assert_eq!(value.to_json(), None);

    for end in 0..bytes.len() - 1 {
        pickle::read(&bytes[..end]).unwrap_err();
    }
    // A list in itself, and lists that double thirty times over.
    pickle::read(b"\x80\x02]q\x00h\x00a.").unwrap_err();
    let doubling: Vec<u8> = (0..30).flat_map(|_| *b"2\x86").collect();
    pickle::read(&[b"K\x01".as_slice(), &doubling, b"."].concat()).unwrap_err();
    // Integers of any width: 2^31, -1, 2^64.
    let long = |bytes: &[u8]| pickle::read(bytes).unwrap();
    assert_eq!(long(b"\x8a\x05\x00\x00\x00\x80\x00."), Value::Int(1 << 31));
    assert_eq!(long(b"\x8a\x01\xff."), Value::Int(-1));
    let wide = long(b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.");
    assert_eq!(wide, Value::Float(18446744073709551616.0));
}

#[test]
fn the_configuration_is_told_from_the_shapes() {
    let text = BertConfig { hidden_size: 128, num_attention_heads: 2, ..bert() };
    let wide_vit = VitConfig { hidden_size: 192, ..vit() };
    let deep_swin = SwinConfig { depths: vec![1, 2, 1], num_heads: vec![2, 4, 8], ..swin() };
    for image in [ImageBackboneConfig::Vit(wide_vit), ImageBackboneConfig::Swin(deep_swin)] {
        let mut config = model_config(image);
        (config.text, config.embed_size, config.block_size) = (text.clone(), 256, 256);
        let model = AvseModel::new(&config, &Device::flex()).unwrap();
        let weights = state_dict_of(&model, Naming::OFFICIAL).unwrap();
        let mut inferred = infer_config(&weights, config.image_size).unwrap();
        if let ImageBackboneConfig::Swin(swin) = &mut inferred.image {
            // A Swin has no position table that would tell.
            swin.image_size = 32;
        }
        assert_eq!(inferred, config);
    }
    // A width that no published backbone has, and a checkpoint of something else.
    let odd = infer_config(&state_dict_of(&model(), Naming::OFFICIAL).unwrap(), 32);
    assert!(odd.unwrap_err().to_string().contains("num_attention_heads"));
    assert!(weights_error(infer_config(&StateDict::new(), 32)).contains("txt_enc.fc.weight"));
}
