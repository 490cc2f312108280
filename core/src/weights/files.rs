//! Files that appear complete or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Result};

/// A path beside `path` that nobody else uses: hidden, with this process's
/// number and a counter in its name.
pub(super) fn temporary_sibling(path: &Path) -> Result<PathBuf> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let unique = COUNTER.fetch_add(1, Ordering::Relaxed);
    sibling(path, &format!("{}-{unique}.tmp", std::process::id()))
}

/// The hidden neighbour `.<name>.<suffix>` of `path`.
pub(super) fn sibling(path: &Path, suffix: &str) -> Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| {
        Error::io(path, std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a file name"))
    })?;
    Ok(path.with_file_name(format!(".{}.{suffix}", name.to_string_lossy())))
}

/// Writes `path` through `fill`: first into a temporary file in the same
/// folder, then, when everything is on disk, renamed. A crash or an error
/// leaves whatever stood at `path` untouched. What is no file, such as a pipe, is
/// written to as it is.
///
/// # Errors
/// [`Error::Io`] naming `path`.
pub(crate) fn write_atomically(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<()> {
    let named = path;
    let path = &target(path);
    if is_special(path) {
        let written = (|| {
            let mut writer = BufWriter::new(OpenOptions::new().write(true).open(path)?);
            fill(&mut writer)?;
            writer.flush()
        })();
        return written.map_err(|source| Error::io(named, source));
    }
    let temporary = temporary_sibling(path)?;
    let written = (|| {
        let file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        let mut writer = BufWriter::with_capacity(1 << 20, file);
        fill(&mut writer)?;
        writer.flush()?;
        writer.get_ref().sync_all()?;
        fs::rename(&temporary, path)
    })();
    written.map_err(|source| {
        let _ = fs::remove_file(&temporary);
        Error::io(named, source)
    })
}

/// Where the content of `path` is: at the end of links, so that a file is replaced and not the link to it.
pub fn target(path: &Path) -> PathBuf {
    match path.is_symlink() {
        true => fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()),
        false => path.to_path_buf(),
    }
}

/// Whether `path` is a device, a pipe or the like, such as `/dev/null`: that is written to. To put a file in its
/// place would take it away from all programs.
pub fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}
