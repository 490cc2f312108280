//! Names from outside as a terminal may be given them.

use std::borrow::Cow;
use std::path::Path;

/// `text` in one line. Characters that would steer a terminal, break the line or turn the direction of writing are
/// written as escapes, `\n` or `\u{1b}`.
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, steers)
}

/// The same of a message, which may have several lines.
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| letter != '\n' && steers(letter))
}

/// JSON with the same characters, which it lets through in its texts, as `\u009b`.
pub fn shown_json(json: &str) -> Cow<'_, str> {
    let steers = |letter: char| letter != '\n' && steers(letter);
    if !json.contains(steers) {
        return json.into();
    }
    let spelt = |letter: char| match steers(letter) {
        true => format!("\\u{:04x}", u32::from(letter)),
        false => letter.to_string(),
    };
    json.chars().map(spelt).collect()
}

/// The same of a path.
pub fn shown_path(path: &Path) -> String {
    shown(&path.to_string_lossy()).into_owned()
}

fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn escaped(text: &str, steers: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&steers) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if steers(letter) {
            safe.extend(letter.escape_default());
        } else {
            safe.push(letter);
        }
    }
    safe.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_spelt_out() {
        assert_eq!(shown("naïve 🦀 \\n"), "naïve 🦀 \\n");
        assert_eq!(shown("a\n\u{1b}[31m\u{9b}\u{202e}\r"), "a\\n\\u{1b}[31m\\u{9b}\\u{202e}\\r");
        assert_eq!(shown_lines("a\nb\u{7}"), "a\nb\\u{7}");
        assert_eq!(shown_json("[\n\"a\u{9b}\u{202e}\"]"), "[\n\"a\\u009b\\u202e\"]");
        assert_eq!(shown_path(Path::new("x\ty")), "x\\ty");
    }
}
