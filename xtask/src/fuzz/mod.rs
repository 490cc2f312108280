//! `cargo xtask fuzz`: a fuzzer on everything that reads bytes from outside (fuzz/).

mod options;
mod session;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

pub use options::Options;

use crate::files::text;
use crate::parallel;
use crate::shell::{Step, root, target};
use crate::terminal::{note, say};

const CARGO_FUZZ: &str = "0.13.1";

/// Builds the targets, gives them the tests' examples to start from, runs them side by side, and writes what came of
/// it into fuzz/README.md. False when a reader broke, or nothing could be tried.
pub fn run(options: &Options) -> bool {
    let folder = target().join("fuzz");
    let Some(tool) = cargo_fuzz(&folder) else { return false };
    let all = targets();
    if let Some(unknown) = options.targets.iter().find(|name| !all.contains(name)) {
        note!("no fuzz target `{unknown}`; there are {}", all.join(", "));
        return false;
    }
    let names = if options.targets.is_empty() { &all } else { &options.targets };
    let corpus = folder.join("corpus");
    let examples = ["test", "--release", "-p", "trainer-native", "--test", "untrusted"];
    // Without a sanitizer, which needs another Rust: what breaks here are panics, memory and time.
    let build = ["fuzz", "build", "--sanitizer", "none", "--release", "--debug-assertions"];
    let places =
        ["--fuzz-dir".into(), text(&root().join("fuzz")), "--target-dir".into(), text(&folder)];
    let ready = Step::cargo("examples", examples).env("AVSE_EXAMPLES_DIR", &corpus).run()
        && Step::new("fuzz targets", tool, build).args(&places).run();
    let Some(programs) = ready.then(|| programs(&folder)).flatten() else { return false };
    let sessions = parallel::each(names.len(), |at| {
        let name = &names[at];
        say!("{name}: started");
        let outcome = session::run(&programs.join(name), &corpus.join(name), options);
        match &outcome {
            Ok(session) => say!("{name}: {session}"),
            Err(message) => note!("{name}: {message}"),
        }
        (name.clone(), outcome)
    });
    let sound = sessions.iter().all(|(_, outcome)| outcome.is_ok());
    let rows = sessions.into_iter().filter_map(|(name, outcome)| Some((name, outcome.ok()?)));
    table::write(&root().join("fuzz/README.md"), rows) && sound
}

/// The names of the targets.
fn targets() -> Vec<String> {
    let entries = fs::read_dir(root().join("fuzz/fuzz_targets")).into_iter().flatten().flatten();
    let name = |path: PathBuf| Some(path.file_stem()?.to_string_lossy().into_owned());
    let mut names: Vec<String> = entries.filter_map(|entry| name(entry.path())).collect();
    names.sort();
    names
}

/// The program `cargo-fuzz`, installed into `folder` where it is missing.
fn cargo_fuzz(folder: &Path) -> Option<PathBuf> {
    let tools = folder.join("tools");
    let program = tools.join("bin").join(format!("cargo-fuzz{}", std::env::consts::EXE_SUFFIX));
    let install = ["install", "cargo-fuzz", "--version", CARGO_FUZZ, "--root"];
    let there = program.is_file() || Step::cargo("cargo-fuzz", install).args(&[text(&tools)]).run();
    there.then_some(program)
}

/// Where cargo-fuzz puts what it builds.
fn programs(folder: &Path) -> Option<PathBuf> {
    let about = Step::new("rustc", "rustc", ["-vV"]).output()?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "))?;
    Some(folder.join(host).join("release"))
}
