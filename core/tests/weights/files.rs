//! Files of several parts, headers that are wrong, and weights that cannot be used.

use std::fs;
use std::path::Path;

use avse_core::weights::{
    Naming, Precision, StateDict, canonical, infer_config, load_into, read_weights, shards,
    state_dict_of,
};
use burn::tensor::{DType, TensorData};

use super::{assert_same, model, weights_error};

fn message<T>(result: avse_core::Result<T>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

/// The model's weights in two files with an index.
fn sharded(folder: &Path) -> StateDict {
    let weights = state_dict_of(&model(), Naming::OFFICIAL).unwrap();
    let mut map = serde_json::Map::new();
    let mut parts = [StateDict::new(), StateDict::new()];
    for (at, (name, data)) in weights.iter().enumerate() {
        let part = at % 2;
        map.insert(name.to_string(), format!("model-{part}.safetensors").into());
        parts[part].insert(name, data.clone());
    }
    for (at, part) in parts.iter().enumerate() {
        let path = folder.join(format!("model-{at}.safetensors"));
        part.write_safetensors(path, Precision::F32).unwrap();
    }
    let index = serde_json::json!({"metadata": {"total_size": 1}, "weight_map": map});
    fs::write(folder.join("model.safetensors.index.json"), format!("\u{feff}{index}")).unwrap();
    weights
}

#[test]
fn a_checkpoint_in_several_files_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let weights = sharded(folder.path());
    let index = folder.path().join("model.safetensors.index.json");
    assert_same(&weights, &read_weights(folder.path()).unwrap());
    assert_same(&weights, &read_weights(&index).unwrap());
    assert_eq!(shards(&index).unwrap(), ["model-0.safetensors", "model-1.safetensors"]);

    // A tensor that the index lists and the file lacks, and a file that is not there.
    let shard = folder.path().join("model-1.safetensors");
    let mut part = StateDict::read_safetensors(&shard).unwrap();
    let lost = part.names().next().unwrap().to_string();
    part.remove(&lost);
    part.write_safetensors(&shard, Precision::F32).unwrap();
    let error = message(read_weights(&index));
    assert!(error.contains(&lost) && error.contains("model-1.safetensors"), "{error}");
    fs::remove_file(&shard).unwrap();
    let error = message(read_weights(&index));
    assert!(error.contains("index.json") && error.contains("model-1.safetensors"), "{error}");
}

#[test]
fn an_index_names_files_of_its_own_folder_only() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let outside = parent.path().join("outside.safetensors");
    let weights: StateDict =
        [("a".to_string(), TensorData::new(vec![1f32], [1]))].into_iter().collect();
    weights.write_safetensors(&outside, Precision::F32).unwrap();
    let index = folder.join("model.safetensors.index.json");
    for name in
        ["../outside.safetensors", outside.to_str().unwrap(), "./x", "", "..", "a/b", "a\\b", "b/"]
    {
        let map = serde_json::json!({"weight_map": {"a": name}});
        fs::write(&index, map.to_string()).unwrap();
        let error = message(read_weights(&index));
        assert!(error.contains("not the name of a file in its folder"), "{name}: {error}");
        assert!(shards(&index).is_err());
    }
    for text in ["{}", "[]", "{\"weight_map\": {\"a\": 1}}", ""] {
        fs::write(&index, text).unwrap();
        assert!(message(read_weights(&index)).contains("not an index"), "{text}");
    }
    let own = serde_json::json!({"weight_map": {"a": "model.safetensors.index.json"}});
    fs::write(&index, own.to_string()).unwrap();
    assert!(message(read_weights(&index)).contains("index itself"));
}

/// The length of the header comes first, and may be any bytes: here those of a web page, and of gzip.
#[test]
fn a_header_of_any_length_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    for length in [u64::from_le_bytes(*b"<!\x01\0\0\0\0\0"), 0x8b1f] {
        let mut header = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#.to_vec();
        header.resize(length as usize, b' ');
        fs::write(&path, [&length.to_le_bytes()[..], &header, &1f32.to_le_bytes()].concat())
            .unwrap();
        assert_eq!(read_weights(&path).unwrap().names().collect::<Vec<_>>(), ["a"]);
    }
}

/// A shape may state any size where another is zero; a network of that size would fill the memory.
#[test]
fn a_tensor_that_holds_nothing_says_no_size() {
    let mut weights = state_dict_of(&model(), Naming::OFFICIAL).unwrap();
    let empty = TensorData::new(Vec::<f32>::new(), [1usize << 62, 0]);
    weights.insert("txt_enc.fc.weight", empty);
    let error = message(infer_config(&weights, 32));
    assert!(error.contains("txt_enc.fc.weight") && error.contains("holds nothing"), "{error}");
}

