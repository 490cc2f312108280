//! Folders that are no bundle, or no longer one.

use std::fs;

use super::support::{Fixture, command, outcome};

#[test]
fn damage_is_named() {
    let fixture = Fixture::trained();
    let weights = fixture.read("run/best/model.safetensors");
    let mut changed = weights.clone();
    *changed.last_mut().unwrap() ^= 1;
    fixture.write("run/best/model.safetensors", &changed);
    let file = fixture.arg("run/best/model.safetensors");
    fixture.eval("run/best", &[]).fails_with(&[&file, "sha256", "manifest"]);
    fixture.write("run/best/model.safetensors", &weights[..weights.len() / 2]);
    fixture.eval("run/best", &[]).fails_with(&[&file, "bytes", "manifest"]);
    fixture.write("run/best/model.safetensors", &weights);
    fixture.eval("run/best", &[]).succeeds();

    let manifest = fixture.text("run/best/manifest.json");
    fixture.write("run/best/manifest.json", &manifest[..manifest.len() / 2]);
    let file = fixture.arg("run/best/manifest.json");
    fixture.eval("run/best", &[]).fails_with(&[&file, "line"]);
    fixture.write("run/best/manifest.json", &manifest);

    for name in ["tokenizer.json", "config.json", "manifest.json"] {
        let name = format!("run/best/{name}");
        let content = fixture.read(&name);
        fs::remove_file(fixture.path(&name)).unwrap();
        fixture.eval("run/best", &[]).fails_with(&[&fixture.arg(&name)]);
        fixture.write(&name, content);
    }
    fixture.eval("run/best", &[]).succeeds();
}

#[test]
fn what_is_no_bundle_is_named() {
    let fixture = Fixture::new();
    fixture.eval("data", &[]).fails_with(&[&fixture.arg("data/manifest.json")]);
    fixture.eval("nowhere", &[]).fails_with(&[&fixture.arg("nowhere")]);
    // Without --model the newest run is looked for; there is none here.
    let data = fixture.arg("data");
    let mut eval = command(["eval", "--dataset", "f30k", "--data_path", &data]);
    outcome(eval.current_dir(fixture.path(""))).fails_with(&["f30k", "runs", "--model"]);
}
