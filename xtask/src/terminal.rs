//! The one writer of terminal output. Where it cannot be written, the chore ends: quietly when whoever reads it has
//! gone, as with `cargo xtask help | head -1`.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// Writes a line to standard output.
macro_rules! say {
    ($($part:tt)*) => {
        $crate::terminal::text(&format!("{}\n", format_args!($($part)*)))
    };
}

/// Writes a remark, one line, to standard error.
macro_rules! note {
    ($($part:tt)*) => {
        $crate::terminal::remark(format_args!($($part)*))
    };
}

pub(crate) use {note, say};

/// Writes a text to standard output as it is.
pub fn text(text: &str) {
    let mut output = std::io::stdout().lock();
    let Err(error) = output.write_all(text.as_bytes()).and_then(|()| output.flush()) else {
        return;
    };
    if error.kind() == ErrorKind::BrokenPipe {
        std::process::exit(141);
    }
    remark(format_args!("standard output: {error}"));
    std::process::exit(1);
}

/// Writes a line to standard error, if that can be written.
pub fn remark(text: Arguments<'_>) {
    let _ = std::io::stderr().lock().write_all(format!("{text}\n").as_bytes());
}
