//! JSONL: an object a line with `image`, `caption` or `captions`, and, if wanted, `split`.

use avse_core::input::{encoding, json};

use super::problem::ProblemKind;
use super::record;
use super::samples::{Named, Reading, Record};

/// Reads a list of objects.
pub(super) fn read(reading: &mut Reading<'_>) {
    let bytes = match std::fs::read(reading.file) {
        Ok(bytes) => bytes,
        Err(error) => {
            return reading.problem(ProblemKind::MissingFile, None, error.to_string());
        }
    };
    let text = match encoding::unmarked(&bytes) {
        Ok(text) => text,
        Err(message) => return reading.problem(ProblemKind::NotUtf8, None, message),
    };
    for (line, content) in text.split(|&byte| byte == b'\n').enumerate() {
        if !content.trim_ascii().is_empty()
            && let Err((kind, message)) = one(reading, line, content)
        {
            reading.broken(kind, Named { line: Some(line), ..Named::default() }, message);
        }
    }
}

fn one(
    reading: &mut Reading<'_>,
    line: usize,
    content: &[u8],
) -> Result<(), (ProblemKind, String)> {
    let bad = |message: String| (ProblemKind::BadRecord, message);
    let content =
        std::str::from_utf8(content).map_err(|_| (ProblemKind::NotUtf8, "not UTF-8".into()))?;
    let fields = json::record(content).map_err(|e| bad(format!("no JSON object: {e}")))?;
    let image = record::text(&fields, "image").map_err(bad)?.map(str::trim);
    let image = image.filter(|image| !image.is_empty());
    let image = image.ok_or_else(|| bad("no `image`: the path of a picture".into()))?;
    let record = Record {
        id: image,
        path: reading.images.join(image),
        captions: record::captions(&fields).map_err(bad)?,
        split: record::text(&fields, "split").map_err(bad)?,
        line: Some(line),
        name: image.to_owned(),
    };
    reading.add(record);
    Ok(())
}
