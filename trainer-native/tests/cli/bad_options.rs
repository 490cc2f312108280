//! Configurations that cannot work.

use super::support::{CONFIG, Fixture, avse};

#[test]
fn keys_are_named_with_file_and_line() {
    let fixture = Fixture::new();
    let file = fixture.arg("tiny.toml");
    let end = format!("line {}", CONFIG.lines().count() + 1);
    for (config, parts) in [
        (format!("batch_sise = 4\n{CONFIG}"), ["line 1", "batch_sise"]),
        (format!("{CONFIG}lr = 4\n"), [end.as_str(), "`lr`"]),
        (CONFIG.replace("batch_size = 8", "batch_size = \"8\""), ["line 4", "batch_size"]),
        (CONFIG.replace("seed = 1", "seed = "), ["line 3", "seed"]),
        (CONFIG.replace("\nembed_size = 32", ""), ["model", "`embed_size`"]),
        // Keys that a Hugging Face file might have, but not this one.
        (CONFIG.replace("block_size", "block_sise"), ["unknown", "model.block_sise"]),
        (CONFIG.replace("patch_size", "patch_sise"), ["unknown", "model.image.patch_sise"]),
        (CONFIG.replace("{ position_size", "{ positions"), ["unknown", "model.pooling.positions"]),
        (CONFIG.replace("max_position", "max_positions"), ["unknown", "model.text.max_positions"]),
    ] {
        fixture.write("tiny.toml", config);
        fixture.train("run", &[]).fails_with(&[&file, parts[0], parts[1]]);
    }
    fixture.write("tiny.toml", CONFIG.replace("block_size = 16", "block_size = 15"));
    fixture.train("run", &[]).fails_with(&["block_size", "15", "embed_size = 32"]);
    fixture.write("tiny.toml", CONFIG.replace("\nvocab_size = 0", "\nvocab_size = 7"));
    fixture.train("run", &[]).fails_with(&["text.vocab_size", "7 rows", "word pieces"]);
    std::fs::remove_file(fixture.path("tiny.toml")).unwrap();
    fixture.train("run", &[]).fails_with(&[&file]);
    assert!(!fixture.path("run").exists(), "nothing is left of a run that cannot start");
}

#[test]
fn impossible_values_are_named() {
    let fixture = Fixture::new();
    let fails = |option: &str, value: &str, parts: &[&str]| {
        let parts = [&[option], parts].concat();
        fixture.train("run", &[option, value]).fails_with(&parts);
    };
    fails("--batch_size", "1000", &["1000", "40 captions"]);
    fails("--batch_size", "1", &["2"]);
    fails("--num_epochs", "0", &[]);
    fails("--learning_rate", "0", &[]);
    fails("--grad_clip", "nan", &[]);
    avse(["train", "--gpu-id", "first"]).fails_with(&["--gpu-id", "first", "cpu"]);
    // The file trains a network of its own.
    fails("--img_res", "64", &["[model]"]);
    fails("--embed_size", "64", &["[model]"]);
}

#[test]
fn impossible_values_of_a_file_are_named() {
    let fixture = Fixture::new();
    let fails = |before: &str, after: &str, parts: &[&str]| {
        fixture.write("tiny.toml", format!("{before}\n{CONFIG}{after}\n"));
        fixture.train("run", &["--dry-run"]).fails_with(parts);
    };
    fails("", "backbone_share = -1.0", &["optimiser.backbone_share"]);
    fails("", "weight_decay = nan", &["optimiser.weight_decay"]);
    fails("", "schedule = { kind = \"cosine\", last = -0.1 }", &["optimiser.schedule.last"]);
    fails("", "[loss]\ntriplet_weight = inf", &["loss.triplet_weight"]);
    let cold = "[loss]\ncontrastive = { weight = 1.0, temperature = 0.0 }";
    fails("", cold, &["loss.contrastive.temperature"]);
    // What pretrained backbones would be given means nothing to a network of its own.
    fails("embed_size = 64", "", &["embed_size", "[model]"]);
    fails("vit_type = \"google/x\"", "", &["vit_type", "[model]"]);
}

/// The weights explode in the first step; the loss of the next one says so.
#[test]
fn a_loss_that_is_no_number_ends_the_run() {
    let fixture = Fixture::new();
    let explode = ["--learning_rate", "1e30"];
    fixture.train("run", &explode).fails_with(&["loss became", "--learning_rate"]);
    // With one step an epoch, validation meets the weights first.
    let options = [explode.as_slice(), &["--batch_size", "40"]].concat();
    let said = fixture.train("run", &options).fails_with(&["validation", "--learning_rate"]).stderr;
    // Such weights are worth nothing: there is nothing to go on from.
    assert!(!said.contains("--resume"), "{said}");
    assert!(!fixture.path("run/last").exists());
}

/// What the epochs before the explosion left stays as it was.
#[test]
fn a_loss_that_is_no_number_leaves_the_last_good_state() {
    let fixture = Fixture::trained();
    // From epoch 1 on the weights have no bounds; epoch 0 is that of the sound run.
    let schedule = r#"schedule = { kind = "step", epochs = [1], factor = 1e33 }"#;
    fixture.write("tiny.toml", format!("{CONFIG}{schedule}\n"));
    fixture.train("exploded", &[]).fails_with(&["became", "--learning_rate"]);
    for bundle in ["best", "last"] {
        let weights = |run: &str| fixture.read(&format!("{run}/{bundle}/model.safetensors"));
        assert!(weights("exploded") == weights("run"), "{bundle} is not that of epoch 0");
        fixture.eval(&format!("exploded/{bundle}"), &[]).succeeds();
    }
    assert_eq!(fixture.text("exploded/log.jsonl").lines().count(), 1);
    assert!(!fixture.path("exploded/summary.json").exists());
}
