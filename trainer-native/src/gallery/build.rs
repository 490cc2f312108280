//! Bringing a gallery up to date with what it is made of.

mod goal;
mod report;

use std::path::PathBuf;
use std::time::Instant;

use avse_core::gallery::{ContentHash, GalleryKind, GalleryWriter, Source, StoredPrecision};
use avse_core::similarity::Blocks;
use burn::tensor::Device;
use indicatif::ProgressBar;

pub use self::goal::describe;
use self::goal::{Goal, damaged};
pub use self::report::BuildReport;
use super::encoder::{Encoder, Seen};
use super::listing::{Content, Problem};
use super::plan::{Known, Lost, Plan, Task, file};
use crate::reading::{ReadPolicy, Skipped, list_beside};
use crate::{Error, Result, progress};

/// What is to be done with what the gallery is made of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceChange {
    /// It must be the same.
    #[default]
    None,
    /// The new source is added to it.
    Add,
    /// The new source takes its place, and a gallery that does not fit counts as none.
    Replace,
}

/// What to build.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// The gallery's folder.
    pub folder: PathBuf,
    /// What it is made of; without one, what it was made of.
    pub source: Option<Source>,
    /// What is to be done with another source.
    pub change: SourceChange,
    /// What is encoded; without one, as it was, or as the list of items has it, or images.
    pub kind: Option<GalleryKind>,
    /// How precisely; without one, as it was, or f16.
    pub precision: Option<StoredPrecision>,
    /// The bundle; without one, that of the gallery, or the demo's.
    pub model: Option<PathBuf>,
    /// Whether all files are read, those of the same size and time of change, too.
    pub reread: bool,
    /// Whether a source of which nothing is left empties the gallery of it, or is an error.
    pub allow_empty: bool,
    /// Where it runs.
    pub device: Device,
    /// Show no progress.
    pub quiet: bool,
    /// How pictures are read.
    pub reading: ReadPolicy,
}

/// Builds a gallery or brings it up to date: only what is new or changed is read and
/// encoded. Killed at any moment, it leaves the gallery as it was, and the next run takes up what was
/// encoded.
///
/// # Errors
/// Whatever is wrong with options, sources, bundle or gallery. A picture that cannot be
/// read is no error: the report lists it.
pub fn build(options: &BuildOptions) -> Result<BuildReport> {
    let began = Instant::now();
    let (goal, mut writer) = open(options)?;
    let recovered = writer.added().len();
    let kind = goal.spec.kind;
    let before =
        Known { gallery: writer.current(), added: writer.added(), trust_stat: !options.reread };
    let mut plan = Plan::new(&goal.sources, kind, &before)?;
    check_vanished(&plan, &goal, options)?;
    let total = plan.tasks.len() + plan.lost.len();
    let skipped = Skipped::new(&options.reading, (total, "items"), list_beside(&options.folder));
    for Lost { source, problem: Problem { key, reason }, gone } in &plan.lost {
        let key = goal.named(*source, key);
        // With --allow-empty it is known already that things are gone.
        if options.allow_empty && *gone {
            skipped.list(&key, reason);
        } else {
            skipped.add(&key, reason)?;
        }
    }
    // Opened to be replaced it has been hashed; else rather now than after hours of encoding.
    if options.change != SourceChange::Replace && !plan.unread().is_empty() {
        writer.verify().map_err(|error| damaged(error, &options.folder))?;
    }
    let truncated = encode(&mut plan, &mut writer, &goal, options, &skipped)?;
    let items = plan.tasks.iter().filter(|task| task.item().is_some()).count();
    if items == 0 && writer.current().is_none() {
        writer.close()?;
        return Err(nothing(&goal.sources, &plan));
    }
    let mut report = BuildReport {
        gallery: options.folder.clone(),
        kind,
        precision: goal.spec.precision,
        model: goal.bundle.folder,
        items,
        encoded: writer.added().len() - recovered,
        truncated_captions: truncated,
        ..BuildReport::count(&plan, recovered)
    };
    let same = match writer.current() {
        Some(gallery) => {
            *gallery.sources() == goal.sources
                && gallery.spec().model == goal.spec.model
                && plan.is_current(gallery)?
        }
        None => false,
    };
    if same {
        writer.close()?;
    } else {
        let items = plan.tasks.iter().filter_map(Task::item).map(Ok);
        writer.commit(goal.sources, items).map_err(|error| damaged(error, &options.folder))?;
    }
    report.unreadable_list = skipped.finish();
    report.written = !same;
    report.seconds = began.elapsed().as_secs_f64();
    Ok(report)
}

