//! WebDataset shards: tar files in which members of one name belong together, `0001.jpg` and
//! `0001.txt` or `0001.json`.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::problem::ProblemKind;
use super::record;
use super::samples::{Reading, Record};
use super::tar_members::{Member, TarMembers};

/// Members that share a key.
#[derive(Default)]
struct Group<'a> {
    picture: Option<&'a Member>,
    text: Option<&'a Member>,
    json: Option<&'a Member>,
}

/// Reads a shard: its captions at once, of its pictures the places.
pub(super) fn read(reading: &mut Reading<'_>) {
    let members: Arc<TarMembers> = match TarMembers::of(reading.file) {
        Ok(members) => members,
        Err(error) => {
            return reading.problem(ProblemKind::MissingFile, None, error.to_string());
        }
    };
    if let Some(damage) = &members.damage {
        reading.problem(ProblemKind::BrokenShard, None, damage.clone());
    } else if members.members.is_empty() {
        reading.problem(ProblemKind::BrokenShard, None, "the tar file is empty");
    }
    let parts: Vec<(&str, &str, &Member)> =
        members.members.iter().filter_map(|member| parts(&member.name, member)).collect();
    let mut seen = HashSet::new();
    for group in parts.chunk_by(|a, b| a.0 == b.0) {
        let key = group[0].0;
        if !seen.insert(key) {
            let message = format!("key {key:?}: its members do not stand together");
            reading.problem(ProblemKind::BadRecord, None, message);
            continue;
        }
        let mut found = Group::default();
        for (_, extension, member) in group {
            match extension.to_ascii_lowercase().as_str() {
                "jpg" | "jpeg" | "png" | "webp" => found.picture = Some(member),
                "txt" => found.text = Some(member),
                "json" => found.json = Some(member),
                _ => {}
            }
        }
        if let Err((kind, message)) = sample(reading, &members, key, &found) {
            reading.problem(kind, None, format!("key {key:?}: {message}"));
        }
    }
}

/// Key and extension of a member: the name is cut at the first dot of its last part.
fn parts<'a>(name: &'a str, member: &'a Member) -> Option<(&'a str, &'a str, &'a Member)> {
    let start = name.rfind('/').map_or(0, |slash| slash + 1);
    // `._x` and the like are what some systems put beside files.
    if name[start..].starts_with('.') {
        return None;
    }
    let dot = start + name[start..].find('.')?;
    Some((&name[..dot], &name[dot + 1..], member))
}

fn sample(
    reading: &mut Reading<'_>,
    members: &TarMembers,
    key: &str,
    group: &Group<'_>,
) -> Result<(), (ProblemKind, String)> {
    let bad = |message: String| (ProblemKind::BadRecord, message);
    let picture = group.picture.ok_or_else(|| bad("no .jpg, .jpeg, .png or .webp".into()))?;
    let read = |member: &Member| {
        let bytes = members.read(member).map_err(|e| bad(format!("{}: {e}", member.name)))?;
        let not_utf8 = (ProblemKind::NotUtf8, format!("{}: not UTF-8", member.name));
        String::from_utf8(bytes).map_err(|_| not_utf8)
    };
    let fields: Map<String, Value> = match group.json {
        Some(member) => serde_json::from_str(&read(member)?)
            .map_err(|e| bad(format!("{}: no JSON object: {e}", member.name)))?,
        None => Map::new(),
    };
    let captions = match group.text {
        // A caption a line, as image-text benchmarks in this form have them.
        Some(member) => {
            let text = read(member)?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.map(str::to_owned).collect()
        }
        None => record::captions(&fields).map_err(bad)?,
    };
    let split = record::text(&fields, "split").map_err(bad)?;
    let path = reading.file.join(&picture.name);
    // Every shard may count from 0.
    let shard = reading.file.strip_prefix(reading.images).unwrap_or(reading.file);
    let shard = shard.with_extension("").to_string_lossy().replace('\\', "/");
    let (id, name) = (format!("{shard}/{key}"), format!("key {key:?}"));
    reading.add(Record { id: &id, path, captions, split, line: None, name });
    Ok(())
}
