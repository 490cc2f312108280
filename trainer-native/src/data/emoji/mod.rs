//! The emoji set: drawings of the same emoji from nine icon sets with captions
//! of five kinds, written in the official Flickr30K layout.
//!
//! Eight sets are trained on; the ninth, by another designer, is the test. See `data/README.md`.

mod captions;
mod credits;
mod icons;
mod names;
mod npm;
mod report;
mod splits;
mod words;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use credits::{WORDS, credits_of};
pub use icons::{Credit, Designer, TEST_DESIGNER, TRAINING_DESIGNERS};
pub use npm::{Packages, data_folder};
pub use report::{Report, SplitReport};
pub use splits::Lists;

use crate::files::{json, write_atomically};
use crate::{Error, Result};
use icons::IconSet;
use names::Names;
use words::Emoji;

/// Raised when the same inputs give other files than before.
const FORMAT: u32 = 3;
const MANIFEST: &str = "manifest.json";

/// What to build.
#[derive(Debug, Clone)]
pub struct Options {
    /// The dataset's folder; replaced as a whole.
    pub out: PathBuf,
    /// Side of the pictures in pixels.
    pub size: u32,
    /// Seed of the wording of the training captions.
    pub seed: u64,
}

/// What a set was built from, and what came out.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    #[serde(flatten)]
    inputs: Inputs,
    report: Report,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Inputs {
    format: u32,
    size: u32,
    seed: u64,
    packages: BTreeMap<String, String>,
    lists_sha256: String,
}

/// A built set.
#[derive(Debug)]
pub struct Built {
    /// The dataset's folder.
    pub folder: PathBuf,
    /// What is in it.
    pub report: Report,
    /// Whether it was there already, from the same inputs.
    pub unchanged: bool,
}

/// Builds the emoji set, or finds it built already.
///
/// The new set is written beside `out` and then takes its place, so that a
/// reader never sees half of it.
///
/// # Errors
/// [`Error::Usage`] when npm is missing or `out` is something else than an emoji set;
/// [`Error::Io`] and [`Error::Format`] naming the file.
pub fn build(options: &Options) -> Result<Built> {
    if options.size == 0 || options.size > 4096 {
        return Err(Error::Usage(format!("--size {}: 1 to 4096 pixels", options.size)));
    }
    let folder = data_folder()?;
    let packages = Packages::install(&folder)?;
    let lists = Lists::read(&folder)?;
    let inputs = Inputs {
        format: FORMAT,
        size: options.size,
        seed: options.seed,
        packages: packages.versions.clone(),
        lists_sha256: hex(&lists_digest(&lists)),
    };
    let out = &options.out;
    if let Some(report) = already_built(out, &inputs) {
        return Ok(Built { folder: out.clone(), report, unchanged: true });
    }
    refuse_foreign(out)?;

    let emoji = words::read(&packages)?;
    let sets = read_sets(&packages, &emoji)?;
    let splits = splits::deal(&emoji, &sets, &lists)?;
    let parent = match out.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent).map_err(|e| Error::io(parent, e))?;
    let staging = tempfile::Builder::new()
        .prefix(".emoji-")
        .tempdir_in(parent)
        .map_err(|e| Error::io(parent, e))?;
    let fresh = staging.path().join("new");
    let captions = write::layout(&fresh, &splits, options.seed)?;
    write::pictures(&fresh, &splits, &sets, options.size)?;
    write::credits(&fresh, &sets, &packages)?;
    let report = Report::new(&emoji, &sets, &splits, &captions);
    let manifest = Manifest { inputs, report: report.clone() };
    write_atomically(&fresh.join(MANIFEST), &json(&manifest)?)?;

    if out.exists() {
        let old = staging.path().join("old");
        std::fs::rename(out, &old).map_err(|e| Error::io(out, e))?;
    }
    std::fs::rename(&fresh, out).map_err(|e| Error::io(out, e))?;
    Ok(Built { folder: out.clone(), report, unchanged: false })
}

/// Draws the lists anew; the committed ones are those of seed 0.
///
/// # Errors
/// As [`build`].
pub fn choose_lists(seed: u64) -> Result<Lists> {
    let packages = Packages::install(&data_folder()?)?;
    let emoji = words::read(&packages)?;
    Lists::choose(&emoji, &read_sets(&packages, &emoji)?, seed)
}

fn read_sets(packages: &Packages, emoji: &[Emoji]) -> Result<HashMap<Designer, IconSet>> {
    let names = Names::new(emoji);
    let designers = TRAINING_DESIGNERS.into_iter().chain([TEST_DESIGNER]);
    designers.map(|d| Ok((d, IconSet::read(packages, d, &names)?))).collect()
}

/// Whether all [`icons::COMPLETE_DESIGNERS`] drew an emoji.
fn drawn_by_all(emoji: &Emoji, sets: &HashMap<Designer, IconSet>) -> bool {
    icons::COMPLETE_DESIGNERS.iter().all(|designer| sets[designer].has(&emoji.code))
}

/// The report of the set in `out` when it was built from `inputs` and no file went missing.
fn already_built(out: &Path, inputs: &Inputs) -> Option<Report> {
    let manifest: Manifest = npm::read_json(&out.join(MANIFEST)).ok()?;
    let files: HashMap<String, String> = npm::read_json(&out.join(write::ID_MAPPING)).ok()?;
    let complete = write::all_files(&manifest.report, &files).all(|f| out.join(f).is_file());
    (manifest.inputs == *inputs && complete).then_some(manifest.report)
}

/// Only an emoji set, or an empty folder, may be replaced.
fn refuse_foreign(out: &Path) -> Result<()> {
    let foreign = match std::fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_some() && !is_emoji_set(out),
        Err(_) => out.exists(),
    };
    match foreign {
        true => Err(Error::Usage(format!(
            "{}: exists and is no emoji set; choose another --out or remove it",
            out.display()
        ))),
        false => Ok(()),
    }
}

/// Whether the manifest is an emoji set's, of this version or another. Bundles and galleries have a file of
/// the same name.
fn is_emoji_set(folder: &Path) -> bool {
    let manifest = npm::read_json::<serde_json::Value>(&folder.join(MANIFEST));
    manifest.is_ok_and(|value| value.get("packages").is_some() && value.get("report").is_some())
}

fn lists_digest(lists: &Lists) -> [u8; 32] {
    let lists = [&lists.test, &lists.new, &lists.validation].map(|list| list.join("\n"));
    Sha256::digest(lists.join("\n\n")).into()
}

/// A number that depends on the seed and the words alone, on every machine and in every version.
fn draw(seed: u64, words: &[&str]) -> u64 {
    let mut hash = Sha256::new_with_prefix(seed.to_le_bytes());
    for word in words {
        hash.update(word);
        hash.update([0]);
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
