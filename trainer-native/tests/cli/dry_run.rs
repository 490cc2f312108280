//! `avse train --dry-run`: everything is checked, nothing is made.

use super::support::{CONFIG, Fixture, avse, command, outcome};

#[test]
fn a_sound_run_is_printed_and_not_begun() {
    let fixture = Fixture::new();
    let said = fixture.train("run", &["--dry-run", "--num_epochs", "3"]).succeeds();
    for fact in [
        "# training: train, 8 images, 40 captions",
        "# validation: dev, 4 images, 20 captions",
        "# decoded: 8 pictures of train",
        "# steps an epoch: 5",
        "# steps: 15",
        "# parameters: ",
        "# devices: ",
    ] {
        assert!(said.stdout.contains(fact), "{fact} is not in {}", said.stdout);
    }
    assert!(said.stderr.contains("no problems"), "{}", said.stderr);
    assert!(!fixture.path("run").exists(), "a dry run makes no folder");
    // What it prints is a configuration, of the same run.
    let printed: toml::Table = said.stdout.parse().unwrap();
    assert_eq!(printed["num_epochs"].as_integer(), Some(3));
    fixture.write("printed.toml", &said.stdout);
    let printed = fixture.arg("printed.toml");
    let again = avse(["train", "--config", &printed, "--gpu-id", "cpu", "--dry-run"]).succeeds();
    assert_eq!(again.stdout, said.stdout);
}

/// Of a schedule in a file, an option changes what it names and no more.
#[test]
fn half_a_schedule_keeps_the_other_half() {
    let fixture = Fixture::new();
    let schedule = |schedule: &str, options: &[&str]| {
        let text = format!("{CONFIG}schedule = {{ {schedule} }}\n");
        fixture.write("tiny.toml", text);
        fixture.train("run", &[options, &["--dry-run"]].concat())
    };
    let resolved = |options: &[&str]| -> toml::Table {
        let said = schedule("kind = \"step\", epochs = [3, 4], factor = 0.1", options).succeeds();
        let run: toml::Table = said.stdout.parse().unwrap();
        run["optimiser"]["schedule"].as_table().unwrap().clone()
    };
    let step = |epochs: &str, factor: f64| -> toml::Table {
        format!("kind = \"step\"\nepochs = {epochs}\nfactor = {factor}").parse().unwrap()
    };
    assert_eq!(resolved(&[]), step("[3, 4]", 0.1));
    assert_eq!(resolved(&["--decay_rate", "0.5"]), step("[3, 4]", 0.5));
    assert_eq!(resolved(&["--lr_schedules", "7"]), step("[7]", 0.1));
    let cosine = "kind = \"cosine\", last = 0.1";
    schedule(cosine, &["--decay_rate", "0.5"]).fails_with(&["--decay_rate", "give both"]);
    schedule(cosine, &["--decay_rate", "0.5", "--lr_schedules", "7"]).succeeds();
    schedule(cosine, &["--margin", "nan"]).fails_with(&["--margin"]);
}

/// All of them, not the first alone.
#[test]
fn every_problem_is_listed() {
    let fixture = Fixture::new();
    std::fs::remove_file(fixture.image("train1.png")).unwrap();
    std::fs::remove_file(fixture.image("dev2.png")).unwrap();
    std::fs::write(fixture.image("train3.png"), "no picture").unwrap();
    fixture.replace_line("data/f30k/dev_caps.txt", 3, b"");
    fixture.write("file", "");
    let options =
        ["--dry-run", "--batch_size", "1000", "--learning_rate", "0", "--max-errors", "0"];
    let said = fixture.train("file/run", &options).fails_with(&[
        "problems:",
        "--learning_rate",
        "train1.png",
        "dev2.png",
        "train3.png",
        "dev_caps.txt line 3: empty line",
        "file: not a folder",
        "the training split has only 40 captions",
    ]);
    assert!(said.stdout.contains("batch_size = 1000"), "{}", said.stdout);
    assert!(!said.stderr.contains("can start"), "{}", said.stderr);
}

#[test]
fn weights_devices_and_names_are_checked() {
    let fixture = Fixture::new();
    let arguments = fixture.train_arguments("run", &["--dry-run"]).into_iter();
    let arguments = arguments.map(|it| if it == "cpu" { "first".into() } else { it });
    avse(arguments).fails_with(&["1 problem:", "--gpu-id first"]);
    fixture.write("tiny.toml", CONFIG.replace("block_size = 16", "block_size = 15"));
    fixture.train("run", &["--dry-run"]).fails_with(&["block_size", "15"]);
    let (data, run) = (fixture.arg("data"), fixture.arg("run"));
    let pretrained = ["train", "--data_path", &data, "--logger_name", &run, "--batch_size", "8"];
    let cannot = [pretrained.as_slice(), &["--vit_type", "./nowhere", "--dry-run"]].concat();
    avse(cannot).fails_with(&["1 problem:", "./nowhere: there is no such file or folder"]);
    let nowhere = ["train", "--data_path", &run, "--vit_type", "./nowhere", "--dry-run"];
    avse(nowhere).fails_with(&["2 problems:", "no dataset f30k", "./nowhere"]);
    assert!(!fixture.path("run").exists());
}

/// Pictures of other forms are looked for where training looks for them.
#[test]
fn other_forms_are_checked_as_they_are_trained_on() {
    let fixture = Fixture::new();
    let table = |split: bool| {
        let rows = (0..8).flat_map(|at| [(at, "train"), (at % 4, "dev")]).map(|(at, name)| {
            let row = format!("{name}{at}.png,picture {at} of {name}");
            if split { format!("{row},{name}\n") } else { row + "\n" }
        });
        let header = if split { "image,caption,split\n" } else { "image,caption\n" };
        header.to_string() + &rows.collect::<String>()
    };
    let images = fixture.arg("data/flickr30k-images");
    let dry_run = |table: String| {
        fixture.write("table.csv", table);
        let path = fixture.arg("table.csv");
        let mut arguments = fixture.train_arguments("run", &["--dry-run", "--images", &images]);
        let at = arguments.iter().position(|it| it == "--data_path").unwrap();
        arguments[at + 1] = path;
        avse(arguments)
    };
    let said = dry_run(table(true)).succeeds().stdout;
    assert!(said.contains("# decoded: 8 pictures of train"), "{said}");
    dry_run(table(false)).fails_with(&["1 problem:", "names no splits"]);
}

/// Odd, but no reason not to train.
#[test]
fn warnings_stop_nothing() {
    let fixture = Fixture::trained();
    let options = ["--dry-run", "--select-on", "test"];
    let said = fixture.train("run", &options).succeeds().stderr;
    assert!(said.contains("warning: the best epoch is picked on the test split test"), "{said}");
    assert!(said.contains("holds a run"), "{said}");
    let before = fixture.read("run/log.jsonl");
    let said = fixture.train("run", &["--dry-run", "--resume", "--num_epochs", "2"]).succeeds();
    assert!(said.stdout.contains("# goes on: at epoch 1, after 5 steps"), "{}", said.stdout);
    assert!(before == fixture.read("run/log.jsonl"));
}

/// In a folder of its own, where the defaults would make `runs/`.
#[test]
fn nothing_is_left_behind() {
    let empty = tempfile::tempdir().unwrap();
    let mut command =
        command(["train", "--dry-run", "--bert_type", "./none", "--vit_type", "./none"]);
    outcome(command.current_dir(empty.path())).fails_with(&["no dataset"]);
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
}
