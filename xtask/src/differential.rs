//! `cargo xtask differential`: our readers beside the reference programs of their formats, over generated files.

use std::fs;

use crate::files::text;
use crate::python::{self, Requirements};
use crate::shell::{Step, root, target};
use crate::terminal::note;

/// Where the results stand in docs/formats.md: between these lines, by kind.
fn marks(kind: &str) -> (String, String) {
    (format!("<!-- results: {kind} -->"), format!("<!-- end: {kind} -->"))
}

/// Makes the files of the `kinds` (of all, when none is named), reads them with both, and writes the table of results
/// into docs/formats.md. False when something is read otherwise, or cannot be tried.
pub fn run(kinds: &[String]) -> bool {
    let folder = target().join("differential");
    if let Err(error) = fs::create_dir_all(&folder) {
        note!("{}: {error}", folder.display());
        return false;
    }
    let requirements = Requirements {
        file: root().join("tests/differential/requirements.txt"),
        variable: "AVSE_DIFFERENTIAL_PYTHON",
    };
    let Some(python) = python::environment(&folder, &requirements) else { return false };
    let files = folder.join("files");
    // Results of an earlier run must not pass for this one's.
    if kinds.is_empty() && files.exists() && fs::remove_dir_all(&files).is_err() {
        note!("{}: cannot be removed", files.display());
        return false;
    }
    let script = [text(&root().join("tests/differential/make.py")), text(&files)];
    let compare = ["test", "--release", "-p", "trainer-native", "--test", "differential", "--"];
    let made = Step::new("files", &python, ["-B"]).args(&script).args(kinds).run();
    let same = made
        && Step::cargo("comparison", compare)
            .args(kinds)
            .env("AVSE_DIFFERENTIAL_DIR", &files)
            .run();
    // Written when something differs, too: that is when one wants to read it.
    let written = made && write_results(&files);
    same && written
}

/// Puts the tables that the comparison left into docs/formats.md.
fn write_results(files: &std::path::Path) -> bool {
    let page = root().join("docs/formats.md");
    let Ok(mut document) = fs::read_to_string(&page) else {
        note!("{}: cannot be read", page.display());
        return false;
    };
    let Ok(entries) = fs::read_dir(files) else { return false };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.extension().is_none_or(|ending| ending != "md") {
            continue;
        }
        let kind = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (start, end) = marks(&kind);
        let parts = document.split_once(&start).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(&end)?;
            Some((before.to_owned(), after.to_owned()))
        });
        let (Some((before, after)), Ok(table)) = (parts, fs::read_to_string(&path)) else {
            note!("{}: has no place for the results of {kind}", page.display());
            return false;
        };
        document = format!("{before}{start}\n{table}{end}{after}");
    }
    fs::write(&page, document).is_ok()
}
