//! Emoji by what they are called: for icon sets whose packages list names but no code points.

use std::collections::HashMap;

use super::words::Emoji;

/// Codes of emoji by the letters and digits of their names.
#[derive(Debug)]
pub struct Names {
    code_of: HashMap<String, Option<String>>,
}

impl Names {
    /// The names, former names and shortcodes of `emoji`. A shortcode that is also the name of
    /// another emoji stands for that one; what two emoji share stands for neither.
    pub fn new(emoji: &[Emoji]) -> Self {
        let mut code_of = HashMap::new();
        for emoji in emoji {
            enter(&mut code_of, &emoji.name, &emoji.code);
        }
        for (former, today) in FORMER_NAMES {
            if let Some(code) = code_of.get(&squeezed(today)).cloned() {
                // Also in the place of another emoji's name of today: "up button" was the arrow long
                // before there was an "UP! button".
                code_of.insert(squeezed(former), code);
            }
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

    /// The code of the emoji of which an icon called `name` is one of several drawings, such as `baby-2`.
    pub fn code_of_numbered(&self, name: &str) -> Option<&str> {
        let (name, number) = name.rsplit_once('-')?;
        number.parse::<u8>().ok().and_then(|_| self.code(name))
    }
}

/// Names that Unicode has changed since the older sets were drawn, and today's.
const FORMER_NAMES: [(&str, &str); 48] = [
    ("smiling face with open mouth", "grinning face with big eyes"),
    ("smiling face with open mouth and smiling eyes", "grinning face with smiling eyes"),
    ("smiling face with open mouth and closed eyes", "grinning squinting face"),
    ("smiling face with open mouth and cold sweat", "grinning face with sweat"),
    ("face savouring delicious food", "face savoring food"),
    ("disappointed but relieved face", "sad but relieved face"),
    ("face with cold sweat", "downcast face with sweat"),
    ("face with open mouth and cold sweat", "anxious face with sweat"),
    ("face with stuck-out tongue", "face with tongue"),
    ("face with stuck-out tongue and winking eye", "winking face with tongue"),
    ("face with stuck-out tongue and closed eyes", "squinting face with tongue"),
    ("crazy face", "zany face"),
    ("robot face", "robot"),
    ("fox face", "fox"),
    ("smiling cat face with open mouth", "grinning cat"),
    ("grinning cat face", "grinning cat"),
    ("grinning cat face with smiling eyes", "grinning cat with smiling eyes"),
    ("cat face with tears of joy", "cat with tears of joy"),
    ("smiling cat face with heart-eyes", "smiling cat with heart-eyes"),
    ("cat face with wry smile", "cat with wry smile"),
    ("kissing cat face", "kissing cat"),
    ("kissing cat face with closed eyes", "kissing cat"),
    ("weary cat face", "weary cat"),
    ("pouting cat face", "pouting cat"),
    ("school backpack", "backpack"),
    ("laptop computer", "laptop"),
    ("heavy large circle", "hollow red circle"),
    ("white heavy check mark", "check mark button"),
    ("white medium star", "star"),
    ("exclamation mark", "red exclamation mark"),
    ("anticlockwise arrows button", "counterclockwise arrows button"),
    ("left-pointing magnifying glass", "magnifying glass tilted left"),
    ("right-pointing magnifying glass", "magnifying glass tilted right"),
    ("hourglass with flowing sand", "hourglass not done"),
    ("high-speed train with bullet nose", "bullet train"),
    ("man in suit levitating", "person in suit levitating"),
    ("man with skullcap", "person with skullcap"),
    ("man with chinese cap", "person with skullcap"),
    ("plus sign", "plus"),
    ("minus sign", "minus"),
    ("multiplication sign", "multiply"),
    ("division sign", "divide"),
    ("a button", "A button (blood type)"),
    ("b button", "B button (blood type)"),
    ("ab button", "AB button (blood type)"),
    ("o button", "O button (blood type)"),
    ("down button", "downwards button"),
    ("up button", "upwards button"),
];

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

#[cfg(test)]
mod tests {
    use super::*;

    fn emoji(code: &str, name: &str, shortcodes: &[&str]) -> Emoji {
        Emoji {
            code: code.into(),
            name: name.into(),
            shortcodes: shortcodes.iter().map(ToString::to_string).collect(),
            ..Emoji::default()
        }
    }

    #[test]
    fn icons_are_found_by_name_shortcode_former_name_and_number() {
        let names = Names::new(&[
            emoji("1f476", "baby", &["infant", "shared"]),
            emoji("1f63a", "grinning cat", &["shared"]),
            emoji("1f1f9-1f1e9", "flag: Chad", &[]),
            emoji("1f53c", "upwards button", &[]),
            emoji("1f199", "UP! button", &[]),
        ]);
        assert_eq!(names.code("Baby"), Some("1f476"));
        assert_eq!(names.code("infant"), Some("1f476"));
        assert_eq!(names.code("shared"), None);
        assert_eq!(names.code("flag-for-chad"), Some("1f1f9-1f1e9"));
        assert_eq!(names.code("smiling-cat-face-with-open-mouth"), Some("1f63a"));
        assert_eq!(names.code("up-button"), Some("1f53c"));
        assert_eq!(names.code("baby-2"), None);
        assert_eq!(names.code_of_numbered("baby-2"), Some("1f476"));
        assert_eq!(names.code_of_numbered("grinning-cat-face-1"), Some("1f63a"));
        assert_eq!(names.code_of_numbered("baby"), None);
        assert_eq!(names.code_of_numbered("baby-bottle"), None);
    }

    #[test]
    fn former_names_are_known_once() {
        let former: std::collections::HashSet<_> =
            FORMER_NAMES.iter().map(|(former, _)| squeezed(former)).collect();
        assert_eq!(former.len(), FORMER_NAMES.len());
    }
}
