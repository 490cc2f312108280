//! Progress bars on standard error; silent when it is not a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `total` things with speed and remaining time.
pub fn bar(total: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let template = "{prefix:>10} {wide_bar:.cyan/blue} {pos}/{len} {per_sec} ETA {eta} {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_string());
    bar
}
