//! The program built with CUDA, on GPUs that a stand-in for the driver pretends to have (tests/cuda): what it says
//! about them before it computes.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::hub::HubServer;
use super::left_out::missing;
use super::pretrained::{write_bert, write_swin, write_vit};
use super::published::TRAIN;
use super::support::{Fixture, Outcome, command, outcome};

/// The folder of the stand-in's libraries; `None`, said loudly, where it was not built.
pub fn standin() -> Option<PathBuf> {
    let folder = std::env::var_os("AVSE_CUDA_STANDIN").map(PathBuf::from);
    if folder.is_none() {
        missing(
            "the stand-in for NVIDIA's driver is not there (AVSE_CUDA_STANDIN): what is said about GPUs",
        );
    }
    folder
}

/// A command's machine: that driver, whose settings are given without their prefix, and a toolkit in `folder`.
pub fn pretend(command: &mut Command, driver: &Path, folder: &Path, settings: &[(&str, &str)]) {
    let library = folder.join("nvvm/libdevice");
    std::fs::create_dir_all(&library).unwrap();
    std::fs::write(library.join("libdevice.10.bc"), "").unwrap();
    command.env("LD_LIBRARY_PATH", driver).env("CUDA_PATH", folder);
    for (name, value) in settings {
        command.env(format!("CUDA_STANDIN_{name}"), value);
    }
}

/// The command on such a machine.
fn on(driver: &Path, settings: &[(&str, &str)], fixture: &Fixture, arguments: &[&str]) -> Command {
    let mut command = command(arguments);
    pretend(&mut command, driver, &fixture.path("toolkit"), settings);
    command
}

fn doctor(settings: &[(&str, &str)], change: impl FnOnce(&mut Command)) -> Option<Value> {
    let (machine, fixture) = (standin()?, Fixture::new());
    let mut command = on(&machine, settings, &fixture, &["doctor", "--json"]);
    change(&mut command);
    Some(outcome(&mut command).succeeds().json())
}

