//! Files from outside: what their bytes are, JSON, and names that a person is shown.

pub mod encoding;
pub mod json;
mod shown;

pub use shown::{shown, shown_json, shown_lines, shown_path};
