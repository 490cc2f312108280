//! A run's figures as TensorBoard event files: `tensorboard --logdir runs` shows them beside others'.
//!
//! An event file is a row of TFRecords (`framing`), each a protobuf message (`message`). There is no crate for
//! it that is kept up, and only five fields are needed, so both are written here.

mod framing;
mod message;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use self::message::Event;
use crate::{Error, Result};

/// How the files of a folder begin; TensorBoard looks for it.
const PREFIX: &str = "events.out.tfevents.";

/// One event file, written as the run goes on.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: File,
}

impl EventWriter {
    /// Starts an event file in a folder that is made when it is not there. Older files stay: `from` is the
    /// number of steps that are done already, and TensorBoard forgets what they say of later ones.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file.
    pub fn create(folder: &Path, from: usize) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        // Files are read in the order of their names, which begin with seconds: a run that goes on in the second in
        // which it was stopped must come second, too.
        let seconds = (now() as u64).max(newest(folder)?.map_or(0, |newest| newest + 1));
        let path = folder.join(format!("{PREFIX}{seconds:010}.{}.{}", host(), std::process::id()));
        let file = OpenOptions::new().create_new(true).append(true).open(&path);
        let mut writer = Self { file: file.map_err(|e| Error::io(&path, e))?, path };
        writer.write(&Event::version(now()))?;
        writer.write(&Event::start(now(), from as i64 + 1))?;
        Ok(writer)
    }

    /// Adds figures by name, as they are after `step` steps of the run. What is not finite is left out.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file.
    pub fn scalars(&mut self, step: usize, values: &[(&str, f64)]) -> Result<()> {
        let finite: Vec<_> =
            values.iter().copied().filter(|(_, value)| value.is_finite()).collect();
        self.write(&Event::scalars(now(), step as i64, &finite))
    }

    /// Each record is one write: a reader, or a run that is killed, never meets a mixture of two.
    fn write(&mut self, event: &Event) -> Result<()> {
        let record = framing::record(event.bytes());
        self.file.write_all(&record).map_err(|e| Error::io(&self.path, e))
    }
}

/// The seconds in the name of a folder's newest event file.
fn newest(folder: &Path) -> Result<Option<u64>> {
    let entries = fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    let seconds = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        name.strip_prefix(PREFIX)?.split('.').next()?.parse().ok()
    });
    Ok(seconds.max())
}

/// The machine's name, which TensorBoard shows nowhere but other tools expect in the file's name.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain: String =
        name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    if plain.is_empty() { "localhost".into() } else { plain }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

#[cfg(test)]
mod tests;
