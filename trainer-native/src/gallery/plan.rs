//! What of a collection is new, by comparing it with a gallery.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::PathBuf;

use avse_core::gallery::{ContentHash, Gallery, GalleryKind, Item, Row, Source};

use super::listing::{Content, Entry, Problem, Stat, UnreadFormat, base};
use super::sources::list;
use crate::Result;

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It must be read.
    Unread,
    /// Its embedding is there.
    Have(Row, ContentHash),
    /// It cannot be read.
    LeftOut,
}

/// An entry of the new generation.
pub(super) struct Task {
    pub(super) source: usize,
    pub(super) entry: Entry,
    stat: Option<Stat>,
    /// The row that has its key in the current generation, and that row's content.
    pub(super) old: Option<(usize, ContentHash)>,
    /// What that row says of the file, if it is of the same one.
    old_stat: Option<Stat>,
    pub(super) state: State,
}

impl Task {
    /// The item of the new generation.
    pub(super) fn item(&self) -> Option<(Row, Item)> {
        let State::Have(row, sha256) = self.state else { return None };
        let item = Item {
            sha256,
            bytes: self.stat.map(|stat| stat.bytes),
            modified: self.stat.and_then(|stat| stat.modified),
            ..self.entry.item(self.source)
        };
        Some((row, item))
    }
}

/// Something that cannot be read.
pub(super) struct Lost {
    pub(super) source: usize,
    pub(super) problem: Problem,
    /// Whether it is not there at all.
    pub(super) gone: bool,
}

/// Everything that will be in the new generation.
pub(super) struct Plan {
    pub(super) tasks: Vec<Task>,
    pub(super) lost: Vec<Lost>,
    /// Pictures of formats that this build does not read.
    pub(super) unread_formats: Vec<UnreadFormat>,
    /// Rows of the current generation whose key is gone, or whose file is.
    pub(super) removed: usize,
    /// Items of the current generation that each source had.
    had: Vec<usize>,
    /// Where the embedding of a content is.
    known: HashMap<ContentHash, Row>,
}

/// The current generation's keys: for each of the new sources, key to row.
type Keys = Vec<HashMap<String, usize>>;

/// What a plan compares with.
pub(super) struct Known<'a> {
    /// The current generation, where there is one.
    pub(super) gallery: Option<&'a Gallery>,
    /// Contents whose embeddings a killed writer left.
    pub(super) added: &'a [ContentHash],
    /// Whether a file's size and time of change are taken for its content.
    pub(super) trust_stat: bool,
}

impl Plan {
    /// Lists all sources and looks at each entry's file, without reading it.
    pub(super) fn new(sources: &[Source], kind: GalleryKind, before: &Known<'_>) -> Result<Self> {
        let current = before.gallery;
        let mut known = HashMap::new();
        let mut keys: Keys = vec![HashMap::new(); sources.len()];
        let mut total = 0;
        if let Some(gallery) = current {
            let place = |item: &Item| {
                let source = gallery.sources().get(item.source)?;
                sources.iter().position(|other| other == source)
            };
            for (row, item) in gallery.items().iter().enumerate() {
                let item = item?;
                known.entry(item.sha256).or_insert(Row::Kept(row));
                if let Some(source) = place(&item) {
                    keys[source].insert(item.key, row);
                }
            }
            total = gallery.len();
        }
        let mut plan = Self {
            tasks: Vec::new(),
            lost: Vec::new(),
            unread_formats: Vec::new(),
            removed: 0,
            had: keys.iter().map(HashMap::len).collect(),
            known,
        };
        plan.learn(before.added);
        let mut matched = 0;
        for (at, source) in sources.iter().enumerate() {
            let listing = list(source, kind)?;
            let start = plan.tasks.len();
            for entry in listing.entries {
                let old = keys[at].remove(&entry.key);
                let task = plan.task(at, source, entry, old, before)?;
                matched += usize::from(task.is_some() && old.is_some());
                plan.tasks.extend(task);
            }
            matched += plan.retain_unseen(at, &listing.problems, &keys[at], current)?;
            if matches!(source, Source::Folder { .. }) {
                plan.tasks[start..].sort_by(|a, b| a.entry.key.cmp(&b.entry.key));
            }
            plan.unread_formats.extend(listing.unread_formats);
            let lost = |problem| Lost { source: at, problem, gone: false };
            plan.lost.extend(listing.problems.into_iter().map(lost));
        }
        plan.removed = total - matched;
        Ok(plan)
    }

