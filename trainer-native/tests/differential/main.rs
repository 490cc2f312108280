//! Our readers beside the reference programs of their formats, over files that `tests/differential/make.py` wrote.
//!
//! `cargo xtask differential` makes the files and runs this with their folder in `AVSE_DIFFERENTIAL_DIR`. Without it
//! there is nothing to compare with, and the tests count as ignored.
#![allow(clippy::disallowed_macros)]
#![allow(clippy::unwrap_used, reason = "a test")]

mod captions;
mod case;
mod pictures;
mod pth;
mod records;
mod safetensors_file;
mod summary;
mod tables;
mod tar;
#[path = "../../../tests/support/torch_types.rs"]
mod torch_types;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial, run};

use case::{Case, Outcome};
use summary::Summary;

/// A kind of files: its name in `tests/differential`, and what reads and compares one.
type Kind = (&'static str, fn(&Case) -> Outcome);

const KINDS: &[Kind] = &[
    ("captions", captions::check),
    ("pictures", pictures::check),
    ("pth", pth::check),
    ("records", records::check),
    ("safetensors_file", safetensors_file::check),
    ("tables", tables::check),
    ("tar", tar::check),
];

fn main() -> ExitCode {
    let folder = std::env::var_os("AVSE_DIFFERENTIAL_DIR").map(PathBuf::from);
    let trials = KINDS.iter().map(|&(name, check)| {
        let folder = folder.clone();
        let made =
            folder.as_ref().is_some_and(|folder| folder.join(format!("{name}.jsonl")).is_file());
        Trial::test(name, move || compare(name, check, &folder.unwrap_or_default()))
            .with_ignored_flag(!made)
    });
    run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// Compares all cases of a kind, and leaves the table of results beside them.
fn compare(name: &str, check: fn(&Case) -> Outcome, folder: &Path) -> Result<(), Failed> {
    let cases = case::read(folder, name)?;
    let summary = Summary::of(&cases, check);
    std::fs::write(folder.join(format!("{name}.md")), summary.table())?;
    print!("{}", summary.examples());
    // OpenCV lacks a few forms of pictures, and PyTorch refuses names of classes that do not matter here
    // (docs/formats.md).
    let known = ["pictures", "pth"].contains(&name);
    let unexpected = if known { 0 } else { summary.unexpected() };
    match (summary.different(), unexpected) {
        (0, 0) => Ok(()),
        (different, alone) => Err(format!(
            "of {} cases {different} are read otherwise, and {alone} that the reference refuses",
            cases.len()
        )
        .into()),
    }
}
