//! WebDataset shards: tar files in which members of one name belong together, `0001.jpg` and
//! `0001.txt` or `0001.json`.

use std::collections::HashSet;
use std::sync::Arc;

use avse_core::image::formats::PictureFormat;
use avse_core::input::{encoding, json};
use serde_json::{Map, Value};

use super::problem::ProblemKind;
use super::record;
use super::samples::{Named, Reading, Record};
use super::tar_members::{Member, TarMembers};

/// Members that share a key.
#[derive(Default)]
struct Group<'a> {
    picture: Option<&'a Member>,
    text: Option<&'a Member>,
    json: Option<&'a Member>,
    /// The format of a picture that cannot be read.
    unread: Option<PictureFormat>,
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
    for message in &members.refused {
        let record = Named { name: message, ..Named::default() };
        reading.broken(ProblemKind::BadRecord, record, message.clone());
    }
    for group in parts.chunk_by(|a, b| a.0 == b.0) {
        let key = group[0].0;
        let outcome = match seen.insert(key) {
            true => self::group(group).and_then(|found| sample(reading, &members, key, &found)),
            false => Err(bad(
                "its members do not stand together, or the key stands there twice; pack them in the order of their names: tar --sort=name"
                    .into(),
            )),
        };
        if let Err((kind, message)) = outcome {
            let name = format!("key {key:?}");
            let record = Named { name: &name, ..Named::default() };
            reading.broken(kind, record, format!("{name}: {message}"));
        }
    }
}

type Wrong = (ProblemKind, String);

fn bad(message: String) -> Wrong {
    (ProblemKind::BadRecord, message)
}

/// What the members of one key are.
fn group<'a>(members: &[(&str, &str, &'a Member)]) -> Result<Group<'a>, Wrong> {
    let mut found = Group::default();
    for (_, extension, member) in members {
        let ending = extension.to_ascii_lowercase();
        let place = match ending.as_str() {
            "txt" => &mut found.text,
            "json" => &mut found.json,
            ending => match PictureFormat::from_ending(ending) {
                Some(format) if format.is_read() => &mut found.picture,
                Some(format) => {
                    found.unread = Some(format);
                    continue;
                }
                None => continue,
            },
        };
        if let Some(other) = place.replace(member) {
            let what = if ending == "txt" || ending == "json" { "texts" } else { "pictures" };
            return Err(bad(format!("two {what}, {:?} and {:?}", other.name, member.name)));
        }
    }
    Ok(found)
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
) -> Result<(), Wrong> {
    let picture = group.picture.ok_or_else(|| bad(no_picture(group.unread)))?;
    let of = |member: &Member, what: &dyn std::fmt::Display| format!("{:?}: {what}", member.name);
    picture.place().map_err(|e| bad(of(picture, &e)))?;
    let read = |member: &Member| {
        let bytes = members.read(member).map_err(|e| bad(of(member, &e)))?;
        let text = encoding::text(&bytes).map(str::to_owned);
        text.map_err(|message| (ProblemKind::NotUtf8, of(member, &message)))
    };
    let fields: Map<String, Value> = match group.json {
        Some(member) => json::record(&read(member)?)
            .map_err(|e| bad(of(member, &format!("no JSON object: {e}"))))?,
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

fn no_picture(unread: Option<PictureFormat>) -> String {
    match unread {
        Some(format) => format!("its picture is {}: {}", format.name(), format.advice()),
        None => "no picture (.jpg, .png, .webp and others)".into(),
    }
}