    /// Compares an entry with what the gallery has; `None` when its file is not there.
    fn task(
        &mut self,
        at: usize,
        source: &Source,
        entry: Entry,
        old: Option<usize>,
        before: &Known<'_>,
    ) -> Result<Option<Task>> {
        let old = match (old, before.gallery) {
            (Some(row), Some(gallery)) => Some((row, gallery.items().get(row)?)),
            _ => None,
        };
        let of_old = old.as_ref().map(|(row, item)| (*row, item.sha256));
        let same_file = old.as_ref().filter(|(_, item)| item.path.as_deref() == entry.path());
        let old_stat = same_file.and_then(|(_, item)| Stat::of_item(item));
        let (stat, state) = match &entry.content {
            Content::Caption { text, .. } => {
                let content = ContentHash::of(text.as_bytes());
                let row = self.find(&content, of_old);
                (None, row.map_or(State::Unread, |row| State::Have(row, content)))
            }
            Content::Picture { .. } => match Stat::of(&file(source, &entry)) {
                Ok(stat) => {
                    let same =
                        before.trust_stat && stat.modified.is_some() && old_stat == Some(stat);
                    let kept = same_file.filter(|_| same);
                    let state = kept.map(|(row, item)| State::Have(Row::Kept(*row), item.sha256));
                    (Some(stat), state.unwrap_or(State::Unread))
                }
                Err(error) => {
                    let gone = error.kind() == ErrorKind::NotFound;
                    let problem = Problem { key: entry.key.clone(), reason: error.to_string() };
                    self.lost.push(Lost { source: at, problem, gone });
                    // Not to be seen is not to be gone.
                    let Some((row, item)) = same_file.filter(|_| !gone) else {
                        return Ok(None);
                    };
                    (old_stat, State::Have(Row::Kept(*row), item.sha256))
                }
            },
        };
        Ok(Some(Task { source: at, entry, stat, old: of_old, old_stat, state }))
    }

    /// Keeps the items below folders that could not be looked into: not to be seen is not to
    /// be gone. Returns how many.
    fn retain_unseen(
        &mut self,
        at: usize,
        problems: &[Problem],
        unseen: &HashMap<String, usize>,
        current: Option<&Gallery>,
    ) -> Result<usize> {
        let Some(gallery) = current else { return Ok(0) };
        let hidden = |key: &str| {
            problems.iter().any(|problem| {
                let rest = key.strip_prefix(problem.key.as_str());
                rest.is_some_and(|r| r.is_empty() || r.starts_with('/') || problem.key.is_empty())
            })
        };
        let mut retained = 0;
        for (key, row) in unseen.iter().filter(|(key, _)| hidden(key)) {
            let item = gallery.items().get(*row)?;
            let stat = Stat::of_item(&item);
            self.tasks.push(Task {
                source: at,
                entry: Entry {
                    key: key.clone(),
                    content: Content::Picture { path: item.path, caption: item.caption },
                    metadata: item.metadata,
                },
                stat,
                old_stat: stat,
                old: Some((*row, item.sha256)),
                state: State::Have(Row::Kept(*row), item.sha256),
            });
            retained += 1;
        }
        Ok(retained)
    }

    /// The first source of which nothing is left that it had, and the first problem with it.
    pub(super) fn vanished(&self) -> Option<(usize, Option<&Problem>)> {
        let left = |source: usize| self.tasks.iter().any(|task| task.source == source);
        let source = (0..self.had.len()).find(|source| self.had[*source] > 0 && !left(*source))?;
        let first = self.lost.iter().find(|lost| lost.source == source);
        Some((source, first.map(|lost| &lost.problem)))
    }

    /// Settles a task whose file could not be read: as it was, where that was the same file.
    pub(super) fn settle_unseen(&mut self, at: usize) {
        let task = &mut self.tasks[at];
        task.state = match (task.old, task.old_stat) {
            (Some((row, content)), Some(stat)) => {
                task.stat = Some(stat);
                State::Have(Row::Kept(row), content)
            }
            _ => State::LeftOut,
        };
    }

    /// Whether the embedding of a content is there.
    pub(super) fn knows(&self, content: &ContentHash) -> bool {
        self.known.contains_key(content)
    }

    /// Where the embedding of a content is; in the entry's own row, if that has it.
    fn find(&self, content: &ContentHash, old: Option<(usize, ContentHash)>) -> Option<Row> {
        match old {
            Some((row, own)) if own == *content => Some(Row::Kept(row)),
            _ => self.known.get(content).copied(),
        }
    }

    /// Settles tasks whose contents were read: `None` for one that is left out. What was
    /// encoded has been [learnt](Self::learn).
    pub(super) fn settle(&mut self, read: impl IntoIterator<Item = (usize, Option<ContentHash>)>) {
        for (at, content) in read {
            let have = content.and_then(|content| {
                Some(State::Have(self.find(&content, self.tasks[at].old)?, content))
            });
            self.tasks[at].state = have.unwrap_or(State::LeftOut);
        }
    }

    /// Notes embeddings that were pushed.
    pub(super) fn learn(&mut self, added: &[ContentHash]) {
        for (at, content) in added.iter().enumerate() {
            self.known.entry(*content).or_insert(Row::Added(at));
        }
    }

    /// The tasks that must be read.
    pub(super) fn unread(&self) -> Vec<usize> {
        let unread = |at: &usize| self.tasks[*at].state == State::Unread;
        (0..self.tasks.len()).filter(unread).collect()
    }

    /// Whether the new generation is the current one, item by item.
    pub(super) fn is_current(&self, gallery: &Gallery) -> Result<bool> {
        let mut rows = 0;
        for (row, item) in self.tasks.iter().filter_map(Task::item) {
            if row != Row::Kept(rows)
                || rows >= gallery.len()
                || item != gallery.items().get(rows)?
            {
                return Ok(false);
            }
            rows += 1;
        }
        Ok(rows == gallery.len())
    }
}

/// The picture's file of an entry.
pub(super) fn file(source: &Source, entry: &Entry) -> PathBuf {
    base(source).join(entry.path().unwrap_or(&entry.key))
}
