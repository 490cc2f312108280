//! Backbones from the hub: fetched once, with an access token, and in several files.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::*;

/// A hub with a ViT and a BERT, small but complete.
fn published() -> (TempDir, StateDict, StateDict) {
    let root = tempfile::tempdir().unwrap();
    let device = Device::flex();
    let vit = VitConfig {
        hidden_size: 12,
        num_hidden_layers: 1,
        num_attention_heads: 3,
        intermediate_size: 20,
        image_size: 32,
        ..Default::default()
    };
    let folder = root.path().join("google/vit-tiny");
    fs::create_dir_all(&folder).unwrap();
    let image = state_dict_of(&Vit::new(&vit, &device), Naming::VIT).unwrap();
    image.write_safetensors(folder.join("model.safetensors"), Precision::F32).unwrap();
    let config = serde_json::to_string(&ImageBackboneConfig::Vit(vit)).unwrap();
    fs::write(folder.join("config.json"), config).unwrap();

    let bert = BertConfig {
        vocab_size: VOCABULARY,
        hidden_size: 8,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        intermediate_size: 12,
        max_position_embeddings: 10,
        ..Default::default()
    };
    let folder = root.path().join("someone/bert-tiny");
    fs::create_dir_all(&folder).unwrap();
    let text = state_dict_of(&Bert::new(&bert, &device), Naming::BERT).unwrap();
    let wrapped = text.clone().renamed(|name| Some(format!("bert.{name}")));
    wrapped.write_safetensors(folder.join("model.safetensors"), Precision::F32).unwrap();
    fs::write(folder.join("config.json"), serde_json::to_string(&bert).unwrap()).unwrap();
    write_vocabulary(&folder, VOCABULARY);
    (root, image, text)
}

#[test]
fn backbones_come_from_the_hub_once_and_then_from_its_cache() {
    let (root, image, text) = published();
    let hub = HubServer::start(root.path());
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let out = folder.path().join("bundle");
    let arguments = |image: &'static str, text: &'static str| {
        let out = out.to_str().unwrap();
        let sizes = ["--embed-size", "16", "--img-res", "32", "--out", out, "--to", "bundle"];
        [["convert", "--from", image, "--text", text].as_slice(), &sizes].concat()
    };
    let names = arguments("vit-tiny", "someone/bert-tiny");
    succeed_with(&names, &hub.endpoint, &home);
    let bundle = Bundle::open(&out).unwrap();
    let weights = bundle.weights().unwrap();
    for (prefix, backbone) in [("img_enc.visual_encoder", &image), ("txt_enc.bert", &text)] {
        for (name, data) in backbone.iter() {
            let loaded = weights.get(&format!("{prefix}.{name}")).unwrap();
            assert!(loaded.as_bytes() == data.as_bytes(), "{name} differs");
        }
    }
    let manifest = bundle.manifest().clone();

    // From the cache, without a word to the hub; the same seed gives the same heads.
    let asked = hub.requests();
    assert!(asked > 0);
    succeed_with(&names, NOWHERE, &home);
    assert_eq!(*Bundle::open(&out).unwrap().manifest(), manifest);
    succeed_with(&names, &hub.endpoint, &home);
    assert_eq!(hub.requests(), asked);
    let other = [names.as_slice(), &["--seed", "1"]].concat();
    succeed_with(&other, NOWHERE, &home);
    assert_ne!(*Bundle::open(&out).unwrap().manifest(), manifest);

    // Unknown to the hub; known but incomplete.
    let output = avse(&arguments("vit-unheard-of", "someone/bert-tiny"), &hub.endpoint, &home);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("google/vit-unheard-of"), "{error}");
    fs::remove_file(root.path().join("google/vit-tiny/model.safetensors")).unwrap();
    let fresh = folder.path().join("fresh");
    let output = avse(&names, &hub.endpoint, &fresh);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("no model.safetensors or pytorch_model.bin"), "{error}");

    // A text model in the image model's place, from a local folder.
    let local = root.path().join("someone/bert-tiny");
    let from = local.to_str().unwrap();
    let sizes = ["--out", "x", "--to", "bundle"];
    let error = fail(&[["convert", "--from", from, "--text", from].as_slice(), &sizes].concat());
    assert!(error.contains("model_type") && error.contains("config.json"), "{error}");
}

