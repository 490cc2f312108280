//! The process that runs the peers.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::PeerCommand;
use crate::{Error, Result};

/// A running process of peers; it ends with this value.
#[derive(Debug)]
pub struct Peers {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    versions: serde_json::Value,
}

/// What one run took and found.
#[derive(Debug, Deserialize)]
pub(in crate::bench) struct Answer {
    pub seconds: f64,
    pub check: Vec<f64>,
    /// Largest resident memory of the process so far, where it is asked about.
    #[serde(default)]
    pub peak_bytes: Option<u64>,
}

impl Peers {
    /// Starts the process with a folder of arrays and as many threads as the engine has.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Usage`] when it does not start or does not introduce itself.
    pub fn start(command: PeerCommand<'_>, folder: &Path) -> Result<Self> {
        let [program, arguments @ ..] = command else {
            return Err(Error::Usage("--peers: a program and its arguments".into()));
        };
        let mut child = Command::new(program)
            .args(arguments)
            .arg(folder)
            .arg(rayon::current_num_threads().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| Error::io(program, e))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::Usage(format!("{program}: no pipes")));
        };
        let versions = serde_json::Value::Null;
        let mut peers = Self { child, input, output: BufReader::new(output), versions };
        peers.versions = peers.read()?;
        Ok(peers)
    }

    /// What it said of itself.
    pub fn versions(&self) -> &serde_json::Value {
        &self.versions
    }

    pub(in crate::bench) fn run(&mut self, request: &str) -> Result<Answer> {
        writeln!(self.input, "{request}")
            .and_then(|()| self.input.flush())
            .map_err(|e| gone(&e))?;
        self.read()
    }

    fn read<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|e| gone(&e))?;
        if line.is_empty() {
            return Err(gone(&"it ended"));
        }
        serde_json::from_str(&line).map_err(|e| gone(&format!("{e} in `{}`", line.trim())))
    }
}

fn gone(why: &dyn std::fmt::Display) -> Error {
    Error::Usage(format!("the peers' process: {why}"))
}

impl Drop for Peers {
    fn drop(&mut self) {
        // It may be in the middle of anything; nothing of it is wanted any more.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
