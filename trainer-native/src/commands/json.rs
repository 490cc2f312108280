//! What `--json` prints.

use serde::Serialize;

use crate::terminal::say;
use crate::{Error, Result};

/// Prints a value as indented JSON.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|e| Error::Usage(format!("JSON cannot be written: {e}")))?;
    say!("{json}")?;
    Ok(())
}
