//! Writing the set: the official layout, the pictures, the credits.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use serde::Serialize;

use super::captions::{self, Captions, KINDS, Kind, TRAINING_KINDS};
use super::icons::{Credit, Designer, IconSet};
use super::npm::Packages;
use super::report::Report;
use super::splits::{Drawing, SplitDrawings};
use crate::files::{json, write_atomically};
use crate::{Error, Result};

pub(super) const ID_MAPPING: &str = "id_mapping.json";
/// Who drew what, for machines and for people.
pub(super) const CREDIT_FILES: [&str; 2] = ["credits.json", "CREDITS.md"];
const IMAGES: &str = "images";

/// Writes ids, captions, kinds and the id mapping; returns the captions of every split.
pub(super) fn layout(folder: &Path, splits: &[SplitDrawings], seed: u64) -> Result<Vec<Captions>> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let mut mapping = BTreeMap::new();
    let mut all = Vec::new();
    for split in splits {
        let (kinds, captions): (&[Kind], Captions) = if split.name == "train" {
            let captions = |d: &Drawing| captions::for_training(d, seed);
            (&TRAINING_KINDS, split.drawings.iter().flat_map(captions).collect())
        } else {
            let emoji: Vec<_> = split.drawings.iter().map(|d| d.emoji).collect();
            (&KINDS, captions::for_evaluation(&emoji)?.into_iter().flatten().collect())
        };
        let (mut ids, mut labels) = (String::new(), String::new());
        for drawing in &split.drawings {
            let id = mapping.len();
            mapping.insert(id, file_name(drawing));
            for kind in kinds {
                ids.push_str(&format!("{id}\n"));
                labels.push_str(&format!("{}\n", kind.label()));
            }
        }
        let text = captions.iter().map(|caption| format!("{caption}\n")).collect::<String>();
        let [ids_file, caps_file, kinds_file] = split_files(split.name);
        write_atomically(&folder.join(ids_file), ids.as_bytes())?;
        write_atomically(&folder.join(caps_file), text.as_bytes())?;
        write_atomically(&folder.join(kinds_file), labels.as_bytes())?;
        all.push(captions);
    }
    write_atomically(&folder.join(ID_MAPPING), &json(&mapping)?)?;
    Ok(all)
}

fn split_files(split: &str) -> [String; 3] {
    ["ids", "caps", "kinds"].map(|what| format!("{split}_{what}.txt"))
}

fn file_name(drawing: &Drawing) -> String {
    let Drawing { emoji, designer, at } = drawing;
    match at {
        0 => format!("{designer}/{}.png", emoji.code),
        _ => format!("{designer}/{}_{}.png", emoji.code, at + 1),
    }
}

/// Every file of a set, relative to its folder.
pub(super) fn all_files<'a>(
    report: &'a Report,
    mapping: &'a HashMap<String, String>,
) -> impl Iterator<Item = PathBuf> + 'a {
    let texts = report.splits.iter().flat_map(|split| split_files(&split.name));
    let pictures = mapping.values().map(|file| Path::new(IMAGES).join(file));
    texts.chain(CREDIT_FILES.map(String::from)).map(PathBuf::from).chain(pictures)
}

/// Renders the pictures of all splits, in parallel and with a progress bar.
pub(super) fn pictures(
    folder: &Path,
    splits: &[SplitDrawings],
    sets: &HashMap<Designer, IconSet>,
    size: u32,
) -> Result<()> {
    let images = folder.join(IMAGES);
    for designer in sets.keys() {
        let folder = images.join(designer);
        std::fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, e))?;
    }
    let drawings: Vec<&Drawing> = splits.iter().flat_map(|split| &split.drawings).collect();
    let style = ProgressStyle::with_template("rendering {bar:40} {pos}/{len} {per_sec} ETA {eta}");
    let bar = ProgressBar::new(drawings.len() as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    let outcome = drawings.par_iter().try_for_each(|drawing| {
        let file = images.join(file_name(drawing));
        let picture = sets[drawing.designer].render(&drawing.emoji.code, drawing.at, size)?;
        let png = picture.encode_png().map_err(|e| Error::format(&file, e.to_string()))?;
        bar.inc(1);
        // The whole folder is moved into place at the end; single files need no care.
        std::fs::write(&file, png).map_err(|e| Error::io(&file, e))
    });
    bar.finish_and_clear();
    outcome
}

#[derive(Serialize)]
struct Source<'a> {
    package: String,
    version: Option<&'a String>,
    #[serde(flatten)]
    credit: &'a Credit,
}

/// Writes who drew the pictures and under which licences, for machines and for people.
pub(super) fn credits(
    folder: &Path,
    sets: &HashMap<Designer, IconSet>,
    packages: &Packages,
) -> Result<()> {
    let sources: BTreeMap<Designer, Source> = sets
        .iter()
        .map(|(designer, set)| {
            let package = format!("@iconify-json/{designer}");
            let version = packages.versions.get(&package);
            (*designer, Source { package, version, credit: &set.credit })
        })
        .collect();
    let mut page = String::from(
        "# Credits of the pictures\n\nEvery picture was rendered from the named package's drawing \
         to a PNG, unchanged otherwise.\n\n| folder | set | author | licence | package |\n|---|---|---|---|---|\n",
    );
    for (designer, source) in &sources {
        let Credit { name, author, license } = source.credit;
        let version = source.version.map_or("", String::as_str);
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| images/{designer} | {name} | [{}]({}) | [{}]({}) | {} {version} |",
            author.name, author.url, license.title, license.url, source.package
        );
    }
    page.push_str(
        "\nThe captions are made of words from emojibase-data, emojilib and unicode-emoji-json, all MIT.\n",
    );
    let [machines, people] = CREDIT_FILES;
    write_atomically(&folder.join(machines), &json(&sources)?)?;
    write_atomically(&folder.join(people), page.as_bytes())
}
