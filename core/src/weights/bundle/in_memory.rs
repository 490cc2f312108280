//! A bundle where there is no folder to read it from, as in a web page.

use std::path::Path;

use super::manifest::{CONFIG, MANIFEST, Manifest, TOKENIZER, WEIGHTS};
use crate::Result;
use crate::weights::file_entry::FileEntry;

/// The content of a bundle's four files, where there is no folder to read them from.
#[derive(Debug)]
pub struct BundleFiles {
    /// `manifest.json`
    pub manifest: Vec<u8>,
    /// `config.json`
    pub config: Vec<u8>,
    /// `model.safetensors`
    pub weights: Vec<u8>,
    /// `tokenizer.json`
    pub tokenizer: Vec<u8>,
}

/// A bundle's files that are what their manifest says: checked once, however they are used.
#[derive(Debug)]
pub struct VerifiedFiles {
    pub(crate) files: BundleFiles,
    pub(crate) manifest: Manifest,
}

impl BundleFiles {
    /// Checks the size and hash of each file.
    ///
    /// # Errors
    /// [`crate::Error::Format`] naming the file that is not what the manifest says, or the manifest.
    pub fn verify(self) -> Result<VerifiedFiles> {
        self.check(FileEntry::verify_bytes)
    }

    /// As [`BundleFiles::verify`], where the caller has compared the hashes with the manifest's: a
    /// browser hashes several times as fast as its WebAssembly. Only the sizes are checked.
    ///
    /// # Errors
    /// As there.
    pub fn hashed_by_caller(self) -> Result<VerifiedFiles> {
        self.check(|entry, path, content| entry.expect_length(path, content.len() as u64))
    }

    fn check(
        self,
        check: impl Fn(&FileEntry, &Path, &[u8]) -> Result<()>,
    ) -> Result<VerifiedFiles> {
        let manifest = Manifest::from_json(&self.manifest, Path::new(MANIFEST))?;
        let files =
            [(CONFIG, &self.config), (WEIGHTS, &self.weights), (TOKENIZER, &self.tokenizer)];
        for (name, content) in files {
            check(&manifest.files[name], Path::new(name), content)?;
        }
        Ok(VerifiedFiles { files: self, manifest })
    }
}
