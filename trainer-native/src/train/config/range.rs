//! Numbers that a run cannot do with.

use crate::{Error, Result};

/// Refuses what is not a finite number above 0.
pub(super) fn above(key: &str, value: f64) -> Result<()> {
    match value.is_finite() && value > 0.0 {
        true => Ok(()),
        false => Err(Error::Usage(format!("{key}: must be above 0"))),
    }
}

/// Refuses what is not a finite number from 0 on.
pub(super) fn not_below(key: &str, value: f64) -> Result<()> {
    match value.is_finite() && value >= 0.0 {
        true => Ok(()),
        false => Err(Error::Usage(format!("{key}: must not be below 0"))),
    }
}
