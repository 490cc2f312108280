//! A list of items: one JSON object a line.
//!
//! `{"image": "cats/1.jpg", "key": "c1", "caption": "a cat", "colour": "black"}`: `image` is a path
//! relative to the list, `key` defaults to it. For a gallery of captions `caption` is what is encoded,
//! and `key` defaults to the number of the line. Everything else is kept as metadata.

use std::collections::HashMap;
use std::path::Path;

use avse_core::gallery::GalleryKind;
use avse_core::input::json;
use serde_json::{Map, Value};

use super::listing::{Content, Entry, Listing, Problem};
use crate::Result;
use crate::files::read_text;

/// Whether the first item is of a picture or of a sentence.
pub(super) fn kind_of(path: &Path) -> Result<GalleryKind> {
    let text = read_text(path)?;
    let first = text.lines().find(|line| !line.trim().is_empty());
    let first = first.and_then(|line| json::record(line).ok()).unwrap_or_default();
    let of_image = first.contains_key("image") || !first.contains_key("caption");
    Ok(if of_image { GalleryKind::Images } else { GalleryKind::Captions })
}

/// The items of a file in their order; lines of white space are passed over. Lines that cannot be used are its
/// problems.
pub(super) fn list(path: &Path, kind: GalleryKind) -> Result<Listing> {
    let text = read_text(path)?;
    let mut listing = Listing::default();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut lines: HashMap<String, usize> = HashMap::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = at + 1;
        let fields = json::record(line).map_err(|e| format!("no JSON object: {e}"));
        let read = fields.and_then(|fields| entry(fields, number, kind)).and_then(|entry| {
            match lines.get(&entry.key) {
                Some(other) => Err(format!("key {:?} stands in line {other}, too", entry.key)),
                None => Ok(entry),
            }
        });
        match read {
            Ok(entry) => {
                lines.insert(entry.key.clone(), number);
                listing.entries.push(entry);
            }
            Err(reason) => {
                let key = format!("{name} line {number}");
                listing.problems.push(Problem { key, reason });
            }
        }
    }
    Ok(listing)
}

fn entry(
    mut fields: Map<String, Value>,
    number: usize,
    kind: GalleryKind,
) -> Result<Entry, String> {
    // Ids are often numbers.
    if let Some(Value::Number(key)) = fields.get("key") {
        if key.is_f64() {
            return Err(format!("`key` is {key}: a key is a text or a whole number"));
        }
        let key = key.to_string();
        fields.insert("key".into(), key.into());
    }
    let mut text = |name: &str| match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
        Some(other) => Err(format!("`{name}` is {other}, not a text")),
    };
    let (image, caption, key) = (text("image")?, text("caption")?, text("key")?);
    let (key, content) = match kind {
        GalleryKind::Images => {
            let image = image.ok_or("no `image`: the path of a picture")?;
            match key {
                Some(key) => (key, Content::Picture { path: Some(image), caption }),
                None => (image, Content::Picture { path: None, caption }),
            }
        }
        GalleryKind::Captions => {
            let text = caption.ok_or("no `caption`")?;
            let key = key.unwrap_or_else(|| number.to_string());
            (key, Content::Caption { text, path: image })
        }
    };
    Ok(Entry { key, content, metadata: fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(content: &str, kind: GalleryKind) -> Result<Vec<Entry>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let listing = list(file.path(), kind).map_err(|e| e.to_string())?;
        match listing.problems.first() {
            Some(problem) => Err(problem.to_string()),
            None => Ok(listing.entries),
        }
    }

    #[test]
    fn keys_default_to_what_names_the_item() {
        let lines =
            "\u{feff}{\"image\": \"a.png\"}\n\n{\"image\": \"b.png\", \"key\": 7, \"n\": [1]}";
        let entries = listed(lines, GalleryKind::Images).unwrap();
        let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["a.png", "7"]);
        assert_eq!(entries[1].path(), Some("b.png"));
        assert_eq!(entries[1].metadata["n"], serde_json::json!([1]));
        let lines = "{\"caption\": \" one \"}\n{\"caption\": \"two\", \"image\": \"a.png\"}\n";
        let entries = listed(lines, GalleryKind::Captions).unwrap();
        assert_eq!((entries[1].key.as_str(), entries[1].path()), ("2", Some("a.png")));
        assert!(matches!(&entries[0].content, Content::Caption { text, .. } if text == "one"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let wrong = |content: &str| listed(content, GalleryKind::Images).unwrap_err();
        assert!(wrong("{\"image\": \"a\"}\n[1]").contains("line 2: no JSON object"));
        assert!(wrong("\n{\"caption\": \"a\"}").contains("line 2: no `image`"));
        assert!(wrong("{\"image\": 3}").contains("`image` is 3"));
        let twice = wrong("{\"image\": \"a\"}\n\n{\"image\": \"a\"}");
        assert!(twice.contains("line 3: key \"a\" stands in line 1, too"), "{twice}");
    }
}
