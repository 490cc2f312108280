//! Files of pictures, also those in tar files, which are named as if the tar file were a folder:
//! `shards/000.tar/cat.jpg`.

use std::io::{Error, Result};
use std::path::Path;
use std::time::SystemTime;

use avse_core::image::pixels::{DecodeLimits, RgbImage};

use super::tar_members::TarMembers;

/// What tells whether a picture has changed, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureStat {
    /// Length in bytes.
    pub bytes: u64,
    /// When it, or its tar file, was last changed.
    pub modified: Option<SystemTime>,
}

/// The tar file that a path leads into, and the member's name there.
fn in_tar(path: &Path) -> Option<(&Path, String)> {
    let outer = path.ancestors().skip(1).find(|outer| {
        outer.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tar"))
            && outer.is_file()
    })?;
    let parts: Option<Vec<&str>> =
        path.strip_prefix(outer).ok()?.iter().map(|part| part.to_str()).collect();
    Some((outer, parts?.join("/")))
}

/// The bytes of a picture's file.
///
/// # Errors
/// When it is not there or cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    match in_tar(path) {
        Some((tar, member)) => {
            let members = TarMembers::of(tar)?;
            members.read(members.find(&member)?)
        }
        None => std::fs::read(path),
    }
}

/// Length and age of a picture's file.
///
/// # Errors
/// When it is not there or no file.
pub fn stat(path: &Path) -> Result<PictureStat> {
    if let Some((tar, member)) = in_tar(path) {
        let members = TarMembers::of(tar)?;
        let (_, bytes) = members.find(&member)?.place()?;
        return Ok(PictureStat { bytes, modified: members.modified });
    }
    let found = std::fs::metadata(path)?;
    match found.is_file() {
        true => Ok(PictureStat { bytes: found.len(), modified: found.modified().ok() }),
        false => Err(Error::other("not a file")),
    }
}

/// The pixels of a picture's file.
///
/// # Errors
/// [`crate::Error::Io`] or [`crate::Error::Format`] naming the file.
pub fn decode(path: &Path, limits: &DecodeLimits) -> crate::Result<RgbImage> {
    let bytes = read(path).map_err(|e| crate::Error::io(path, e))?;
    RgbImage::decode(&bytes, limits).map_err(|e| crate::Error::format(path, e.to_string()))
}
