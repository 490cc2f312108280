//! How a file must look: its size and hash, as manifests list them.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// The size and hash of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 in lower-case hexadecimal digits.
    pub sha256: String,
}

impl FileEntry {
    /// Of a content in memory.
    pub fn of_bytes(content: &[u8]) -> Self {
        Self { bytes: content.len() as u64, sha256: hex(&Sha256::digest(content)) }
    }

    /// Of a file, read once in pieces.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file.
    pub fn of(path: &Path) -> Result<Self> {
        let io = |e| Error::io(path, e);
        let mut file = File::open(path).map_err(io)?;
        let mut hash = Hashing::new(std::io::sink());
        let mut buffer = vec![0; 1 << 20];
        loop {
            let count = file.read(&mut buffer).map_err(io)?;
            if count == 0 {
                return Ok(hash.finish().1);
            }
            hash.write_all(&buffer[..count]).map_err(io)?;
        }
    }

    /// Checks that the file at `path` is the listed one.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, [`Error::Format`] saying whether its length or
    /// its hash is another.
    pub fn verify(&self, path: &Path) -> Result<()> {
        // The length first: it costs nothing and finds every truncated download.
        let bytes = fs::metadata(path).map_err(|e| Error::io(path, e))?.len();
        self.expect_length(path, bytes)?;
        self.expect(path, &Self::of(path)?)
    }

    /// As [`FileEntry::verify`], of a content in memory; `path` is only named.
    pub(crate) fn verify_bytes(&self, path: &Path, content: &[u8]) -> Result<()> {
        self.expect_length(path, content.len() as u64)?;
        self.expect(path, &Self::of_bytes(content))
    }

    pub(crate) fn expect_length(&self, path: &Path, bytes: u64) -> Result<()> {
        if bytes != self.bytes {
            let message = format!("{bytes} bytes, but the manifest says {}", self.bytes);
            return Err(Error::format(path, message));
        }
        Ok(())
    }

    pub(crate) fn expect(&self, path: &Path, found: &Self) -> Result<()> {
        self.expect_length(path, found.bytes)?;
        if found != self {
            let message = format!("sha256 {}, but the manifest says {}", found.sha256, self.sha256);
            return Err(Error::format(path, message));
        }
        Ok(())
    }
}

/// Passes on what is written and measures it.
pub(crate) struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Hashing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    /// The inner writer and what went through.
    pub(crate) fn finish(self) -> (W, FileEntry) {
        (self.inner, FileEntry { bytes: self.bytes, sha256: hex(&self.hash.finalize()) })
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
