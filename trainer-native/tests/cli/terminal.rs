//! Terminal output that cannot be written.

use std::fs::{self, File};
use std::os::unix::fs::FileTypeExt;
use std::process::{Command, Stdio};

use super::support::{Fixture, Outcome, command, outcome};

/// Where nothing can be written.
fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

/// A pipe that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// A trained model, a gallery of it, and every sort of command that prints something.
fn commands(fixture: &Fixture) -> Vec<Vec<String>> {
    let [data, model, gallery, photos] =
        ["data", "run/best", "gallery", "data/flickr30k-images"].map(|name| fixture.arg(name));
    let [rows, run, page] = ["rows.npy", "run", "report.html"].map(|name| fixture.arg(name));
    let build = ["index", "build", &photos, "--gallery", &gallery, "--model", &model];
    super::support::avse(build).succeeds();
    let lines: [&[&str]; 18] = [
        &["--help"],
        &["--version"],
        &["train", "--help"],
        &["doctor"],
        &["doctor", "--json"],
        &["search", "a dog", "--gallery", &gallery],
        &["search", "a dog", "--gallery", &gallery, "--json"],
        &["index", "info", &gallery],
        &["index", "info", &gallery, "--json"],
        &build,
        &["index", "build", "--gallery", &gallery, "--json"],
        &["encode", &photos, "--model", &model, "--out", &rows],
        &["encode", &photos, "--model", &model, "--out", &rows, "--json"],
        &["eval", "--data_path", &data, "--model", &model],
        &["eval", "--data_path", &data, "--model", &model, "--json"],
        &["data", "verify", "--data_path", &data],
        &["report", &run, "--out", &page],
        &["train", "--resume", "--dry-run", "--logger_name", &run],
    ];
    lines.iter().map(|line| line.iter().map(|word| word.to_string()).collect()).collect()
}

fn with_output(line: &[String], output: impl Into<Stdio>) -> Outcome {
    let mut command = command(line);
    let child = command.stdout(output).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    Outcome {
        code: output.status.code(),
        status: output.status.to_string(),
        stdout: String::new(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_full_disk_is_an_error_and_a_closed_pipe_the_end() {
    let fixture = Fixture::trained();
    for line in commands(&fixture) {
        let said = with_output(&line, full());
        assert_eq!(said.code, Some(1), "{line:?}: {}", said.stderr);
        let error = "error: standard output (/dev/full): No space left on device";
        assert!(said.stderr.contains(error), "{line:?}: {}", said.stderr);
        assert!(!said.stderr.contains("panicked"), "{line:?}: {}", said.stderr);

        // What a shell makes of a program that the signal SIGPIPE ended.
        let said = with_output(&line, closed());
        assert_eq!(said.code, Some(141), "{line:?}: {}", said.stderr);
        // A Vulkan driver has things to say, too.
        let mut lines = said.stderr.lines().filter(|line| !line.contains("XDG_RUNTIME_DIR"));
        let is_loud = |line: &str| line.contains("error") || line.contains("panicked");
        assert!(!lines.any(is_loud), "{line:?}: {}", said.stderr);
    }
}

/// Remarks are no reason to end what they are about.
#[test]
fn training_goes_on_though_nobody_reads_what_it_says() {
    let fixture = Fixture::new();
    for (run, error) in [("full", full().into()), ("closed", closed())] {
        let mut command = command(fixture.train_arguments(run, &["--num_epochs", "1"]));
        let child = command.stdout(Stdio::piped()).stderr(error).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{run}: {}", output.status);
        assert!(String::from_utf8(output.stdout).unwrap().contains("best rSum"), "{run}");
        assert!(fixture.path(run).join("summary.json").is_file(), "{run}");
    }
}

/// Hours may be in the figures: they are kept though nobody reads what is printed.
#[test]
fn files_are_written_though_nobody_reads_the_figures() {
    let fixture = Fixture::trained();
    let (data, model) = (fixture.arg("data"), fixture.arg("run/best"));
    let [scores, page] = ["scores.npy", "misses.html"].map(|name| fixture.arg(name));
    let line = [
        "eval",
        "--data_path",
        &data,
        "--model",
        &model,
        "--save_results",
        &scores,
        "--failures",
        &page,
    ];
    let status = command(line).stdout(full()).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(fixture.path("scores.npy").is_file() && fixture.path("misses.html").is_file());
}

/// A device is written to, not replaced, and a link leads to the file that is.
#[test]
fn devices_and_links_stay_what_they_are() {
    let fixture = Fixture::trained();
    let (data, model) = (fixture.arg("data"), fixture.arg("run/best"));
    let eval = |option: &str, file: &str| {
        let line = ["eval", "--data_path", &data, "--model", &model, option, file];
        outcome(&mut command(line))
    };
    for option in ["--save_results", "--failures"] {
        eval(option, "/dev/full").fails_with(&["/dev/full", "No space left"]);
        eval(option, "/dev/null").succeeds();
        for device in ["/dev/full", "/dev/null"] {
            assert!(fs::metadata(device).unwrap().file_type().is_char_device(), "{device}");
        }
    }
    fixture.write("page.html", "an older page");
    std::os::unix::fs::symlink(fixture.path("page.html"), fixture.path("link.html")).unwrap();
    eval("--failures", &fixture.arg("link.html")).succeeds();
    assert!(fixture.path("link.html").is_symlink());
    assert!(fixture.text("page.html").contains("<html"));
}

/// Files of at most so many blocks of 512 bytes, as on a disk that is nearly full.
fn limited(blocks: u32, line: &[String]) -> Outcome {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let program = env!("CARGO_BIN_EXE_avse");
    let mut shell = Command::new("sh");
    let usual = command(line);
    shell.args(["-c", &script, program]).args(line);
    shell.envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outcome(shell.stdin(Stdio::null()))
}

#[test]
fn what_does_not_fit_on_the_disk_leaves_nothing_half_written() {
    let fixture = Fixture::trained();
    let [photos, rows, gallery, site, model] =
        ["data/flickr30k-images", "rows.npy", "gallery", "site", "run/best"]
            .map(|name| fixture.arg(name));
    let lines: [&[&str]; 3] = [
        &["encode", &photos, "--model", &model, "--out", &rows],
        &["index", "build", &photos, "--model", &model, "--gallery", &gallery],
        &["export-web", "--images", &photos, "--model", &model, "--out", &site],
    ];
    for line in lines {
        let line: Vec<String> = line.iter().map(|word| word.to_string()).collect();
        limited(4, &line).fails_with(&["File too large"]);
        for name in ["rows.npy", "rows.npy.items.json", "gallery/manifest.json", "site"] {
            assert!(!fixture.path(name).exists(), "{line:?} left {name}");
        }
    }
    // A run keeps the state before, and goes on from it as if nothing had been.
    fixture.train("whole", &["--num_epochs", "2"]).succeeds();
    let before = fixture.read("run/last/model.safetensors");
    let options = ["--resume", "--num_epochs", "2"];
    limited(8, &fixture.train_arguments("run", &options)).fails_with(&["run", "File too large"]);
    assert!(fixture.read("run/last/model.safetensors") == before, "half a model");
    fixture.train("run", &options).succeeds();
    let [whole, run] =
        ["whole", "run"].map(|run| fixture.read(&format!("{run}/last/model.safetensors")));
    assert!(whole == run, "another model");
}
