//! What becomes of pictures that cannot be read: the same rules, words and options for every command.

mod skipped;

use std::fmt;
use std::str::FromStr;

use avse_core::image::pixels::DecodeLimits;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub use skipped::{Problem, Skipped, list_beside};

/// What is done about a picture that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// Leave it out, count it and list it in a file.
    Skip,
    /// End the run.
    Stop,
}

/// How many pictures may be left out before the run ends after all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub enum MaxErrors {
    /// Percent of all.
    Share(f64),
    /// So many.
    Count(usize),
}

/// As a configuration file has it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a number, such as 20, or a share in quotes, such as \"1%\"")]
enum Written {
    Count(usize),
    Text(String),
}

/// How pictures are read.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadPolicy {
    /// What is done about one that cannot be read.
    pub on_error: OnError,
    /// How many may be left out.
    pub max_errors: MaxErrors,
    /// What a file may ask for before it counts as one that cannot be read.
    pub limits: DecodeLimits,
}

impl ReadPolicy {
    /// With the usual limits.
    pub fn new(on_error: OnError) -> Self {
        Self { on_error, max_errors: MaxErrors::default(), limits: DecodeLimits::default() }
    }
}

/// The limits of a decoder for pictures of at most so many pixels.
pub fn limits_of(max_pixels: u64) -> DecodeLimits {
    let usual = DecodeLimits::default();
    // Larger pictures need more memory in proportion; for smaller ones the usual bound stays.
    let times = max_pixels.div_ceil(usual.max_pixels.max(1)).max(1);
    DecodeLimits { max_pixels, max_bytes: usual.max_bytes.saturating_mul(times) }
}

impl Default for MaxErrors {
    fn default() -> Self {
        Self::Share(1.0)
    }
}

impl MaxErrors {
    /// The number that it allows of `total`. A share is rounded up: 1% of a handful is one.
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Share(percent) => (percent * total as f64 / 100.0).ceil() as usize,
            Self::Count(count) => count,
        }
    }
}

impl FromStr for MaxErrors {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is neither a number, such as 20, nor a share, such as 1%");
        let Some(percent) = text.trim().strip_suffix('%') else {
            return text.trim().parse().map(Self::Count).map_err(|_| bad());
        };
        let percent: f64 = percent.trim().parse().map_err(|_| bad())?;
        match (0.0..=100.0).contains(&percent) {
            true => Ok(Self::Share(percent)),
            false => Err(format!("{text:?} is no share: it must lie between 0% and 100%")),
        }
    }
}

impl fmt::Display for MaxErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(percent) => write!(f, "{percent}%"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

impl From<MaxErrors> for String {
    fn from(most: MaxErrors) -> Self {
        most.to_string()
    }
}

impl TryFrom<Written> for MaxErrors {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Count(count) => Ok(Self::Count(count)),
            Written::Text(text) => text.parse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_limits_are_those_of_the_usual_size() {
        let usual = DecodeLimits::default();
        assert_eq!(limits_of(usual.max_pixels), usual);
        assert_eq!(limits_of(5).max_bytes, usual.max_bytes);
        assert_eq!(limits_of(2 * usual.max_pixels).max_bytes, 2 * usual.max_bytes);
        assert_eq!(limits_of(u64::MAX).max_pixels, u64::MAX);
    }

    #[test]
    fn a_limit_is_a_number_or_a_share() {
        for (text, of_1000, of_8) in
            [("1%", 10, 1), ("0.05%", 1, 1), ("0%", 0, 0), ("100 %", 1000, 8), ("20", 20, 20)]
        {
            let most: MaxErrors = text.parse().unwrap();
            assert_eq!((most.of(1000), most.of(8)), (of_1000, of_8), "{text}");
            let again: MaxErrors = most.to_string().parse().unwrap();
            assert_eq!(again, most);
        }
        // 7% of 100 are 7, though 0.07 * 100 is more.
        let share = |text: &str| text.parse::<MaxErrors>().unwrap().of(100);
        assert_eq!(
            (1..=100).map(|p| share(&format!("{p}%"))).collect::<Vec<_>>(),
            (1..=100).collect::<Vec<_>>()
        );
        for text in ["", "%", "1.5", "-1", "101%", "-1%", "NaN%", "inf%", "many"] {
            let error = text.parse::<MaxErrors>().unwrap_err();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
