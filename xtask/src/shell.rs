//! Running other programs from the root of the repository.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::terminal::{note, say};

/// A named command of this repository; its output goes to the terminal.
pub struct Step {
    /// Name in headings and in the table of results.
    pub name: &'static str,
    command: Command,
}

impl Step {
    /// A cargo command.
    pub fn cargo<const N: usize>(name: &'static str, args: [&str; N]) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Self::new(name, cargo, args)
    }

    /// Any command.
    pub fn new<const N: usize>(
        name: &'static str,
        program: impl AsRef<OsStr>,
        args: [&str; N],
    ) -> Self {
        let mut command = Command::new(program);
        command.args(args).current_dir(root());
        // `cargo run` describes the xtask package to its child in these. Passed
        // on, they make build scripts that watch them run again every time.
        for (key, _) in std::env::vars_os() {
            let name = key.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&key);
            }
        }
        Self { name, command }
    }

    /// Adds arguments.
    pub fn args(mut self, args: &[String]) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Takes an environment variable away.
    pub fn without(mut self, key: &str) -> Self {
        self.command.env_remove(key);
        self
    }

    /// Runs in another folder than the root.
    pub fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs the command to its end; false when it failed or could not start.
    pub fn run(mut self) -> bool {
        say!("\n==> {}: {}", self.name, self.line());
        match self.command.status() {
            Ok(status) if status.success() => true,
            Ok(status) => {
                note!("==> {} failed: {status}", self.name);
                false
            }
            Err(error) => {
                note!("==> {} could not start: {error}", self.name);
                false
            }
        }
    }

    /// Runs the command to its end; what it printed when it succeeded. Its errors go to the
    /// terminal.
    pub fn captured(mut self) -> Option<String> {
        say!("\n==> {}: {}", self.name, self.line());
        let output = self.command.stderr(Stdio::inherit()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs the command silently and without input; its output when it succeeded.
    pub fn output(mut self) -> Option<String> {
        let output = self.command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The command as one would type it.
    fn line(&self) -> String {
        let program = PathBuf::from(self.command.get_program());
        let program = program.file_name().unwrap_or(self.command.get_program());
        let set = self.command.get_envs().filter_map(|(key, value)| {
            Some(format!("{}={}", key.to_string_lossy(), value?.to_string_lossy()))
        });
        set.chain([program.to_string_lossy().into_owned()])
            .chain(self.command.get_args().map(|arg| arg.to_string_lossy().into_owned()))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The root of the repository: the parent of this package, which cargo names;
/// without cargo, the current folder.
pub fn root() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .and_then(|package| PathBuf::from(package).parent().map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from("."))
}

/// Cargo's target folder: this program lies in `release/` there.
pub fn target() -> PathBuf {
    let own = std::env::current_exe().ok();
    own.and_then(|path| Some(path.parent()?.parent()?.to_owned()))
        .unwrap_or_else(|| root().join("target"))
}
