//! All pictures below a folder.

use std::collections::BTreeMap;
use std::path::Path;

use avse_core::image::formats::PictureFormat;
use serde_json::Map;
use walkdir::{DirEntry, WalkDir};

use super::listing::{Content, Entry, Listing, Problem, UnreadFormat, slashes};
use crate::{Error, Result};

/// Every picture below `root` by its ending, links followed, sorted by key. Hidden files and
/// folders are passed over: they hold thumbnails and what other systems leave. Pictures of formats that this build does
/// not read are counted.
pub(super) fn list(root: &Path) -> Result<Listing> {
    // A folder that is not there must not look like one whose pictures were all deleted.
    std::fs::read_dir(root).map_err(|e| Error::io(root, e))?;
    let (mut listing, mut unread) = (Listing::default(), BTreeMap::new());
    let walk = WalkDir::new(root).follow_links(true).into_iter();
    for found in walk.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry)) {
        let problem = match found {
            Ok(entry) if !entry.file_type().is_file() => continue,
            Ok(entry) => match PictureFormat::from_path(entry.path()) {
                None => continue,
                Some(format) if !format.is_read() => {
                    *unread.entry(format).or_default() += 1;
                    continue;
                }
                Some(_) => match key(root, entry.path()) {
                    Some(key) => {
                        let content = Content::Picture { path: None, caption: None };
                        listing.entries.push(Entry { key, content, metadata: Map::new() });
                        continue;
                    }
                    None => problem(root, entry.path(), "its name is not UTF-8"),
                },
            },
            Err(error) => {
                let reason = error.io_error().map_or_else(|| error.to_string(), |e| e.to_string());
                problem(root, error.path().unwrap_or(root), &reason)
            }
        };
        listing.problems.push(problem);
    }
    let skipped = |(format, files)| UnreadFormat::new(format, files);
    listing.unread_formats = unread.into_iter().map(skipped).collect();
    listing.entries.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(listing)
}

fn problem(root: &Path, path: &Path, reason: &str) -> Problem {
    let key = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
    Problem { key, reason: reason.to_string() }
}

fn key(root: &Path, path: &Path) -> Option<String> {
    slashes(path.strip_prefix(root).ok()?)
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with('.')
}