/// Runs a conversion of published backbones with these variables set, and no token of this machine's user.
fn with_variables(hub: &str, home: &Path, variables: &[(&str, &str)]) -> Output {
    let out = home.join("bundle");
    let names = ["--from", "vit-tiny", "--text", "someone/bert-tiny", "--embed-size", "16"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_avse"));
    command.args(["convert", "--to", "bundle", "--img-res", "32", "--out"]).arg(out).args(names);
    for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"] {
        command.env_remove(name);
    }
    command.env("HF_ENDPOINT", hub).env("HF_HOME", home).envs(variables.iter().copied());
    command.output().unwrap()
}

#[test]
fn a_private_model_is_fetched_with_the_access_token() {
    let (root, ..) = published();
    let hub = HubServer::private(root.path(), "hf_right");
    let file = tempfile::tempdir().unwrap();
    let token = file.path().join("mine");
    fs::write(&token, "hf_right\n").unwrap();
    let token = token.to_str().unwrap();
    let slash = format!("{}/", hub.endpoint);
    for (variables, endpoint) in [
        (vec![("HF_TOKEN", "hf_right")], &hub.endpoint),
        (vec![("HF_TOKEN", " hf_right\n")], &slash),
        (vec![("HUGGING_FACE_HUB_TOKEN", "hf_right"), ("HF_TOKEN", "")], &hub.endpoint),
        (vec![("HF_TOKEN_PATH", token)], &hub.endpoint),
        (vec![], &hub.endpoint),
    ] {
        let home = tempfile::tempdir().unwrap();
        if variables.is_empty() {
            fs::write(home.path().join("token"), "hf_right\n").unwrap();
        }
        let output = with_variables(endpoint, home.path(), &variables);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{variables:?}: {errors}");
    }
    for (variables, parts) in [
        (vec![], ["google/vit-tiny", "set HF_TOKEN"]),
        (vec![("HF_TOKEN", "hf_wrong")], ["does not accept", "HF_TOKEN"]),
        (vec![("HF_TOKEN", "other")], ["may not read it", "model's page"]),
        (vec![("HF_TOKEN", "a b")], ["HF_TOKEN", "not an access token"]),
    ] {
        let home = tempfile::tempdir().unwrap();
        let output = with_variables(&hub.endpoint, home.path(), &variables);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        for part in parts {
            assert!(errors.contains(part), "`{part}` is not in: {errors}");
        }
        assert!(!errors.contains("hf_wrong") && !errors.contains("a b"), "{errors}");
    }
}

#[test]
fn a_model_in_several_files_comes_from_the_hub() {
    let (root, image, _) = published();
    let folder = root.path().join("google/vit-tiny");
    fs::remove_file(folder.join("model.safetensors")).unwrap();
    let mut map = serde_json::Map::new();
    for (at, (name, data)) in image.iter().enumerate() {
        let file = format!("model-{at}.safetensors");
        let one: StateDict = [(name.to_string(), data.clone())].into_iter().collect();
        one.write_safetensors(folder.join(&file), Precision::F32).unwrap();
        map.insert(name.to_string(), file.into());
    }
    let index = serde_json::json!({"weight_map": map}).to_string();
    fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
    let hub = HubServer::start(root.path());
    let home = tempfile::tempdir().unwrap();
    let output = with_variables(&hub.endpoint, home.path(), &[]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    let weights = Bundle::open(home.path().join("bundle")).unwrap().weights().unwrap();
    let name = image.names().next().unwrap();
    let found = weights.get(&format!("img_enc.visual_encoder.{name}")).unwrap();
    assert!(found.as_bytes() == image.get(name).unwrap().as_bytes());

    // Again without a network: all of it is in the cache.
    fs::remove_dir_all(home.path().join("bundle")).unwrap();
    let output = with_variables(NOWHERE, home.path(), &[]);
    assert!(output.status.success(), "{}", String::from_utf8(output.stderr).unwrap());
}
