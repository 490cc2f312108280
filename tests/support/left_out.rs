//! What a test says when it leaves something out, for the integration tests of all crates.

use std::fs::OpenOptions;
use std::io::Write;

/// Says it past the test harness, which drops what a passing test prints, and adds it to the file that
/// `AVSE_LEFT_OUT` names: `cargo xtask test` repeats that at its end.
pub fn left_out(what: &str) {
    let line = format!("*** LEFT OUT: {what} ***\n");
    // A test does not fail for want of a terminal.
    let _ = std::io::stderr().write_all(format!("\n{line}").as_bytes());
    if let Some(path) = std::env::var_os("AVSE_LEFT_OUT") {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// The same of what every build server has: there, where `CI` is `true` or `1`, the test fails.
#[allow(dead_code)]
pub fn missing(what: &str) {
    let ci = std::env::var("CI").unwrap_or_default();
    assert!(!["true", "1"].contains(&ci.as_str()), "CI={ci}, and {what}");
    left_out(what);
}
