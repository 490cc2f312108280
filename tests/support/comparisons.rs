//! Numbers against expected ones, for the test suites that run on several devices: each comparison is reported,
//! and what was too far off is asserted when all are made.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::Write;

/// The comparisons of one test on one device.
pub struct Comparisons {
    test: String,
    device: String,
    failures: RefCell<Vec<String>>,
}

impl Comparisons {
    /// None yet.
    pub fn new(test: &str, device: &str) -> Self {
        let (test, device) = (test.to_string(), device.to_string());
        Self { test, device, failures: RefCell::default() }
    }

    /// Compares one error with what is allowed, and adds a line of JSON to the file that
    /// `AVSE_PARITY_REPORT` names.
    pub fn add(&self, tensor: &str, error: f64, tolerance: f64) {
        // NaN is not within any tolerance.
        let ok = error <= tolerance;
        if let Some(path) = std::env::var_os("AVSE_PARITY_REPORT") {
            let line = serde_json::json!({
                "test": self.test, "device": self.device, "tensor": tensor,
                "error": error, "tolerance": tolerance, "ok": ok,
            });
            let file = OpenOptions::new().append(true).create(true).open(&path);
            file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        if !ok {
            self.fail(format!("{tensor}: {error:.2e}, allowed {tolerance:.0e}"));
        }
    }

    /// A failure that is no number.
    pub fn fail(&self, what: String) {
        self.failures.borrow_mut().push(format!("{} on {}: {what}", self.test, self.device));
    }

    /// Takes what was too far off.
    pub fn failures(&self) -> Vec<String> {
        self.failures.take()
    }
}

/// Fails with all that was too far off.
#[track_caller]
pub fn assert_none(failures: Vec<String>) {
    assert!(failures.is_empty(), "{} too far off:\n{}", failures.len(), failures.join("\n"));
}

/// `|actual - expected| / |expected|` in the L2 norm; `|actual|` where all that is expected is zero.
pub fn relative_l2(actual: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(actual.len(), expected.len());
    let pairs = actual.iter().zip(expected).map(|(a, e)| (f64::from(*a), f64::from(*e)));
    let (off, size) = pairs.fold((0.0, 0.0), |(off, size): (f64, f64), (actual, expected)| {
        (off + (actual - expected).powi(2), size + expected.powi(2))
    });
    off.sqrt() / if size > 0.0 { size.sqrt() } else { 1.0 }
}

/// The largest `|actual - expected|`; infinite where a number on either side is not finite.
pub fn largest(actual: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(actual.len(), expected.len());
    let pairs = actual.iter().zip(expected);
    pairs
        .map(|(a, e)| f64::from(*a - *e).abs())
        .map(|off| if off.is_finite() { off } else { f64::INFINITY })
        .fold(0.0, f64::max)
}
