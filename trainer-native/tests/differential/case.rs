//! A file, and what the reference program reads in it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// One file to read.
#[derive(Debug, Deserialize)]
pub struct Case {
    /// What it has in common with others: a line of the table.
    pub group: String,
    /// What is special about it.
    pub name: String,
    /// The file.
    pub input: PathBuf,
    /// What the reference reads; `None` where it refuses the file.
    pub expected: Option<Value>,
    /// The folder that paths in `expected` are relative to.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// How our reading compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The same, or both refuse.
    Identical,
    /// We refuse what the reference reads; the message.
    Refused(String),
    /// We read something else; what.
    Different(String),
    /// We read what the reference refuses; what we read.
    Unexpected(String),
}

impl Outcome {
    /// Of a result that can be compared as it is; `ours` is an error's message where we refuse.
    pub fn of<T: PartialEq + std::fmt::Debug>(
        ours: Result<T, String>,
        expected: Option<T>,
    ) -> Self {
        match (ours, expected) {
            (Err(_), None) => Self::Identical,
            (Err(message), Some(_)) => Self::Refused(message),
            (Ok(ours), None) => Self::Unexpected(format!("{ours:?}")),
            (Ok(ours), Some(expected)) if ours == expected => Self::Identical,
            (Ok(ours), Some(expected)) => Self::Different(format!("{ours:?}, not {expected:?}")),
        }
    }
}

/// The cases of a kind.
pub fn read(folder: &Path, kind: &str) -> Result<Vec<Case>, String> {
    let list = folder.join(format!("{kind}.jsonl"));
    let text = fs::read_to_string(&list).map_err(|e| format!("{}: {e}", list.display()))?;
    let folder = folder.join(kind);
    let cases = text.lines().enumerate().map(|(line, text)| {
        let mut case: Case = serde_json::from_str(text)
            .map_err(|e| format!("{} line {}: {e}", list.display(), line + 1))?;
        case.input = folder.join(&case.input);
        case.folder.clone_from(&folder);
        Ok(case)
    });
    let cases = cases.collect::<Result<Vec<_>, String>>()?;
    if cases.is_empty() { Err(format!("{}: no cases", list.display())) } else { Ok(cases) }
}
