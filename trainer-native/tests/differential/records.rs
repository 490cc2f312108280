//! JSON beside Python's `json`.

use avse_core::gallery::{GalleryKind, Source};
use serde_json::{Value, json};
use trainer_native::gallery::list;

use super::case::{Case, Outcome};

pub fn check(case: &Case) -> Outcome {
    let path = case.input.to_str().unwrap().to_owned();
    let listed = list(&Source::Items { path }, GalleryKind::Images);
    let whole = listed.map_err(|error| error.to_string()).and_then(|listing| {
        // A line that cannot be used is refused by itself.
        match listing.problems.first() {
            Some(problem) => Err(problem.to_string()),
            None => Ok(listing),
        }
    });
    let ours = whole.map(|listing| {
        let fields =
            listing.entries.iter().map(|entry| plain(&Value::Object(entry.metadata.clone())));
        let keys = listing.entries.iter().map(|entry| Value::from(entry.key.clone()));
        json!([fields.collect::<Vec<_>>(), keys.collect::<Vec<_>>()])
    });
    Outcome::of(ours, case.expected.clone())
}

/// A value in which numbers are texts that say every bit of them.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            json!({"bits": number.as_f64().unwrap().to_bits().to_string()})
        }
        Value::Number(number) => json!({"whole": number.to_string()}),
        Value::Array(values) => values.iter().map(plain).collect(),
        Value::Object(fields) => {
            let fields: serde_json::Map<_, _> =
                fields.iter().map(|(key, value)| (key.clone(), plain(value))).collect();
            json!({"fields": fields})
        }
        other => other.clone(),
    }
}