fn advice(found: &Value) -> String {
    let lines = found["advice"].as_array().unwrap().iter();
    lines.map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_sound_machine_is_named_and_used() {
    let Some(found) = doctor(&[("DEVICES", "2"), ("DRIVER", "12080")], |_| {}) else { return };
    assert_eq!(found["nvidia"]["driver"], "12.8");
    let gpus = found["nvidia"]["gpus"].as_array().unwrap();
    assert_eq!((gpus.len(), &gpus[0]["capability"]), (2, &serde_json::json!([9, 0])));
    assert!(gpus[0]["memory_bytes"].as_u64().unwrap() > 100 << 30);
    let cuda = &found["backends"][0];
    assert_eq!((&cuda["feature"], cuda["devices"].as_array().unwrap().len()), (&"cuda".into(), 2));
    assert_eq!(cuda["devices"][1]["bf16"], true);
    assert_ne!(found["default_device"], "CPU (flex)");
    let said = advice(&found);
    assert!(!said.contains("GPU") && !said.contains("libdevice"), "{said}");
}

#[test]
fn what_would_fail_at_the_first_kernel_is_said() {
    let Some(old) = doctor(&[("CAPABILITY", "10.0"), ("DRIVER", "12040")], |_| {}) else { return };
    let said = advice(&old);
    assert!(
        said.contains("too old") && said.contains("CUDA 12.4") && said.contains("12.8"),
        "{said}"
    );

    let empty = tempfile::tempdir().unwrap();
    let nowhere = |command: &mut Command| {
        command.env("CUDA_PATH", empty.path());
    };
    let said = advice(&doctor(&[], nowhere).unwrap());
    assert!(said.contains("libdevice.10.bc") && said.contains("CUDA_PATH"), "{said}");

    let said = advice(&doctor(&[("MEMORY", "80G"), ("TAKEN", "60G")], |_| {}).unwrap());
    assert!(
        said.contains("other programs hold 60") && said.contains("of the 80.0 GiB of GPU 0"),
        "{said}"
    );

    let none = doctor(&[("DEVICES", "0")], |_| {}).unwrap();
    assert_eq!(none["default_device"], "CPU (flex)");
    assert!(advice(&none).contains("cuda"), "{}", advice(&none));
}

/// Before a run begins, not at its first kernel.
#[test]
fn a_gpu_that_cannot_compute_is_refused() {
    let Some(machine) = standin() else { return };
    let fixture = Fixture::new();
    let arguments = fixture.train_arguments("run", &[]);
    let train = |settings: &[(&str, &str)], gpu: &str, toolkit: &str| {
        let arguments: Vec<_> =
            arguments.iter().map(|it| if it == "cpu" { gpu } else { it.as_str() }).collect();
        let mut command = on(&machine, settings, &fixture, &arguments);
        outcome(command.env("CUDA_PATH", fixture.path(toolkit)))
    };
    for gpu in ["0", "auto"] {
        let parts = ["--gpu-id 0", "libdevice.10.bc", "nvidia-cuda-nvcc-cu12", "--gpu-id cpu"];
        train(&[], gpu, "nowhere").fails_with(&parts);
    }
    let old = [("CAPABILITY", "10.0"), ("DRIVER", "12040")];
    train(&old, "0", "toolkit").fails_with(&["too old", "12.4", "12.8"]);
    // All GPUs at once are looked at as well.
    let all = arguments.iter().map(String::as_str).filter(|it| !["--gpu-id", "cpu"].contains(it));
    let all: Vec<_> = all.chain(["--multi_gpu", "1"]).collect();
    let mut command = on(&machine, &[("DEVICES", "2")], &fixture, &all);
    let said = outcome(command.env("CUDA_PATH", fixture.path("nowhere")));
    said.fails_with(&["--gpu-id 0", "libdevice.10.bc"]);
    train(&[], "3", "toolkit").fails_with(&["--gpu-id 3: no such GPU"]);
    assert!(!fixture.path("run").exists());
}

/// With data, weights and GPUs as their authors had them (all small), a dry run finds no problem.
#[test]
fn published_commands_could_start() {
    let Some(machine) = standin() else { return };
    let fixture = Fixture::new();
    // A step of four GPUs takes 256 captions.
    fixture.write_dataset("f30k", "flickr30k-images", &[("train", 60), ("dev", 4), ("test", 6)]);
    fixture.write_dataset("coco", "coco-images", &[("train", 60), ("dev", 4), ("testall", 6)]);
    let hub = |name: &str| fixture.path("hub").join(name);
    for name in ["google/vit-base-patch16-224-in21k", "google/vit-base-patch16-384"] {
        write_vit(&hub(name));
    }
    for size in ["window7-224", "window12-384"] {
        write_swin(&hub(&format!("microsoft/swin-base-patch4-{size}-in22k")));
    }
    write_bert(&hub("google-bert/bert-base-uncased"));
    let hub = HubServer::start(&fixture.path("hub"));
    let data = fixture.arg("data");
    for line in TRAIN {
        let mut arguments: Vec<&str> = ["train", "--dry-run", "--data_path", &data].into();
        arguments.extend(line.split_whitespace());
        let mut command = on(&machine, &[("DEVICES", "4")], &fixture, &arguments);
        command.current_dir(fixture.path("")).env("HF_HOME", fixture.path("cache"));
        let said: Outcome = outcome(command.env("HF_ENDPOINT", &hub.endpoint)).succeeds();
        assert!(said.stderr.contains("no problems"), "{line}: {}", said.stderr);
        let devices = said.stdout.lines().find(|line| line.starts_with("# devices: ")).unwrap();
        let wanted = if line.contains("--multi_gpu") { 4 } else { 1 };
        let last = format!("(GPU {})", wanted - 1);
        assert_eq!(devices.split(", ").count(), wanted, "{line}: {devices}");
        assert!(devices.contains("H200 (GPU 0)") && devices.ends_with(&last), "{line}: {devices}");
    }
    assert!(hub.requests() > 0, "the weights came from the hub");
    assert!(!fixture.path("runs").exists());
}
