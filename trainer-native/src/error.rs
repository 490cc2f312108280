//! The one error type of this crate.

use std::path::{Path, PathBuf};

use avse_core::input::shown_path;

/// What can go wrong in `trainer-native`.
///
/// Every variant names the file, line, key or option it is about, so that its
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
    /// Nobody reads standard output any more.
    #[error("standard output: nobody reads it any more")]
    OutputClosed,
    /// The model library refused.
    #[error(transparent)]
    Core(#[from] avse_core::Error),
    /// Numbers of the network have overflowed; what was being done.
    #[error(
        "{0}. The weights have grown without bounds; a lower --learning_rate or --grad_clip helps"
    )]
    Exploded(String),
    /// Another of the replicas that train together has failed, which is the error to look at.
    #[error("{0}")]
    ReplicaGone(String),
    /// A device could not do its work.
    #[error("the device failed: {0}")]
    Device(String),
    /// An option or its combination makes no sense, or something it needs is missing.
    #[error("{0}")]
    Usage(String),
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
}
