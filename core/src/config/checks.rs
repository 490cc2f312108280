//! Checks that several parts share; each error names the key.

use crate::{Error, Result};

pub(super) fn positive(key: &str, value: usize) -> Result<()> {
    if value == 0 { Err(Error::config(key, "must be at least 1")) } else { Ok(()) }
}

pub(super) fn divides(key: &str, divisor: usize, of: &str, value: usize) -> Result<()> {
    if divisor == 0 || value == 0 || !value.is_multiple_of(divisor) {
        return Err(Error::config(key, format!("{divisor} does not divide {of} = {value}")));
    }
    Ok(())
}

pub(super) fn probability(key: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        Ok(())
    } else {
        Err(Error::config(key, format!("{value} is not in [0, 1)")))
    }
}

pub(super) fn dropouts(part: &str, hidden: f64, attention: f64) -> Result<()> {
    probability(&format!("{part}.hidden_dropout_prob"), hidden)?;
    probability(&format!("{part}.attention_probs_dropout_prob"), attention)
}
