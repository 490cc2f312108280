//! Text made safe for HTML and SVG.

/// `text` as the content of an element or of a quoted attribute, in HTML and in XML alike.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in printable(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// `text` without the characters that no XML document may hold, each replaced by U+FFFD.
pub(super) fn printable(text: &str) -> String {
    let allowed = |letter: char| {
        matches!(letter, '\t' | '\n' | '\r')
            || !(letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}'))
    };
    text.chars().map(|letter| if allowed(letter) { letter } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(
            escape(r#"<b title="a">R&D's</b>"#),
            "&lt;b title=&quot;a&quot;&gt;R&amp;D&#39;s&lt;/b&gt;"
        );
        assert_eq!(escape("&amp;"), "&amp;amp;");
        assert_eq!(escape("naïve 🦀\n"), "naïve 🦀\n");
    }

    #[test]
    fn what_xml_forbids_is_replaced() {
        let text = escape("a\u{0}b\u{1b}[31m\u{ffff}");
        assert_eq!(text, "a\u{fffd}b\u{fffd}[31m\u{fffd}");
        assert!(roxmltree::Document::parse(&format!("<a>{text}</a>")).is_ok());
    }
}
