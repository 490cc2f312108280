//! Links of a tar file lead to other members, never to files outside, as Python's `tarfile` has it.

use std::collections::HashMap;

use super::name::{normalised, text};
use super::scan::{Entry, What};
use super::{Bytes, Member};

/// Links that lead to links, at most; more are a circle.
const DEEPEST: usize = 40;

/// The files among the entries, links led to their ends; and what is wrong with names.
pub(super) fn members(entries: &[Entry]) -> (Vec<Member>, Vec<String>) {
    let (mut places, mut refused) = (HashMap::<String, Vec<usize>>::new(), Vec::new());
    let mut names = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        let name = normalised(&text(&entry.name));
        match &name {
            Ok(name) => places.entry(name.clone()).or_default().push(at),
            Err(_) if matches!(entry.what, What::Folder) => {}
            Err(reason) => refused.push(format!("member {:?}: {reason}", text(&entry.name))),
        }
        names.push(name.ok());
    }
    let links = Links { entries, names: &names, places: &places };
    let mut members = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let Some(name) = names[at].clone() else { continue };
        if !matches!(entry.what, What::Folder) {
            let spelt_out = std::str::from_utf8(&entry.name).is_err();
            members.push(Member { name, spelt_out, bytes: links.end(at, DEEPEST) });
        }
    }
    (members, refused)
}

struct Links<'a> {
    entries: &'a [Entry],
    names: &'a [Option<String>],
    /// Every entry of a name.
    places: &'a HashMap<String, Vec<usize>>,
}

impl Links<'_> {
    fn end(&self, at: usize, deepest: usize) -> Bytes {
        let wrong = |what: &str, link: &[u8]| {
            Bytes::Unreadable(format!("it is a link to {:?}, {what}", text(link)))
        };
        let (target, link, before) = match &self.entries[at].what {
            What::File { offset, bytes } => return Bytes::At { offset: *offset, bytes: *bytes },
            What::Folder => return Bytes::Unreadable("it is a folder".into()),
            What::Unreadable(reason) => return Bytes::Unreadable((*reason).to_owned()),
            What::HardLink(link) => (text(link), link, at),
            What::SymbolicLink(link) if link.starts_with(b"/") => {
                return wrong("outside of the tar file", link);
            }
            What::SymbolicLink(link) => {
                let folder = self.names[at].as_deref().and_then(|name| name.rsplit_once('/'));
                let folder = folder.map_or(String::new(), |(folder, _)| format!("{folder}/"));
                (folder + &text(link), link, self.entries.len())
            }
        };
        let Ok(target) = normalised(&target) else {
            return wrong("outside of the tar file", link);
        };
        let places = self.places.get(&target).map(Vec::as_slice).unwrap_or_default();
        let found = places.iter().rev().find(|place| **place < before);
        match (found, deepest) {
            (None, _) => wrong("which is not in the tar file", link),
            (Some(_), 0) => wrong("and these links lead in a circle", link),
            (Some(place), _) => match self.end(*place, deepest - 1) {
                Bytes::Unreadable(reason) if deepest == DEEPEST => {
                    wrong(&format!("and that cannot be read: {reason}"), link)
                }
                found => found,
            },
        }
    }
}
