//! The folder of an export, replaced as a whole.

use std::path::{Path, PathBuf};

use avse_core::input::json;
use serde::Deserialize;
use tempfile::TempDir;

use super::manifest::{FORMAT, MANIFEST};
use crate::files::folder_of;
use crate::{Error, Result};

/// A new export that is written beside the place it will take.
pub(super) struct Staging {
    root: TempDir,
    out: PathBuf,
}

impl Staging {
    /// Begins an export that will stand at `out`.
    ///
    /// # Errors
    /// [`Error::Usage`] when something else than an export stands there; [`Error::Io`].
    pub(super) fn beside(out: &Path) -> Result<Self> {
        let name = out.file_name().ok_or_else(|| {
            Error::Usage(format!("--out {}: not the name of a folder", out.display()))
        })?;
        refuse_foreign(out)?;
        let parent = folder_of(out);
        std::fs::create_dir_all(parent).map_err(|e| Error::io(parent, e))?;
        let root = tempfile::Builder::new()
            .prefix(&format!(".{}-", name.to_string_lossy()))
            .tempdir_in(parent)
            .map_err(|e| Error::io(parent, e))?;
        let staging = Self { root, out: out.to_path_buf() };
        let folder = staging.folder();
        std::fs::create_dir(&folder).map_err(|e| Error::io(&folder, e))?;
        Ok(staging)
    }

    /// Where the new export is written. The temporary folder around it is its owner's alone;
    /// this one has the usual rights, which it takes along.
    pub(super) fn folder(&self) -> PathBuf {
        self.root.path().join("new")
    }

    /// Puts the new export in its place.
    ///
    /// # Errors
    /// [`Error::Io`]; what stood there stands there again then.
    pub(super) fn publish(self) -> Result<()> {
        let (out, io) = (&self.out, |e| Error::io(&self.out, e));
        let old = self.root.path().join("old");
        let replaced = out.exists();
        if replaced {
            std::fs::rename(out, &old).map_err(io)?;
        }
        if let Err(error) = std::fs::rename(self.folder(), out) {
            if replaced {
                let _ = std::fs::rename(&old, out);
            }
            return Err(io(error));
        }
        Ok(())
    }
}

/// Only an export, or an empty folder, may be replaced.
fn refuse_foreign(out: &Path) -> Result<()> {
    let free = match std::fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_none() || is_export(&out.join(MANIFEST)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(Error::io(out, error)),
    };
    match free {
        true => Ok(()),
        false => Err(Error::Usage(format!(
            "{}: exists and is no export, so it is not replaced; choose another --out",
            out.display()
        ))),
    }
}

fn is_export(manifest: &Path) -> bool {
    #[derive(Deserialize)]
    struct Head {
        format: String,
    }
    let head = std::fs::read(manifest).ok();
    let head = head.and_then(|json| json::from_slice::<Head>(&json).ok());
    head.is_some_and(|head| head.format == FORMAT)
}

/// Every file below a folder with its length, by its path there.
pub(super) fn files(folder: &Path) -> Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let failed = |e: walkdir::Error| Error::io(folder, e.into());
        let entry = entry.map_err(failed)?;
        if entry.file_type().is_file() {
            let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            let length = entry.metadata().map_err(failed)?.len();
            files.push((path.to_string_lossy().replace('\\', "/"), length));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_export_is_replaced() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("deep/site");
        let export = |content: &str| {
            let staging = Staging::beside(&out)?;
            std::fs::write(staging.folder().join(MANIFEST), content).unwrap();
            staging.publish()
        };
        export("{\"format\": \"avse-web\", \"a\": 1}").unwrap();
        export("{\"format\": \"avse-web\"}").unwrap();
        assert_eq!(files(&out).unwrap(), [(MANIFEST.to_string(), 22)]);
        // Another thing of that name is none.
        std::fs::write(out.join(MANIFEST), "{\"format\": \"thesis\"}").unwrap();
        let message = export("").unwrap_err().to_string();
        assert!(message.contains("site") && message.contains("no export"), "{message}");
        assert_eq!(std::fs::read_dir(parent.path().join("deep")).unwrap().count(), 1);
        assert!(Staging::beside(Path::new("..")).is_err());
    }
}
