//! `cargo xtask newcomer`: both commands of the README in a fresh clone, from an empty home.

use std::fs;
use std::path::Path;

use crate::files::text;
use crate::shell::{Step, root, target};
use crate::terminal::note;

/// What a machine's user has set up, by the first letters of the variables. Rust itself and the place of the target
/// folder stay.
const OWN: [&str; 8] =
    ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "RUSTFLAGS", "XDG_", "AVSE_", "HF_", "npm_"];
const KEPT: [&str; 1] = ["CARGO_TARGET_DIR"];

/// Clones the last commit and runs the demo and the tests in it. False when one of them fails.
pub fn run() -> bool {
    let folder = target().join("newcomer");
    let (home, clone) = (folder.join("home"), folder.join("avse"));
    if folder.exists() && fs::remove_dir_all(&folder).is_err() {
        note!("{}: cannot be removed", folder.display());
        return false;
    }
    if let Err(error) = fs::create_dir_all(&home) {
        note!("{}: {error}", home.display());
        return false;
    }
    let Some(rustup) = Step::new("rustup", "rustup", ["show", "home"]).output() else {
        note!("rustup: not found");
        return false;
    };
    let places = [text(&root()), text(&clone)];
    let command = |name, args: &[&str]| {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        newcomers(Step::new(name, "cargo", []).args(&args), &home, &clone)
            .env("RUSTUP_HOME", &rustup)
            .run()
    };
    Step::new("clone", "git", ["clone", "--quiet"]).args(&places).run()
        && command("demo", &["run", "--release", "--", "demo"])
        && command("tests", &["xtask", "test"])
}

/// The step as somebody runs it who has set up nothing.
fn newcomers(step: Step, home: &Path, clone: &Path) -> Step {
    let names = std::env::vars_os().filter_map(|(key, _)| key.into_string().ok());
    let own = names.filter(|name| {
        OWN.iter().any(|start| name.starts_with(start)) && !KEPT.contains(&name.as_str())
    });
    let step = own.fold(step.within(clone), |step, name| step.without(&name));
    step.env("HOME", home).env("USERPROFILE", home)
}
