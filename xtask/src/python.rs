//! Python for the benchmarks' peers and for reference programs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{Step, root};

/// Packages that a Python must have.
pub struct Requirements {
    /// The list of them, with versions.
    pub file: PathBuf,
    /// The environment variable that may name a Python that has them.
    pub variable: &'static str,
}

impl Requirements {
    /// Of a benchmark's peers: a list in bench/peers.
    pub fn of_peers(list: &str, variable: &'static str) -> Self {
        Self { file: root().join("bench/peers").join(list), variable }
    }
}

/// A Python that has the packages: that which the environment's variable names, or of a virtual environment in
/// `folder`, made when it is not there or was made for other requirements.
pub fn environment(folder: &Path, requirements: &Requirements) -> Option<PathBuf> {
    if let Some(python) = std::env::var_os(requirements.variable) {
        return Some(python.into());
    }
    let wanted = &requirements.file;
    let requirements = fs::read(wanted).ok()?;
    let environment = folder.join("python");
    let programs = environment.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let python = programs.join("python");
    let installed = environment.join("requirements.txt");
    if fs::read(&installed).is_ok_and(|known| known == requirements) {
        return Some(python);
    }
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let made = Step::new("virtual environment", "python3", ["-m", "venv", "--clear"])
        .args(&[text(&environment)])
        .run()
        && Step::new("packages", &python, ["-m", "pip", "install", "--requirement"])
            .args(&[text(wanted)])
            .run();
    // Written last, so that an interrupted installation has none.
    (made && fs::write(&installed, &requirements).is_ok()).then_some(python)
}
