//! Fields that JSON records of several formats have in common.

use serde_json::{Map, Value};

/// The captions of a record: `caption` or `captions`, each a text or a list of texts.
///
/// # Errors
/// What is wrong with them.
pub(super) fn captions(fields: &Map<String, Value>) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for key in ["caption", "captions"] {
        match fields.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => found.push(text.clone()),
            Some(Value::Array(texts)) => {
                for text in texts {
                    let text = text.as_str();
                    let text = text.ok_or_else(|| format!("`{key}` holds what is no text"))?;
                    found.push(text.to_owned());
                }
            }
            Some(other) => {
                return Err(format!("`{key}` is {other}, not a text or a list of texts"));
            }
        }
    }
    Ok(found)
}

/// A field that is a text where it is there.
///
/// # Errors
/// When it is something else.
pub(super) fn text<'a>(
    fields: &'a Map<String, Value>,
    key: &str,
) -> Result<Option<&'a str>, String> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!("`{key}` is {other}, not a text")),
    }
}
