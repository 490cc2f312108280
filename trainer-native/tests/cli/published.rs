//! The published commands, and the options they are made of.

use std::process::Command;

use super::support::{Fixture, avse, command, outcome};

/// What follows `train.py` in the official code's instructions.
pub const TRAIN: [&str; 6] = [
    "--dataset f30k --gpu-id 0 --img_res 256 --logger_name runs/f30k_vit_224 --batch_size 128 \
     --vit_type google/vit-base-patch16-224-in21k --embed_size 1024",
    "--dataset f30k --gpu-id 0 --img_res 256 --logger_name runs/f30k_swin_224 --batch_size 128 \
     --vit_type microsoft/swin-base-patch4-window7-224-in22k --embed_size 1024",
    "--dataset coco --gpu-id 0 --img_res 256 --logger_name runs/coco_vit_224 --batch_size 128 \
     --vit_type google/vit-base-patch16-224-in21k --embed_size 1024",
    "--dataset coco --gpu-id 0 --img_res 256 --logger_name runs/coco_swin_224 --batch_size 128 \
     --vit_type microsoft/swin-base-patch4-window7-224-in22k --embed_size 1024",
    "--dataset f30k --multi_gpu 1 --img_res 384 --logger_name runs/f30k_vit_384 --batch_size 64 \
     --vit_type vit-base-patch16-384 --embed_size 1024",
    "--dataset f30k --multi_gpu 1 --img_res 384 --logger_name runs/f30k_swin_384 --batch_size 32 \
     --vit_type microsoft/swin-base-patch4-window12-384-in22k --embed_size 1024",
];

/// What follows `eval.py`.
const EVAL: [&str; 2] =
    ["--dataset f30k --data_path data/ --gpu-id 0", "--dataset coco --data_path data/ --gpu-id 1"];

/// A machine where `--gpu-id 0` is right, which it always is in a build for the CPU alone.
#[cfg(not(all(feature = "cuda-backend", target_os = "linux")))]
fn machine() -> Option<impl Fn(&mut Command)> {
    Some(|_: &mut Command| {})
}

/// In a build with CUDA a GPU has to be there; `None`, said loudly, where it cannot be pretended.
#[cfg(all(feature = "cuda-backend", target_os = "linux"))]
fn machine() -> Option<impl Fn(&mut Command)> {
    let (driver, toolkit) = (super::cuda::standin()?, tempfile::tempdir().unwrap());
    Some(move |command: &mut Command| super::cuda::pretend(command, &driver, toolkit.path(), &[]))
}

/// Where there is no data they miss the dataset, and nothing else.
#[test]
fn published_commands_get_as_far_as_the_data() {
    let Some(machine) = machine() else { return };
    let empty = tempfile::tempdir().unwrap();
    let commands = TRAIN.map(|line| ("train", line)).into_iter();
    for (name, line) in commands.chain(EVAL.map(|line| ("eval", line))) {
        let arguments = [name].into_iter().chain(line.split_whitespace());
        let dataset = line.split_whitespace().nth(1).unwrap();
        let mut command = command(arguments);
        machine(command.current_dir(empty.path()));
        let gpus = if line.contains("--gpu-id 1") { "2" } else { "1" };
        let said = outcome(command.env("CUDA_STANDIN_DEVICES", gpus));
        let said = said.fails_with(&["no dataset", &format!("data/{dataset}")]);
        let warned = said.stderr.contains("--multi_gpu: there is one device");
        assert_eq!(warned, line.contains("--multi_gpu"));
    }
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn options_without_a_meaning_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    for option in [
        "--log_step",
        "--val_step",
        "--embedding_warmup_epochs",
        "--max_violation",
        "--world_size",
        "--rank",
    ] {
        for spelling in [option.to_string(), option.replace('_', "-")] {
            let said = avse(["train", "--data_path", path, &spelling, "1"]);
            let said = said.fails_with(&["no dataset"]).stderr;
            let warning = format!("warning: {option} has no effect");
            assert_eq!(said.matches(&warning).count(), 1, "{said}");
            assert_eq!(said.matches("warning").count(), 1, "{said}");
        }
    }
}

/// All options of both commands are understood with underscores and with hyphens.
#[test]
fn both_spellings_are_understood() {
    let Some(machine) = machine() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let train = "--data_path PATH --gpu_id 0 --img_res 64 --logger_name run --batch_size 4 \
        --vit_type a --bert_type b --embed_size 64 --num_epochs 2 --lr_schedules 1 2 \
        --decay_rate 0.5 --learning_rate 1e-4 --margin 0.1 --grad_clip 1 --clip official \
        --size_augment 0 --view_sampling gumbel --regulariser paper --workers 1 \
        --select_on test --seed 3";
    let eval = "--data_path PATH --gpu_id 0 --save_results x.npy";
    for (name, line) in [("train", train), ("eval", eval)] {
        for line in [line.to_string(), line.replace('_', "-")] {
            let line = line.replace("PATH", path);
            let mut command = command([name].into_iter().chain(line.split_whitespace()));
            machine(&mut command);
            outcome(&mut command).fails_with(&["no dataset", path]);
        }
    }
}

/// Both spellings set the same thing, and what is not given stays as the file says.
#[test]
fn options_win_over_the_file() {
    let fixture = Fixture::new();
    let underscores = ["--batch_size", "10", "--num_epochs", "1", "--learning_rate", "2e-4"];
    let hyphens = underscores.map(|word| match word.strip_prefix("--") {
        Some(name) => format!("--{}", name.replace('_', "-")),
        None => word.to_string(),
    });
    fixture.train("first", &underscores).succeeds();
    fixture.train("second", &hyphens.each_ref().map(String::as_str)).succeeds();
    let run = |name: &str| {
        let mut run: toml::Table = fixture.text(&format!("{name}/run.toml")).parse().unwrap();
        run.remove("logger_name").unwrap();
        run
    };
    let first = run("first");
    assert_eq!(first, run("second"));
    assert_eq!(first["batch_size"].as_integer(), Some(10));
    assert_eq!(first["num_epochs"].as_integer(), Some(1));
    assert_eq!(first["optimiser"]["learning_rate"].as_float(), Some(2e-4));
    assert_eq!(first["seed"].as_integer(), Some(1));
    assert_eq!(first["vocabulary_size"].as_integer(), Some(200));
}

/// The runs that this repository describes have no key that is not understood.
#[test]
fn the_repositorys_runs_are_read() {
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../data");
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().to_str().unwrap();
    let files = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    let runs: Vec<_> = files.filter(|file| file.extension() == Some("toml".as_ref())).collect();
    assert!(!runs.is_empty());
    for run in runs {
        let run = run.to_str().unwrap();
        avse(["train", "--config", run, "--data_path", path]).fails_with(&["no dataset", path]);
    }
}

#[test]
fn help_shows_examples() {
    for name in ["train", "eval", "demo", "bench model"] {
        let help = avse(name.split(' ').chain(["--help"])).succeeds().stdout;
        let examples = help.split_once("Examples:").unwrap().1;
        assert!(examples.contains(&format!("avse {name}")), "{help}");
    }
}

/// A misspelt option is a usage error that suggests the right one.
#[test]
fn unknown_options_are_named() {
    let said = avse(["train", "--batch_sise", "3"]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("--batch_sise") && said.stderr.contains("--batch_size"));
}
