//! Work that is measured in a process of its own: this program once more, a job as JSON on its standard
//! input, what was measured as JSON on its standard output.

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// The file of this program.
///
/// # Errors
/// [`Error::Usage`] when the system does not say.
pub fn own_program() -> Result<PathBuf> {
    std::env::current_exe()
        .map_err(|e| Error::Usage(format!("this program's own file is not to be found: {e}")))
}

/// Starts `program` with `arguments`, hands it `job` and reads what it measured; `what` names the work.
///
/// # Errors
/// [`Error::Io`] when it does not start, [`Error::Usage`] when it fails; it has said why on standard error.
pub(super) fn ask<A: DeserializeOwned>(
    program: &Path,
    arguments: [&str; 2],
    job: &impl Serialize,
    what: &str,
) -> Result<A> {
    let failed = |why: &dyn Display| Error::Usage(format!("measuring {what}: {why}"));
    let job = serde_json::to_vec(job).map_err(|e| failed(&e))?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| Error::io(program, e))?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(&job).map_err(|e| failed(&e))?;
    }
    let output = child.wait_with_output().map_err(|e| failed(&e))?;
    if !output.status.success() {
        return Err(failed(&output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| failed(&e))
}

/// The other end of [`ask`]: reads a job from `input`, does it and writes down what was measured.
///
/// # Errors
/// [`Error::Usage`] when `input` is no job; those of `run`.
pub(super) fn answer<J: DeserializeOwned, A: Serialize>(
    input: &str,
    run: impl FnOnce(&J) -> Result<A>,
) -> Result<String> {
    let job = serde_json::from_str(input)
        .map_err(|e| Error::Usage(format!("no job on standard input: {e}")))?;
    serde_json::to_string(&run(&job)?).map_err(|e| Error::Usage(format!("measurement: {e}")))
}
