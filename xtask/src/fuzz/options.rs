//! What to run, and how long.

/// Options of `cargo xtask fuzz`.
pub struct Options {
    /// The targets; empty for all.
    pub targets: Vec<String>,
    /// How often each is executed.
    pub runs: u64,
    /// The most seconds of each.
    pub seconds: u64,
}

impl Options {
    /// Of the command line; `None` when it cannot be understood.
    pub fn read(words: &[String]) -> Option<Self> {
        let mut options = Self { targets: Vec::new(), runs: 10_000_000, seconds: 3600 };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--runs" => options.runs = words.next()?.parse().ok()?,
                "--seconds" => options.seconds = words.next()?.parse().ok()?,
                option if option.starts_with('-') => return None,
                name => options.targets.push(name.to_owned()),
            }
        }
        Some(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_or_refused() {
        let read = |words: &[&str]| {
            Options::read(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let options = read(&["shard", "--runs", "5"]).unwrap();
        assert_eq!(
            (options.targets, options.runs, options.seconds),
            (vec!["shard".to_owned()], 5, 3600)
        );
        assert!(read(&["--runs"]).is_none() && read(&["--fast"]).is_none());
    }
}
