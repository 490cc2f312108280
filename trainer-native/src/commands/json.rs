//! What `--json` prints.

use avse_core::input::shown_json;
use serde::Serialize;

use crate::terminal::say;
use crate::{Error, Result};

/// Prints a value as indented JSON.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|e| Error::Usage(format!("JSON cannot be written: {e}")))?;
    say!("{}", shown_json(&json))?;
    Ok(())
}
