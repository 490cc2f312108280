//! The table of bench/cuda.md.

use super::check::{Checked, Done};

/// A few lines for the terminal.
pub fn summary(_checked: &[Checked], _done: &[Done]) -> String {
    String::new()
}

/// Writes the file; whether that worked.
pub fn write(_checked: &[Checked], _done: &[Done]) -> bool {
    true
}
