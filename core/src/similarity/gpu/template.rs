//! The template step between a WGSL file and a pipeline: constants, storage format, unrolled
//! loops. The files are complete without it.

use std::fmt::Write;

/// A shader's text on its way to a pipeline. Changes that find nothing to change are bugs of
/// this crate, not of its callers: they panic, and tests make every variant.
pub(super) struct Template {
    prefix: &'static str,
    text: String,
    constants: Vec<(String, u32)>,
}

impl Template {
    pub fn new(text: &str) -> Self {
        Self { prefix: "", text: text.to_owned(), constants: Vec::new() }
    }

    /// Gives `const NAME: u32` another value.
    pub fn set(mut self, name: &str, value: u32) -> Self {
        let start = format!("const {name}: u32 = ");
        let begin = self.text.find(&start).unwrap_or_else(|| panic!("no constant {name}"));
        let begin = begin + start.len();
        let end = begin + self.text[begin..].find(';').unwrap_or_else(|| panic!("{name}: no end"));
        self.text.replace_range(begin..end, &format!("{value}u"));
        self.constants.push((name.to_owned(), value));
        self
    }

    /// Replaces what stands between the lines `// [section: ...]` and `// [end of section]`.
    pub fn replace(mut self, section: &str, code: &str) -> Self {
        let (start, stop) = (format!("// [{section}"), format!("// [end of {section}]"));
        let begin = self.text.find(&start).unwrap_or_else(|| panic!("no section {section}"));
        let end = self.text.find(&stop).unwrap_or_else(|| panic!("{section}: no end"));
        self.text.replace_range(begin..end + stop.len(), code);
        self
    }

    /// Puts an `enable` directive in front.
    pub fn enable(mut self, directive: &'static str) -> Self {
        self.prefix = directive;
        self
    }

    /// The finished text. Loops marked `// unrolled` are written out: compilers of some
    /// drivers keep arrays in memory, not in registers, where an index is a loop's variable.
    pub fn finish(self) -> String {
        let mut text = self.text;
        let constants = constants_of(&text);
        // The last marked loop holds no other.
        while let Some(marked) = text.rfind(UNROLLED) {
            let begin = text[..marked].rfind("for (var ").expect("a loop before its mark");
            let header: Vec<&str> = text[begin..marked].split_whitespace().collect();
            // for (var NAME = 0u; NAME < LIMIT...; NAME++) {
            let (name, limit) = (header[2], &text[begin..marked]);
            let limit = limit.split(" < ").nth(1).and_then(|rest| rest.split(';').next());
            let limit = evaluate(limit.expect("a limit"), &constants).expect("a constant limit");
            let body = marked + UNROLLED.len();
            let end = body + closing_brace(&text[body..]);
            let mut unrolled = String::new();
            for value in 0..limit {
                let body = &text[body..end];
                // Writing to a String cannot fail.
                let _ = write!(unrolled, "{{ const {name} = {value}u;{body}}}\n");
            }
            text.replace_range(begin..end + 1, unrolled.trim_end());
        }
        format!("{}{text}", self.prefix)
    }
}

const UNROLLED: &str = " // unrolled";

/// Where the block ends whose opening brace stands before `text`.
fn closing_brace(text: &str) -> usize {
    let mut depth = 1;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    panic!("a loop without an end")
}

/// The module's constants that are products and quotients of numbers and others.
fn constants_of(text: &str) -> Vec<(String, u32)> {
    let mut constants = Vec::new();
    for line in text.lines() {
        let Some((name, value)) = line.strip_prefix("const ").and_then(|line| line.split_once('='))
        else {
            continue;
        };
        let name = name.split(':').next().unwrap_or_default().trim().to_owned();
        let value = value.split(';').next().unwrap_or_default();
        if let Some(value) = evaluate(value, &constants) {
            constants.push((name, value));
        }
    }
    constants
}

/// `A * B / C`, from left to right; `None` for anything else.
fn evaluate(expression: &str, constants: &[(String, u32)]) -> Option<u32> {
    let value = |token: &str| {
        let constant = || constants.iter().find(|(name, _)| name == token).map(|(_, value)| *value);
        token.strip_suffix('u').and_then(|digits| digits.parse().ok()).or_else(constant)
    };
    let mut tokens = expression.split_whitespace();
    let mut result = value(tokens.next()?)?;
    while let Some(operator) = tokens.next() {
        let operand = value(tokens.next()?)?;
        result = match operator {
            "*" => result * operand,
            "/" => result / operand,
            _ => return None,
        };
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "const A: u32 = 2u; // set\nconst B = 4u / A;\n// [kind: x]\nold\n// [end of kind]\n\
        for (var i = 0u; i < A * B; i++) { // unrolled\n f(i);\n\
        for (var j = 0u; j < A; j++) { // unrolled\n g(j); }\n}\n";

    #[test]
    fn constants_sections_and_loops() {
        let text =
            Template::new(TEXT).set("A", 1).replace("kind", "new").enable("enable f16;\n").finish();
        assert!(text.starts_with("enable f16;\nconst A: u32 = 1u; // set\n"), "{text}");
        assert!(text.contains("\nnew\n") && !text.contains("old"), "{text}");
        assert_eq!(text.matches("f(i)").count(), 4, "{text}");
        assert_eq!(text.matches("{ const j = 0u;\n g(j); }").count(), 4, "{text}");
        assert!(text.contains("{ const i = 3u;") && !text.contains("for"), "{text}");
    }

    #[test]
    #[should_panic(expected = "no constant C")]
    fn a_constant_that_is_not_there() {
        let _ = Template::new(TEXT).set("C", 1);
    }
}
