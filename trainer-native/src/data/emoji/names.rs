//! Emoji by what they are called: for icon sets whose packages list names but no code points.

use std::collections::HashMap;

use super::words::Emoji;

/// Codes of emoji by the letters and digits of their names.
#[derive(Debug)]
pub struct Names {
    code_of: HashMap<String, Option<String>>,
}

impl Names {
    /// The names and shortcodes of `emoji`. A shortcode that is also the name of
    /// another emoji stands for that one; what two emoji share stands for neither.
    pub fn new(emoji: &[Emoji]) -> Self {
        let mut code_of = HashMap::new();
        for emoji in emoji {
            enter(&mut code_of, &emoji.name, &emoji.code);
        }
        let mut short = HashMap::new();
        for emoji in emoji {
            for shortcode in &emoji.shortcodes {
                enter(&mut short, shortcode, &emoji.code);
            }
        }
        for (name, code) in short {
            code_of.entry(name).or_insert(code);
        }
        Self { code_of }
    }

    /// The code of the emoji that an icon called `name` draws, such as `flag-for-chad` or `alarmclock`.
    pub fn code(&self, name: &str) -> Option<&str> {
        let name = match name.strip_prefix("flag-for-") {
            Some(country) => squeezed(&format!("flag {country}")),
            None => squeezed(name),
        };
        self.code_of.get(&name)?.as_deref()
    }
}

fn enter(code_of: &mut HashMap<String, Option<String>>, name: &str, code: &str) {
    let code = code.to_owned();
    code_of
        .entry(squeezed(name))
        .and_modify(|known| {
            if known.as_ref() != Some(&code) {
                *known = None;
            }
        })
        .or_insert(Some(code));
}

fn squeezed(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
