//! Whose work a built emoji set is, read back from its folder.

use std::collections::BTreeMap;
use std::path::Path;

use super::icons::Credit;
use super::write::CREDIT_FILES;
use crate::{Error, Result};
use avse_core::input::json;

/// The words that captions are made of, all MIT: what, by whom, where; `data/README.md` has the same list.
pub const WORDS: [(&str, &str, &str); 3] = [
    ("emojibase-data (words)", "Miles Johnson", "https://github.com/milesj/emojibase"),
    ("emojilib (words)", "Mu-An Chiou and contributors", "https://github.com/muan/emojilib"),
    (
        "unicode-emoji-json (words)",
        "Mu-An Chiou and contributors",
        "https://github.com/muan/unicode-emoji-json",
    ),
];

/// The credits of the drawings in a set's folder; `None` where there is no such set.
///
/// # Errors
/// [`Error::Io`], or [`Error::Format`] naming a file that is none of credits.
pub fn credits_of(folder: &Path) -> Result<Option<Vec<Credit>>> {
    let path = folder.join(CREDIT_FILES[0]);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|e| Error::io(&path, e))?,
    };
    let credits: BTreeMap<String, Credit> = json::parse(&bytes, &path)?;
    Ok(Some(credits.into_values().collect()))
}