/// Settles what is to be built, and takes the gallery's lock.
fn open(options: &BuildOptions) -> Result<(Goal, GalleryWriter)> {
    let replace = options.change == SourceChange::Replace;
    loop {
        let goal = Goal::of(options)?;
        let writer = GalleryWriter::open(&options.folder, goal.spec.clone(), replace)?;
        // Another program may have written the gallery before the lock was taken: its sources stay.
        let now = writer.current().map(|gallery| gallery.manifest().generation);
        if replace || now == goal.generation {
            return Ok((goal, writer));
        }
    }
}

/// Reads and encodes what must be; returns how many captions were cut.
fn encode(
    plan: &mut Plan,
    writer: &mut GalleryWriter,
    goal: &Goal,
    options: &BuildOptions,
    skipped: &Skipped,
) -> Result<usize> {
    let unread = plan.unread();
    if unread.is_empty() {
        return Ok(0);
    }
    let avse = goal.bundle.load(&options.device)?;
    let bar = match options.quiet {
        true => ProgressBar::hidden(),
        false => progress::bar(unread.len() as u64, "index"),
    };
    let mut push = |blocks: Blocks<'_>, contents: &[_]| Ok(writer.push(blocks, contents)?);
    let (mut truncated, mut read) = (0, Vec::with_capacity(unread.len()));
    let mut unseen = Vec::new();
    match goal.spec.kind {
        GalleryKind::Images => {
            let path = |at: &usize| {
                let task = &plan.tasks[*at];
                file(&goal.sources[task.source], &task.entry)
            };
            let paths: Vec<PathBuf> = unread.iter().map(path).collect();
            let known = |content: &_| plan.knows(content);
            let encoder = Encoder::new(&avse, &bar, &options.reading.limits).knowing(&known);
            let mut broken = |at: usize, reason: &str| {
                let task = &plan.tasks[unread[at]];
                skipped.add(&goal.named(task.source, &task.entry.key), reason)
            };
            let seen = encoder.pictures(&paths, &mut push, &mut broken)?;
            for (at, seen) in unread.into_iter().zip(seen) {
                match seen {
                    Seen::Content(content) => read.push((at, Some(content))),
                    Seen::Unreadable(unreadable) => {
                        if unreadable.unseen {
                            unseen.push(at);
                        } else {
                            read.push((at, None));
                        }
                        let Task { source, entry, .. } = &plan.tasks[at];
                        let (key, reason) = (entry.key.clone(), unreadable.reason);
                        let problem = Problem { key, reason };
                        plan.lost.push(Lost { source: *source, problem, gone: false });
                    }
                }
            }
        }
        GalleryKind::Captions => {
            let mut texts = Vec::new();
            for at in unread {
                if let Content::Caption { text, .. } = &plan.tasks[at].entry.content {
                    read.push((at, Some(ContentHash::of(text.as_bytes()))));
                    texts.push(text.as_str());
                }
            }
            // The same sentence stands in a dataset more than once.
            texts.sort_unstable();
            texts.dedup();
            bar.set_length(texts.len() as u64);
            let encoder = Encoder::new(&avse, &bar, &options.reading.limits);
            truncated = encoder.sentences(&texts, &mut push)?;
        }
    }
    bar.finish_and_clear();
    plan.learn(writer.added());
    plan.settle(read);
    unseen.into_iter().for_each(|at| plan.settle_unseen(at));
    Ok(truncated)
}

/// An error where a source that had items has none left, unless that is allowed.
fn check_vanished(plan: &Plan, goal: &Goal, options: &BuildOptions) -> Result<()> {
    let Some((source, problem)) = plan.vanished().filter(|_| !options.allow_empty) else {
        return Ok(());
    };
    let problem = problem.map(|it| format!(" (the first problem is {it})")).unwrap_or_default();
    Err(Error::Usage(format!(
        "nothing of {} is there any more{problem}. If a disk is away, bring it back; if all of it was \
         deleted, --allow-empty takes it out of the gallery",
        describe(&goal.sources[source]),
    )))
}

fn nothing(sources: &[Source], plan: &Plan) -> Error {
    let lost = &plan.lost;
    let places: Vec<String> = sources.iter().map(describe).collect();
    let first = lost
        .first()
        .map(|first| format!("; {} could not be read, first {}", lost.len(), first.problem));
    let skipped: String =
        plan.unread_formats.iter().map(|skipped| format!("; {skipped}")).collect();
    let (places, first) = (places.join(", "), first.unwrap_or_default());
    Error::Usage(format!("nothing to index in {places}{first}{skipped}"))
}
