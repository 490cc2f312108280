//! The one writer of terminal output.
//!
//! Standard output holds what was asked for: where it cannot be written, the command has failed, and says so. Standard
//! error holds remarks: hours of work do not end because nobody can read them.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use avse_core::input::shown_lines;

use crate::{Error, Result};

/// Writes a line to standard output: `say!("{count} pictures")?`.
macro_rules! say {
    ($($part:tt)*) => {
        $crate::terminal::line(format_args!($($part)*))
    };
}

/// Writes a remark, one line, to standard error.
macro_rules! note {
    ($($part:tt)*) => {
        $crate::terminal::remark(format_args!($($part)*))
    };
}

pub(crate) use {note, say};

/// Writes a line to standard output.
///
/// # Errors
/// As [`text`].
pub(crate) fn line(text_of_line: Arguments<'_>) -> Result<()> {
    text(&format!("{text_of_line}\n"))
}

/// Writes a text to standard output as it is, at once.
///
/// # Errors
/// [`Error::OutputClosed`] when whoever reads it has gone, as with `avse doctor | head -1`; [`Error::Io`] naming the
/// output when it cannot be written.
pub(crate) fn text(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    written(output.write_all(text.as_bytes()).and_then(|()| output.flush()))
}

/// What came of a write to standard output.
///
/// # Errors
/// As [`text`].
pub(crate) fn written(outcome: std::io::Result<()>) -> Result<()> {
    outcome.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Error::OutputClosed,
        _ => Error::io(output_name(), error),
    })
}

/// Writes a line to standard error, if that can be written. Characters that steer a terminal are spelt out: names are
/// from outside.
pub(crate) fn remark(text: Arguments<'_>) {
    // In one piece, so that the lines of several threads do not mix. There is nowhere left to say that it failed.
    let safe = format!("{}\n", shown_lines(&text.to_string()));
    let _ = std::io::stderr().lock().write_all(safe.as_bytes());
}

/// Standard output in words, with its file where the system tells it.
fn output_name() -> PathBuf {
    match std::fs::read_link("/proc/self/fd/1") {
        Ok(file) if file.is_absolute() => format!("standard output ({})", file.display()).into(),
        _ => "standard output".into(),
    }
}
