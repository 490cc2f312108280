//! Training, evaluation, indexes and encoding on datasets that are not in the official layout, and
//! training with a cache.

use std::fs;

use serde_json::Value;

use super::support::{CAPTIONS, Fixture, avse, command, outcome};

/// The fixture's dataset as (split, picture's file, caption).
fn pairs(fixture: &Fixture) -> Vec<(String, String, String)> {
    let mut pairs = Vec::new();
    for split in ["train", "dev", "test"] {
        let ids = fixture.text(&format!("data/f30k/{split}_ids.txt"));
        let captions = fixture.text(&format!("data/f30k/{split}_caps.txt"));
        for (id, caption) in ids.lines().zip(captions.lines()) {
            pairs.push((split.to_owned(), format!("{id}.png"), caption.to_owned()));
        }
    }
    pairs
}

fn write_csv(fixture: &Fixture) {
    let rows =
        pairs(fixture).into_iter().map(|(s, image, text)| format!("{image},\"{text}\",{s}\n"));
    fixture.write("pairs.csv", format!("image,caption,split\n{}", rows.collect::<String>()));
}

fn write_shards(fixture: &Fixture) {
    fs::create_dir(fixture.path("shards")).unwrap();
    let pairs = pairs(fixture);
    for split in ["train", "dev", "test"] {
        let mut tar = tar::Builder::new(Vec::new());
        let own: Vec<_> = pairs.iter().filter(|(of, ..)| of == split).collect();
        for group in own.chunks(CAPTIONS) {
            let (_, file, _) = group[0];
            let text: Vec<&str> = group.iter().map(|(_, _, text)| text.as_str()).collect();
            let members = [
                (file.clone(), fs::read(fixture.image(file)).unwrap()),
                (file.replace(".png", ".txt"), text.join("\n").into_bytes()),
            ];
            for (name, content) in members {
                let mut header = tar::Header::new_gnu();
                header.set_size(content.len() as u64);
                tar.append_data(&mut header, name, content.as_slice()).unwrap();
            }
        }
        fixture.write(&format!("shards/{split}-00.tar"), tar.into_inner().unwrap());
    }
}

/// A file in the folder where the command runs, named without it.
#[test]
fn a_file_beside_the_user_is_found() {
    let fixture = Fixture::new();
    let images = fixture.path("data/flickr30k-images");
    write_csv(&fixture);
    fs::rename(fixture.path("pairs.csv"), images.join("pairs.csv")).unwrap();
    let here = |arguments: &[&str]| outcome(command(arguments).current_dir(&images)).succeeds();
    here(&["data", "verify", "--data_path", "pairs.csv"]);
    avse(["data", "verify", "--data_path", "other.csv"]).fails_with(&["other.csv: no such file"]);
    let config = fixture.arg("tiny.toml");
    here(&["train", "--config", &config, "--data_path", "pairs.csv", "--dry-run"]);
}

/// The same pictures and captions give the same network and the same figures, whatever they lie in.
#[test]
fn all_forms_train_and_evaluate_to_the_same_bits() {
    let fixture = Fixture::trained();
    write_csv(&fixture);
    write_shards(&fixture);
    let expected = fixture.read("run/last/model.safetensors");
    let figures = fixture.eval("run/best", &[]).succeeds().json()["sets"].clone();
    let (csv, shards) = (fixture.arg("pairs.csv"), fixture.arg("shards"));
    let images = fixture.arg("data/flickr30k-images");
    let (config, model) = (fixture.arg("tiny.toml"), fixture.arg("run/best"));
    for (form, options) in
        [("csv", vec![csv.as_str(), "--images", &images]), ("shards", vec![shards.as_str()])]
    {
        let run = fixture.arg(form);
        let train = ["train", "--config", &config, "--logger_name", &run, "--gpu-id", "cpu"];
        let train = [&train, ["--num_epochs", "1", "--data_path"].as_slice(), &options].concat();
        let said = avse(train).succeeds();
        assert!(said.stderr.contains("validating on dev"), "{}", said.stderr);
        assert!(fixture.read(&format!("{form}/last/model.safetensors")) == expected, "{form}");
        let eval = ["eval", "--dataset", "f30k", "--model", &model, "--gpu-id", "cpu", "--json"];
        let report = avse([&eval, ["--data_path"].as_slice(), &options].concat()).succeeds().json();
        assert_eq!(report["sets"], figures, "{form}");
    }
}

