//! What the rows of a gallery are.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::bytes::Bytes;
use super::content_hash::ContentHash;
use super::manifest::ITEMS;
use crate::{Error, Result};

/// One item of a gallery: a line of `items.jsonl`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its name, unique within its source: a file's path below the source's folder with `/`
    /// between the parts, an id of a dataset, or what a list of items says.
    pub key: String,
    /// The entry of the manifest's `sources` that it is from.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub source: usize,
    /// The picture's file, relative to the source's folder or absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The caption, of a gallery of captions; of a picture, words for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// Length of the picture's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// When the file was last written: nanoseconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<i64>,
    /// Hash of what was encoded: the picture's file or the caption.
    pub sha256: ContentHash,
    /// Whatever else is known about it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

fn is_zero(value: &usize) -> bool {
    *value == 0
}

impl Item {
    /// The item as a line, with its newline.
    pub(super) fn line(&self) -> Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)
            .map_err(|e| Error::format(ITEMS, format!("item {:?}: {e}", self.key)))?;
        line.push(b'\n');
        Ok(line)
    }
}

/// The items of a gallery in the order of its rows. They stay in the file and are parsed
/// when asked for: 8 bytes of memory an item.
#[derive(Debug)]
pub struct Items {
    bytes: Bytes,
    path: PathBuf,
    /// Where each line ends, without its newline.
    ends: Vec<u64>,
}

impl Items {
    /// Finds the lines; `path` is only named.
    pub(super) fn new(bytes: Bytes, rows: usize, path: &Path) -> Result<Self> {
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let ends: Vec<u64> = ends.map(|(at, _)| at as u64).collect();
        let complete = ends.last().map_or(0, |end| *end as usize + 1) == bytes.len();
        if ends.len() != rows || !complete {
            let message = format!("{} lines, but the manifest says {rows}", ends.len());
            return Err(Error::format(path, message));
        }
        Ok(Self { bytes, path: path.to_path_buf(), ends })
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The item of a row. Panics when there is no such row, as a slice does.
    ///
    /// # Errors
    /// [`Error::Format`] naming the line that is no item.
    pub fn get(&self, row: usize) -> Result<Item> {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before] as usize + 1);
        serde_json::from_slice(&self.bytes[start..self.ends[row] as usize])
            .map_err(|e| Error::format(&self.path, format!("line {}: {e}", row + 1)))
    }

    /// All items in order.
    pub fn iter(&self) -> impl Iterator<Item = Result<Item>> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// The content of `items.jsonl`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}
