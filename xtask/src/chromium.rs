//! The browser of this machine.

use std::env;
use std::path::PathBuf;

use crate::shell::Step;

/// What a Chromium is called, in the order in which they are tried.
const NAMES: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// The browser that `AVSE_CHROMIUM` or `CHROMIUM` names, or one of the usual names that starts.
pub fn find() -> Option<PathBuf> {
    if let Some(named) = env::var_os("AVSE_CHROMIUM").or_else(|| env::var_os("CHROMIUM")) {
        return Some(named.into());
    }
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    // An absolute name takes the place of the folder it is joined to.
    let all = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    // On Ubuntu the package may be a script that only says where the browser could be had.
    let starts = |path: &PathBuf| {
        let version = Step::new("chromium", path, ["--version"]).output();
        version.is_some_and(|version| version.contains("Chrom"))
    };
    all.filter(|path| path.is_file()).find(starts)
}

/// Whether tests that cannot run count as failed: on a build server nobody reads what was left out.
pub fn required() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}
