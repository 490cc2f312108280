//! One target's run.

use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use super::Options;

/// The largest input in bytes.
const LONGEST: u32 = 1 << 16;
/// What an input may take at most: seconds, megabytes at once, megabytes in one piece.
const LIMITS: [&str; 3] = ["-timeout=20", "-rss_limit_mb=4096", "-malloc_limit_mb=256"];

/// What a run without a finding came to.
pub struct Session {
    /// How often the target was executed.
    pub executions: u64,
    /// For how long.
    pub seconds: u64,
    /// Branches that were reached.
    pub coverage: u64,
    /// Inputs that reach something of their own.
    pub inputs: u64,
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { executions, seconds, coverage, inputs } = self;
        write!(
            f,
            "{executions} executions in {seconds} s, {coverage} branches reached by {inputs} inputs"
        )
    }
}

/// Runs the target's program. What it says goes to a file beside its inputs; a finding's input is kept there, too.
pub fn run(program: &Path, corpus: &Path, options: &Options) -> Result<Session, String> {
    let said = corpus.with_extension("log");
    let findings = format!("{}-", corpus.with_extension("finding").display());
    let log = fs::create_dir_all(corpus).and_then(|()| File::create(&said));
    let log = log.map_err(|e| format!("{}: {e}", said.display()))?;
    let status = Command::new(program)
        .arg(corpus)
        .args([format!("-runs={}", options.runs), format!("-max_total_time={}", options.seconds)])
        .args([format!("-max_len={LONGEST}"), format!("-artifact_prefix={findings}")])
        .args(LIMITS)
        .stdout(Stdio::null())
        .stderr(log)
        .status()
        .map_err(|e| format!("{}: {e}", program.display()))?;
    let text = fs::read(&said).map_err(|e| format!("{}: {e}", said.display()))?;
    let text = String::from_utf8_lossy(&text);
    if !status.success() {
        return Err(format!(
            "broke ({status}): see {}, the input is in {findings}*",
            said.display()
        ));
    }
    parse(&text).ok_or_else(|| format!("{}: says nothing of a run", said.display()))
}

/// Reads `#4096 DONE cov: 120 ft: 300 corp: 25/3Kb …` and `Done 4096 runs in 2 second(s)`.
fn parse(text: &str) -> Option<Session> {
    let last = text.lines().rev().find(|line| line.contains("cov: "))?;
    let after = |key: &str| {
        let rest = last.split_once(key)?.1.trim_start();
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    let done = text.lines().rev().find_map(|line| line.strip_prefix("Done "))?;
    let mut numbers = done.split(' ').filter_map(|word| word.parse().ok());
    let (executions, seconds) = (numbers.next()?, numbers.next()?);
    Some(Session { executions, seconds, coverage: after("cov:")?, inputs: after("corp:")? })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_end_of_a_run_is_understood() {
        let text = "#2\tINITED cov: 90 ft: 91 corp: 1/1b\n#500\tDONE   cov: 120 ft: 300 corp: 25/3Kb lim: 8 exec/s: 0 rss: 40Mb\nDone 500 runs in 2 second(s)\n";
        let session = super::parse(text).unwrap();
        assert_eq!(
            (session.executions, session.seconds, session.coverage, session.inputs),
            (500, 2, 120, 25)
        );
        assert!(super::parse("ERROR: libFuzzer").is_none());
    }
}