#[test]
fn what_training_wraps_around_names_falls_off() {
    let weights = state_dict_of(&model(), Naming::OFFICIAL).unwrap();
    for start in ["_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "model.", "net.avse."] {
        let mut wrapped = weights.clone().renamed(|name| Some(format!("{start}{name}")));
        wrapped.insert("n_averaged", TensorData::new(vec![3i64], [1]));
        let (loaded, _) = load_into(model(), wrapped, Naming::OFFICIAL).unwrap();
        assert_same(&weights, &state_dict_of(&loaded, Naming::OFFICIAL).unwrap());
    }
    let middle =
        |name: &str| name.replace("visual_encoder.", "_orig_mod.visual_encoder._orig_mod.");
    let wrapped = weights.clone().renamed(|name| Some(middle(name)));
    load_into(model(), wrapped, Naming::OFFICIAL).unwrap();

    // Beside the model stands a part of the training, which is named.
    let mut lightning = weights.clone().renamed(|name| Some(format!("model.{name}")));
    lightning.insert("criterion.weight", TensorData::new(vec![1f32], [1]));
    let (found, outside) = canonical(lightning.clone(), Naming::OFFICIAL).unwrap();
    assert_same(&weights, &found);
    assert_eq!(outside, ["criterion.weight"]);
    let (_, report) = load_into(model(), lightning, Naming::OFFICIAL).unwrap();
    assert_eq!(report.unused, ["criterion.weight"]);

    // The same model twice: nobody can tell which is meant.
    let mut twice = weights.clone().renamed(|name| Some(format!("online.{name}")));
    for (name, data) in weights.iter() {
        twice.insert(format!("ema.{name}"), data.clone());
    }
    let error = weights_error(load_into(model(), twice, Naming::OFFICIAL));
    assert!(error.contains("`ema.`") && error.contains("`online.`"), "{error}");
}

#[test]
fn values_that_are_not_finite_are_refused_by_name() {
    let weights = state_dict_of(&model(), Naming::OFFICIAL).unwrap();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut broken = weights.clone();
        let mut values = vec![0f32; 16];
        values[7] = bad;
        broken.insert("txt_enc.ln.bias", TensorData::new(values, [16]));
        let error = weights_error(load_into(model(), broken, Naming::OFFICIAL));
        assert!(error.contains("txt_enc.ln.bias (1 of 16)") && error.contains("NaN"), "{error}");
    }
    // A double that no float holds.
    let mut broken = weights.clone();
    broken.insert("txt_enc.ln.bias", TensorData::new(vec![1e300f64; 16], [16]));
    let error = weights_error(load_into(model(), broken, Naming::OFFICIAL));
    assert!(error.contains("txt_enc.ln.bias (16 of 16)"), "{error}");
}

#[test]
fn errors_list_the_first_names_and_their_number() {
    let weights: StateDict = (0..900)
        .map(|at| (format!("somebody.elses.layer.{at}"), TensorData::new(vec![1f32], [1])))
        .collect();
    let error = weights_error(load_into(model(), weights, Naming::OFFICIAL));
    assert!(error.contains("900 unknown") && error.contains("and 895 more"), "{error}");
    assert!(error.len() < 1500, "{} bytes", error.len());
}

/// A file of this header and `length` bytes of data.
fn raw(header: &str, length: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + length, 1);
    bytes
}

#[test]
fn safetensors_headers_are_checked() {
    let read = |bytes: &[u8]| {
        StateDict::from_safetensors(bytes, bytes.len() as u64, Path::new("x.safetensors"))
    };
    let one = |dtype: &str, range: &str| {
        format!("{{\"a\":{{\"dtype\":\"{dtype}\",\"shape\":[2],\"data_offsets\":{range}}}}}")
    };
    for (dtype, size, kind) in [
        ("F64", 8, DType::F64),
        ("F32", 4, DType::F32),
        ("F16", 2, DType::F16),
        ("BF16", 2, DType::BF16),
        ("I64", 8, DType::I64),
        ("I32", 4, DType::I32),
        ("I16", 2, DType::I16),
        ("I8", 1, DType::I8),
        ("U64", 8, DType::U64),
        ("U32", 4, DType::U32),
        ("U16", 2, DType::U16),
        ("U8", 1, DType::U8),
    ] {
        let found = read(&raw(&one(dtype, &format!("[0,{}]", 2 * size)), 2 * size)).unwrap();
        assert_eq!(found.get("a").unwrap().dtype(), kind);
    }
    let mut truth = raw(&one("BOOL", "[0,2]"), 2);
    *truth.last_mut().unwrap() = 7;
    let found = read(&truth).unwrap();
    assert_eq!(found.get("a").unwrap().try_to_vec::<bool>().unwrap(), [true, true]);

    let wrong = [
        (one("F8_E4M3", "[0,2]"), 2, "F8_E4M3"),
        (one("C64", "[0,16]"), 16, "C64"),
        (one("F32", "[0,4]"), 4, "header"),
        (one("F32", "[4,12]"), 12, "header"),
        (one("F32", "[0,8]"), 9, "truncated"),
        (one("F32", "[0,8]"), 7, "truncated"),
        (format!("\u{feff}{}", one("F32", "[0,8]")), 8, "header"),
        ("[]".to_string(), 0, "header"),
        (
            "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\
             \"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}"
                .to_string(),
            3,
            "header",
        ),
        (
            "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\
             \"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}"
                .to_string(),
            2,
            "`a` is there twice",
        ),
    ];
    for (header, length, part) in wrong {
        let error = message(read(&raw(&header, length)));
        assert!(error.contains(part) && error.contains("x.safetensors"), "{header}: {error}");
    }
}

#[test]
fn a_file_is_told_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let weights: StateDict =
        [("a".to_string(), TensorData::new(vec![1f32], [1]))].into_iter().collect();
    let path = folder.path().join("really.safetensors.pth");
    weights.write_safetensors(&path, Precision::F32).unwrap();
    assert_same(&weights, &read_weights(&path).unwrap());
    let torch = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/torch/views.pth");
    let named = folder.path().join("really_torch.safetensors");
    fs::copy(torch, &named).unwrap();
    assert_eq!(read_weights(&named).unwrap().len(), 8);
    for name in ["x.safetensors", "x.pth"] {
        let path = folder.path().join(name);
        fs::write(&path, "version https://git-lfs.github.com/spec/v1\n").unwrap();
        let error = message(read_weights(&path));
        assert!(error.contains("git lfs pull") && error.contains(name), "{error}");
    }
}
