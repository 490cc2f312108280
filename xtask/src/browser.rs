//! The tests of the browser package and of the demo page: in Node.js, in a Chromium of this machine, and in three
//! browser engines.

use std::fs;

use crate::checks;
use crate::chromium::{find, required};
use crate::setup;
use crate::shell::{Step, root, target};
use crate::terminal::note;
use crate::web::{self, Native};

/// What runs in Node.js alone. The package has to be built.
pub fn package_tests() -> Step {
    node("package tests", "web/package/test")
}

/// What runs in a browser: the package with a stand-in for the engine, then everything from end to end, then the main
/// paths in three engines. The site and the native program have to be built. `None`, said loudly, when there is no
/// browser.
pub fn tests() -> Option<[Step; 3]> {
    let Some(browser) = find() else {
        let end = if required() { "CI=true makes that a failure." } else { "They are LEFT OUT." };
        note!("\n!!! There is no Chromium for the browser tests. {end}\n");
        return None;
    };
    let steps = [
        node("package in Chromium", "web/package/test/browser")
            .env("AVSE_EXAMPLES", target().join("web/examples"))
            .env("AVSE_LEFT_OUT", checks::left_out()),
        built("browser tests", "tests/browser"),
        built("three engines", "tests/browser/engines"),
    ];
    Some(steps.map(|step| step.env("AVSE_CHROMIUM", &browser)))
}

/// `cargo xtask web table`: writes what works in which engine into the package's README; false when a case failed.
pub fn table() -> bool {
    setup::browsers();
    web::build(Native::Fresh)
        && built("three engines", "tests/browser/engines").env("AVSE_TABLE", "write").run()
}

/// Tests of what has been built.
fn built(name: &'static str, folder: &str) -> Step {
    node(name, folder)
        .env("AVSE_BIN", web::avse())
        .env("AVSE_SITE", web::site())
        .env("AVSE_LEFT_OUT", checks::left_out())
}

/// `cargo xtask web test`: builds what is tested, then tests it; false when anything failed.
pub fn run() -> bool {
    setup::browsers();
    let _ = fs::remove_file(checks::left_out());
    if !web::build(Native::Fresh) {
        return false;
    }
    let package = package_tests().run();
    let browser = match tests() {
        // The second one runs although the first has failed.
        Some(steps) => steps.map(Step::run).iter().all(|passed| *passed),
        None => !required(),
    };
    checks::print_left_out();
    package && browser
}

/// Node's test runner on the test files of a folder, named one by one: what it makes of a folder's name depends on its
/// version.
fn node(name: &'static str, folder: &str) -> Step {
    let entries = fs::read_dir(root().join(folder)).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|file| file.ends_with(".test.mjs"))
        .map(|file| format!("{folder}/{file}"))
        .collect();
    files.sort();
    Step::new(name, "node", ["--test", "--test-reporter=spec"]).args(&files)
}
