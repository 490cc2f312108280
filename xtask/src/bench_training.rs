//! `cargo xtask bench loader` and `bench training`: parts of training beside peers in Python, which
//! this installs where they are missing. Everything made lies in cargo's target folder.

use std::fs;

use crate::python::{self, Requirements};
use crate::shell::{Step, root, target};
use crate::terminal::note;

/// A benchmark of `avse bench` that has a peer, and its rows in bench/training.json.
pub struct Bench {
    /// As `avse bench` calls it, and bench/peers its requirements.
    name: &'static str,
    /// The peer's script in bench/peers.
    script: &'static str,
    /// Who the peer is.
    peer: &'static str,
}

/// Pictures into batches.
pub const LOADER: Bench = Bench { name: "loader", script: "loader.py", peer: "OpenCV" };
/// Steps and evaluations.
pub const TRAINING: Bench =
    Bench { name: "training", script: "training_steps.py", peer: "PyTorch" };

impl Bench {
    /// Runs it; false when ours could not be measured. A peer that cannot be had is named and left out.
    pub fn run(&self, arguments: &[String]) -> bool {
        let name = self.name;
        let folder = target().join(format!("bench-{name}"));
        if let Err(error) = fs::create_dir_all(&folder) {
            note!("{}: {error}", folder.display());
            return false;
        }
        let mut bench = vec![name.to_owned()];
        bench.extend_from_slice(arguments);
        if !arguments.iter().any(|argument| argument == "--json" || argument == "--quick") {
            bench.extend(["--json".into(), "bench/training.json".into()]);
        }
        let requirements = format!("requirements-{name}.txt");
        let requirements = Requirements::of_peers(&requirements, "AVSE_PEERS_PYTHON");
        // The last, since it takes all words that follow.
        match python::environment(&folder, &requirements) {
            Some(python) => {
                let script = root().join("bench/peers").join(self.script);
                bench.push("--peers".into());
                bench.extend([python, script].map(|path| path.to_string_lossy().into_owned()));
            }
            None => note!("\n!!! bench: {} is MISSING from this comparison\n", self.peer),
        }
        Step::cargo(name, ["run", "--release", "-p", "trainer-native", "--", "bench"])
            .args(&bench)
            .run()
    }
}