#[test]
fn shards_are_indexed_searched_and_encoded() {
    let fixture = Fixture::trained();
    write_shards(&fixture);
    let (model, gallery) = (fixture.arg("run/best"), fixture.arg("gallery"));
    let shards = fixture.arg("shards/test-{00..00}.tar");
    let common = ["--dataset", "f30k", "--data_path", &shards, "--model", &model];
    let common = [common.as_slice(), &["--gpu-id", "cpu", "--json"]].concat();
    let build = [&["index", "build", "--gallery", &gallery], common.as_slice()].concat();
    let report = avse(&build).succeeds().json();
    assert_eq!((&report["items"], &report["encoded"]), (&Value::from(6), &Value::from(6)));
    // Nothing has changed: nothing is read again.
    assert_eq!(avse(&build).succeeds().json()["encoded"], 0);
    let page = fixture.arg("hits.html");
    let search = ["search", "Picture 3 of test", "--gallery", &gallery, "--gpu-id", "cpu"];
    let hits = avse([&search, ["--json", "--html", &page].as_slice()].concat()).succeeds().json();
    let first = hits["hits"][0]["path"].as_str().unwrap();
    assert!(first.contains("test-00.tar/test"), "{hits}");
    let page = fixture.text("hits.html");
    assert!(page.contains("data:image/jpeg;base64,"), "thumbnails come out of the shard");

    // Captions and images as those of the official layout.
    let official = fixture.arg("data");
    for kind in ["images", "captions"] {
        let mut written = Vec::new();
        for data in [&shards, &official] {
            let out = fixture.arg(&format!("{kind}.npy"));
            let encode = ["encode", "--dataset", "f30k", "--data_path", data, "--model", &model];
            let encode = [encode.as_slice(), &["--kind", kind, "--out", &out, "--gpu-id", "cpu"]];
            avse(encode.concat()).succeeds();
            written.push(fs::read(out).unwrap());
        }
        assert!(written[0] == written[1], "{kind}");
    }
}

#[test]
fn data_without_splits() {
    let fixture = Fixture::trained();
    let rows = pairs(&fixture).into_iter().filter(|(split, ..)| split == "test");
    let rows: String = rows.map(|(_, image, text)| format!("{image}\t{text}\n")).collect();
    fixture.write("test.tsv", format!("image\tcaption\n{rows}"));
    let (tsv, images) = (fixture.arg("test.tsv"), fixture.arg("data/flickr30k-images"));
    let model = fixture.arg("run/best");
    let eval = ["eval", "--data_path", &tsv, "--images", &images, "--model", &model];
    let said = avse([eval.as_slice(), &["--gpu-id", "cpu", "--json"]].concat()).succeeds();
    assert!(
        said.stderr.contains("names no splits: all of its 6 images are taken"),
        "{}",
        said.stderr
    );
    assert_eq!(said.json()["sets"], fixture.eval("run/best", &[]).json()["sets"]);
    let (config, run) = (fixture.arg("tiny.toml"), fixture.arg("other"));
    let train = ["train", "--config", &config, "--logger_name", &run, "--gpu-id", "cpu"];
    avse([train.as_slice(), &["--data_path", &tsv, "--images", &images]].concat()).fails_with(&[
        "test.tsv names no splits",
        "Training needs `train` and `dev`",
        "val.csv",
    ]);
}

#[test]
fn prepare_ends_with_the_next_command() {
    let fixture = Fixture::new();
    let mut images: Vec<Value> = Vec::new();
    for (split, image, text) in pairs(&fixture) {
        let split = split.replace("dev", "val");
        match images.iter_mut().find(|known| known["filename"] == image.as_str()) {
            Some(known) => known["sentences"].as_array_mut().unwrap().push(serde_json::json!({"raw": text})),
            None => images.push(serde_json::json!({
                "filename": image, "split": split, "imgid": images.len(), "sentences": [{"raw": text}]
            })),
        }
    }
    let json = serde_json::json!({"images": images, "dataset": "flickr30k"});
    fixture.write("dataset.json", json.to_string());
    let (json, folder) = (fixture.arg("dataset.json"), fixture.arg("data/flickr30k-images"));
    let out = fixture.arg("prepared here/f30k");
    let prepare = ["data", "prepare", "--karpathy", &json, "--images", &folder, "--out", &out];
    let said = avse(prepare).succeeds();
    let next = said.stdout.lines().find_map(|line| line.strip_prefix("next: avse ")).unwrap();
    let (run, config) = (fixture.arg("run"), fixture.arg("tiny.toml"));
    // As a shell takes it: the folder's name has a space.
    let next = shlex::split(next).unwrap();
    let more = ["--config", &config, "--logger_name", &run, "--gpu-id", "cpu", "--num_epochs", "1"];
    avse(next.iter().map(String::as_str).chain(more)).succeeds();
    for name in ["train_caps.txt", "test_caps.txt", "dev_caps.txt"] {
        assert_eq!(
            fixture.text(&format!("prepared here/f30k/{name}")),
            fixture.text(&format!("data/f30k/{name}"))
        );
    }
}

#[test]
fn a_cache_changes_nothing_but_time() {
    let fixture = Fixture::new();
    fixture.train("plain", &[]).succeeds();
    let cache = fixture.arg("cache");
    let first = fixture.train("first", &["--cache", &cache]).succeeds();
    assert!(
        first.stderr.contains("cache: 0.00 GB on disk for 8 decoded pictures; 0 of them"),
        "{}",
        first.stderr
    );
    let second = fixture.train("second", &["--cache", &cache, "--workers", "2"]).succeeds();
    assert!(second.stderr.contains("8 decoded pictures; 8 of them"), "{}", second.stderr);
    let plain = fixture.read("plain/last/model.safetensors");
    for run in ["first", "second"] {
        assert!(fixture.read(&format!("{run}/last/model.safetensors")) == plain, "{run}");
    }
    fixture.write("file", "no folder");
    let file = fixture.arg("file");
    fixture.train("third", &["--cache", &file]).fails_with(&["file"]);
}
