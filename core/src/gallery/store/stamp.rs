//! Notes of which large files were hashed, so that they need not be for every search.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::weights::FileEntry;
use crate::weights::files::write_atomically;

const FILE: &str = ".verified.json";
/// Smaller files are hashed each time: it takes less than a tenth of a second.
#[cfg(not(test))]
const LARGE: u64 = 64 << 20;
#[cfg(test)]
const LARGE: u64 = 64;
/// A file may change again within one tick of its clock, so one that was written just
/// before it was hashed is hashed again.
const SETTLED: Duration = Duration::from_secs(2);

/// The notes of a folder.
#[derive(Default)]
pub(super) struct Stamps {
    by_name: BTreeMap<String, Stamp>,
    changed: bool,
}

#[derive(Serialize, Deserialize, PartialEq)]
struct Stamp {
    #[serde(flatten)]
    entry: FileEntry,
    /// When the file had been written when it was hashed.
    modified: SystemTime,
}

impl Stamps {
    /// Notes that cannot be read are none.
    pub(super) fn read(folder: &Path) -> Self {
        let json = fs::read(folder.join(FILE)).unwrap_or_default();
        Self { by_name: serde_json::from_slice(&json).unwrap_or_default(), changed: false }
    }

    /// Whether the file was found to be the listed one and has not been written since.
    pub(super) fn has(&self, name: &str, found: &Metadata, listed: &FileEntry) -> bool {
        let Ok(modified) = found.modified() else { return false };
        listed.bytes >= LARGE
            && found.len() == listed.bytes
            && self.by_name.get(name) == Some(&Stamp { entry: listed.clone(), modified })
    }

    /// Notes that a file was hashed; `found` is from before.
    pub(super) fn note(&mut self, name: &str, found: &Metadata, listed: &FileEntry) {
        let Ok(modified) = found.modified() else { return };
        let settled = modified.elapsed().is_ok_and(|age| age > SETTLED);
        if listed.bytes >= LARGE && settled {
            self.by_name.insert(name.to_string(), Stamp { entry: listed.clone(), modified });
            self.changed = true;
        }
    }

    /// Drops the note of a file.
    pub(super) fn forget(&mut self, name: &str) {
        self.changed |= self.by_name.remove(name).is_some();
    }

    /// Keeps the notes, if the folder can be written to.
    pub(super) fn write(&self, folder: &Path) {
        if self.changed
            && let Ok(json) = serde_json::to_vec_pretty(&self.by_name)
        {
            let _ = write_atomically(&folder.join(FILE), |file| file.write_all(&json));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn only_a_large_settled_untouched_file_is_trusted() {
        let root = tempfile::TempDir::new().unwrap();
        let file = File::create(root.path().join("large")).unwrap();
        file.set_len(LARGE).unwrap();
        let listed = FileEntry { bytes: LARGE, sha256: "00".into() };
        let trusted = |listed: &FileEntry| {
            Stamps::read(root.path()).has("large", &file.metadata().unwrap(), listed)
        };
        let note = |listed: &FileEntry| {
            let mut stamps = Stamps::read(root.path());
            stamps.note("large", &file.metadata().unwrap(), listed);
            stamps.write(root.path());
        };
        let written = |ago: u64| {
            file.set_modified(SystemTime::now() - Duration::from_secs(ago)).unwrap();
        };
        note(&listed);
        assert!(!trusted(&listed), "it was written a moment ago");
        written(60);
        note(&listed);
        assert!(trusted(&listed));
        assert!(!trusted(&FileEntry { sha256: "01".into(), ..listed.clone() }));
        written(30);
        assert!(!trusted(&listed), "it was written since");
        note(&listed);
        assert!(trusted(&listed));
        let mut stamps = Stamps::read(root.path());
        stamps.forget("large");
        stamps.write(root.path());
        assert!(!trusted(&listed), "its note was dropped");
        note(&listed);
        file.set_len(LARGE + 1).unwrap();
        written(30);
        assert!(!trusted(&listed));
        let small = FileEntry { bytes: LARGE - 1, ..listed };
        file.set_len(LARGE - 1).unwrap();
        written(60);
        note(&small);
        assert!(!trusted(&small));
    }
}
