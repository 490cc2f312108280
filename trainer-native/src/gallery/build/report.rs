//! What the building of a gallery has done.

use std::path::PathBuf;

use avse_core::gallery::{GalleryKind, Row, StoredPrecision};
use serde::Serialize;

use crate::gallery::listing::{Problem, UnreadFormat};
use crate::gallery::plan::{Plan, State};

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct BuildReport {
    /// The gallery's folder.
    pub gallery: PathBuf,
    /// What it holds.
    pub kind: GalleryKind,
    /// How precisely.
    pub precision: StoredPrecision,
    /// The bundle.
    pub model: PathBuf,
    /// Items it holds now.
    pub items: usize,
    /// Items whose content is what it was.
    pub unchanged: usize,
    /// Items that were not there.
    pub added: usize,
    /// Items whose content is another.
    pub changed: usize,
    /// Items that are gone.
    pub removed: usize,
    /// Embeddings computed.
    pub encoded: usize,
    /// Of the added and changed, those whose embedding was there: the same content under
    /// another name, or encoded by a run that was stopped.
    pub reused: usize,
    /// What could not be read.
    pub unreadable: Vec<Problem>,
    /// Pictures of formats that this build does not read.
    pub unread_formats: Vec<UnreadFormat>,
    /// The file that lists it, where anything could not be read.
    pub unreadable_list: Option<PathBuf>,
    /// Captions longer than the network has positions for.
    pub truncated_captions: usize,
    /// Whether anything had to be written.
    pub written: bool,
    /// Wall time.
    pub seconds: f64,
}

impl BuildReport {
    /// The counts that follow from the plan.
    pub(super) fn count(plan: &Plan, recovered: usize) -> Self {
        let mut report = Self {
            gallery: PathBuf::new(),
            kind: GalleryKind::Images,
            precision: StoredPrecision::F16,
            model: PathBuf::new(),
            items: 0,
            unchanged: 0,
            added: 0,
            changed: 0,
            removed: plan.removed,
            encoded: 0,
            reused: 0,
            unreadable: plan.lost.iter().map(|lost| lost.problem.clone()).collect(),
            unread_formats: plan.unread_formats.clone(),
            unreadable_list: None,
            truncated_captions: 0,
            written: false,
            seconds: 0.0,
        };
        for task in &plan.tasks {
            let State::Have(row, content) = task.state else {
                report.removed += usize::from(task.old.is_some());
                continue;
            };
            let count = match task.old {
                Some((_, old)) if old == content => {
                    report.unchanged += 1;
                    continue;
                }
                Some(_) => &mut report.changed,
                None => &mut report.added,
            };
            *count += 1;
            let was_there = match row {
                Row::Kept(_) => true,
                Row::Added(at) => at < recovered,
            };
            report.reused += usize::from(was_there);
        }
        report
    }
}
