//! Pictures that are left out: counted, listed in a file, and too many of them an error.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use avse_core::input::shown;
use serde::{Deserialize, Serialize};

use super::{OnError, ReadPolicy};
use crate::terminal::note;
use crate::{Error, Result};

/// Something that is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The picture's id or name, or the file or folder below a source's.
    pub key: String,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&said(&self.key, &self.reason))
    }
}

/// What is left out of a set so far. Several threads may add to it.
#[derive(Debug)]
pub struct Skipped {
    policy: ReadPolicy,
    /// How many there are of what, say 1000 and `pictures`.
    total: (usize, &'static str),
    list: PathBuf,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    keys: HashSet<String>,
    problems: Vec<Problem>,
    /// The list's file, from the first problem on.
    file: Option<File>,
    /// How many of them do not count.
    allowed: usize,
    /// Whether the list could not be written.
    unlisted: bool,
}

/// Where what is left out of a file or folder is listed: beside it.
pub fn list_beside(out: &Path) -> PathBuf {
    // A folder may be named with a slash behind it.
    let name = out.file_name().map_or_else(|| "out".into(), |name| name.to_os_string());
    let mut list = name;
    list.push(".skipped.jsonl");
    out.with_file_name(list)
}

impl Skipped {
    /// Nothing of `total` things yet. The first one makes the file `list`, in the place of an older one.
    pub fn new(policy: &ReadPolicy, total: (usize, &'static str), list: PathBuf) -> Self {
        Self { policy: policy.clone(), total, list, found: Mutex::default() }
    }

    /// Nothing of `total` pictures, which is not allowed either.
    pub fn none(total: usize) -> Self {
        Self::new(&ReadPolicy::new(OnError::Stop), (total, "pictures"), PathBuf::new())
    }

    /// How pictures are read.
    pub fn policy(&self) -> &ReadPolicy {
        &self.policy
    }

    /// The same of a run that goes on: what the list says counts, where it is `still` so.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read.
    pub fn resumed(&self, still: impl Fn(&str) -> bool) -> Result<Self> {
        let bytes = match fs::read(&self.list) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => read.map_err(|e| Error::io(&self.list, e))?,
        };
        let text = String::from_utf8_lossy(&bytes);
        let skipped = Self::new(&self.policy, self.total, self.list.clone());
        let mut found = skipped.found();
        // Half a line may be the last one of a run that was killed.
        for problem in text.lines().filter_map(|line| serde_json::from_str::<Problem>(line).ok()) {
            if still(&problem.key) && found.keys.insert(problem.key.clone()) {
                skipped.write(&mut found, &problem);
                found.problems.push(problem);
            }
        }
        drop(found);
        Ok(skipped)
    }

    /// Leaves something out, once, however often it is said.
    ///
    /// # Errors
    /// [`Error::Usage`] when the run is to stop: at the first one, or because there are too many.
    pub fn add(&self, key: &str, reason: &str) -> Result<()> {
        let (total, things) = self.total;
        if self.policy.on_error == OnError::Stop {
            return Err(Error::Usage(format!(
                "{}. Mend or remove it, or leave out what cannot be read with --on-error skip",
                said(key, reason)
            )));
        }
        // Also of what was known: a run that goes on has the same limit.
        self.note(key, reason);
        let found = self.found();
        let count = found.problems.len() - found.allowed;
        let most = self.policy.max_errors.of(total);
        if count <= most {
            return Ok(());
        }
        let listed = if found.unlisted { String::new() } else { self.listed() };
        Err(Error::Usage(format!(
            "{count} of {total} {things} could not be read, more than the {most} that --max-errors {} \
             allows; the last is {}.{listed} Mend or remove them, or allow more, as a number or a share: \
             --max-errors 5%",
            self.policy.max_errors,
            said(key, reason)
        )))
    }

    /// The same of several things.
    ///
    /// # Errors
    /// As [`Skipped::add`].
    pub fn add_all(&self, problems: &[Problem]) -> Result<()> {
        problems.iter().try_for_each(|it| self.add(&it.key, &it.reason))
    }

    /// Leaves something out that does not count.
    pub fn list(&self, key: &str, reason: &str) {
        let is_new = self.note(key, reason);
        self.found().allowed += usize::from(is_new);
    }

    /// Whether it was not left out already.
    fn note(&self, key: &str, reason: &str) -> bool {
        let mut found = self.found();
        let is_new = found.keys.insert(key.to_owned());
        if is_new {
            let problem = Problem { key: key.to_owned(), reason: reason.to_owned() };
            self.write(&mut found, &problem);
            found.problems.push(problem);
        }
        is_new
    }

    fn listed(&self) -> String {
        format!(" All of them are listed in {}.", self.list.display())
    }

    /// Adds a line to the list. Where that fails, the work goes on: this is not what it is for.
    fn write(&self, found: &mut Found, problem: &Problem) {
        if found.unlisted {
            return;
        }
        let written = match found.file.as_mut() {
            Some(file) => append(file, problem),
            None => {
                File::create(&self.list).and_then(|file| append(found.file.insert(file), problem))
            }
        };
        if let Err(error) = written {
            found.unlisted = true;
            note!("warning: {}: {error}: what is left out is not listed", self.list.display());
        }
    }

