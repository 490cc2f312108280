//! The one error type of this crate.

use std::path::{Path, PathBuf};

use crate::input::shown_path;

/// What can go wrong in `avse-core`.
///
/// Every variant names the file, line, key or tensor it is about, so that its
/// `Display` text can be shown to a user as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}: {source}", shown_path(path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file was read, but its content is not what it should be.
    #[error("{}: {message}", shown_path(path))]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line or key.
        message: String,
    },
    /// A configuration value is missing or impossible.
    #[error("configuration key `{key}`: {message}")]
    Config {
        /// The key, with dots between levels.
        key: String,
        /// What is wrong with it.
        message: String,
    },
    /// Weights cannot go into the model: tensors missing, left over, misshapen or not finite.
    #[error("weights cannot be used: {0}")]
    Weights(String),
    /// An image could not be decoded, or is too large to be.
    #[error("image: {0}")]
    Image(String),
    /// A caption or vocabulary cannot be used.
    #[error("text: {0}")]
    Text(String),
    /// Arguments whose shapes do not fit each other.
    #[error("shape: {0}")]
    Shape(String),
    /// A GPU is missing, is gone, or refused work.
    #[error("GPU: {failure}: {message}")]
    Gpu {
        /// What to do about it.
        failure: GpuFailure,
        /// What the driver or browser said.
        message: String,
    },
}

/// Kinds of [`Error::Gpu`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GpuFailure {
    /// No adapter fits the request: use the CPU.
    #[error("none to use")]
    NoAdapter,
    /// The device is gone, with all galleries on it: make a new engine.
    #[error("device lost")]
    Lost,
    /// The memory of the device does not suffice: free galleries, or store fewer bits.
    #[error("out of memory")]
    OutOfMemory,
    /// The device refused the work; it stays usable.
    #[error("refused")]
    Refused,
}

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::Io`] about `path`.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_path_buf(), source }
    }

    /// An [`Error::Format`] about `path`.
    pub fn format(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::Format { path: path.as_ref().to_path_buf(), message: message.into() }
    }

    /// An [`Error::Config`] about `key`.
    pub fn config(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Config { key: key.into(), message: message.into() }
    }

    /// An [`Error::Gpu`].
    pub fn gpu(failure: GpuFailure, message: impl Into<String>) -> Self {
        Self::Gpu { failure, message: message.into() }
    }
}
