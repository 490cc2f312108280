//! `cargo xtask bench loader`: the training loader beside OpenCV, which this installs where it is
//! missing. Everything made lies in cargo's target folder.

use std::fs;

use crate::python;
use crate::shell::{Step, root, target};

/// Runs it; false when ours could not be measured. A peer that cannot be had is named and left out.
pub fn run(arguments: &[String]) -> bool {
    let folder = target().join("bench-loader");
    if let Err(error) = fs::create_dir_all(&folder) {
        eprintln!("{}: {error}", folder.display());
        return false;
    }
    let mut bench = vec!["loader".to_owned()];
    bench.extend_from_slice(arguments);
    if !arguments.iter().any(|argument| argument == "--json") {
        bench.extend(["--json".into(), "bench/training.json".into()]);
    }
    // The last, since it takes all words that follow.
    match python::environment(&folder, "requirements-loader.txt", "AVSE_PEERS_PYTHON") {
        Some(python) => {
            let script = root().join("bench/peers/loader.py");
            bench.push("--peers".into());
            bench.extend([python, script].map(|path| path.to_string_lossy().into_owned()));
        }
        None => eprintln!("\n!!! bench: OpenCV is MISSING from this comparison\n"),
    }
    Step::cargo("loader", ["run", "--release", "-p", "trainer-native", "--", "bench"])
        .args(&bench)
        .run()
}