    /// How many are left out.
    pub fn count(&self) -> usize {
        self.found().problems.len()
    }

    /// How many there are of all.
    pub fn total(&self) -> usize {
        self.total.0
    }

    /// What is left out so far, in the order in which it was found.
    pub fn problems(&self) -> Vec<Problem> {
        self.found().problems.clone()
    }

    /// The list, where there is one. That of an earlier run is removed when nothing is left out.
    pub fn finish(&self) -> Option<PathBuf> {
        let found = self.found();
        if found.problems.is_empty() {
            // Nothing is lost with it; of this run it would be wrong.
            let _ = fs::remove_file(&self.list);
            return None;
        }
        (!found.unlisted).then(|| self.list.clone())
    }

    /// How much is left out, and where it is listed, in words.
    pub fn summary(&self) -> Option<String> {
        let found = self.found();
        let ((total, things), count) = (self.total, found.problems.len());
        let place = if found.unlisted { String::new() } else { self.listed() };
        (count > 0).then(|| format!("{count} of {total} {things} could not be read.{place}"))
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        // What a thread that panicked has added is whole.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append(file: &mut File, problem: &Problem) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(problem)?;
    line.push(b'\n');
    file.write_all(&line)
}

/// A problem in words; names and reasons come from outside.
fn said(key: &str, reason: &str) -> String {
    format!("{}: {}", shown(key), shown(reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::MaxErrors;

    fn policy(on_error: OnError, max_errors: &str) -> ReadPolicy {
        ReadPolicy { max_errors: max_errors.parse().unwrap(), ..ReadPolicy::new(on_error) }
    }

    #[test]
    fn what_is_left_out_is_listed_until_it_is_too_much() {
        let folder = tempfile::tempdir().unwrap();
        let list = list_beside(&folder.path().join("rows.npy"));
        assert_eq!(list.file_name().unwrap(), "rows.npy.skipped.jsonl");
        fs::write(&list, "of an earlier run").unwrap();
        let two = policy(OnError::Skip, "2");
        let skipped = Skipped::new(&two, (10, "pictures"), list.clone());
        skipped.add("a", "a is broken").unwrap();
        skipped.add("a", "again").unwrap();
        skipped.add("b", "no picture").unwrap();
        let error = skipped.add("c", "cut short").unwrap_err().to_string();
        for part in
            ["3 of 10 pictures", "more than the 2", "c: cut short", "rows.npy.skipped", "5%"]
        {
            assert!(error.contains(part), "{part} is not in {error}");
        }
        let lines = fs::read_to_string(&list).unwrap();
        assert_eq!(lines.lines().count(), 3, "{lines}");
        // A run that goes on counts them, too, though the last line is half a line.
        fs::write(&list, &lines[..lines.len() - 5]).unwrap();
        let again = Skipped::new(&two, (10, "pictures"), list.clone()).resumed(|_| true).unwrap();
        again.add("b", "no picture").unwrap();
        assert_eq!(again.count(), 2);
        assert!(again.add("d", "no picture").is_err());
        assert_eq!(fs::read_to_string(&list).unwrap().lines().count(), 3);
        // Nor does half a letter at its end matter.
        let half = [lines.lines().next().unwrap().as_bytes(), b"\n{\"key\":\"caf\xc3"].concat();
        fs::write(&list, half).unwrap();
        assert_eq!(
            Skipped::new(&two, (10, "pictures"), list.clone()).resumed(|_| true).unwrap().count(),
            1
        );
        fs::write(&list, &lines[..lines.len() - 5]).unwrap();
        // What has been mended no longer counts.
        let mended =
            Skipped::new(&two, (10, "pictures"), list.clone()).resumed(|key| key == "b").unwrap();
        assert_eq!(mended.count(), 1);
        assert_eq!(fs::read_to_string(&list).unwrap().lines().count(), 1);
        // With nothing left out there is no list.
        assert_eq!(Skipped::new(&two, (10, "pictures"), list.clone()).finish(), None);
        assert!(!list.exists());
    }

    #[test]
    fn the_first_one_stops_where_it_should() {
        let skipped =
            Skipped::new(&policy(OnError::Stop, "100%"), (10, "pictures"), "nowhere/list".into());
        let error = skipped.add("a", "a.png: no picture").unwrap_err().to_string();
        assert!(
            error.starts_with("a: a.png: no picture") && error.contains("--on-error skip"),
            "{error}"
        );
        assert_eq!(skipped.count(), 0);
    }

    /// A list that cannot be written ends nothing.
    #[test]
    fn a_list_is_no_reason_to_stop() {
        let policy =
            ReadPolicy { max_errors: MaxErrors::Count(1), ..ReadPolicy::new(OnError::Skip) };
        let skipped = Skipped::new(&policy, (10, "pictures"), "no/such/folder".into());
        skipped.add("a", "no picture").unwrap();
        assert_eq!((skipped.count(), skipped.finish()), (1, None));
        let error = skipped.add("b", "no picture").unwrap_err().to_string();
        assert!(!error.contains("listed"), "{error}");
    }
}
