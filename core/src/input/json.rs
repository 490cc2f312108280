//! JSON from outside: one way in for every file.
//!
//! A byte order mark is passed over; UTF-16 and packed files are refused by name; so is an object with the same key
//! twice, of which other readers keep the last in silence.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use super::encoding;
use crate::{Error, Result};

/// Reads a JSON file.
///
/// # Errors
/// [`Error::Io`], or [`Error::Format`] naming file, and line or key.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    parse(&bytes, path)
}

/// Reads the content of a JSON file; `path` is only named.
///
/// # Errors
/// [`Error::Format`] naming file, and line or key.
pub fn parse<'de, T: Deserialize<'de>>(bytes: &'de [u8], path: &Path) -> Result<T> {
    from_slice(bytes).map_err(|message| Error::format(path, message))
}

/// The same without a name.
///
/// # Errors
/// What is wrong, with line or key.
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, String> {
    from_text(encoding::text(bytes)?)
}

/// The same of text.
///
/// # Errors
/// What is wrong, with line or key.
pub fn from_text<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err("there is nothing in it".into());
    }
    value(text, &Floats::default())?;
    serde_json::from_str(text).map_err(reason)
}

/// An object whose values are kept as they are, as a record of a dataset: also numbers come out as they were written.
///
/// # Errors
/// What is wrong, with column, or line and column; a whole number beyond 64 bits, which would lose digits.
pub fn record(text: &str) -> Result<Map<String, Value>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (floats, too_long) = floats(text);
    let value = value(text, &RefCell::new(floats))?;
    if let Some(number) = too_long {
        return Err(format!("the number {number} has too many digits: write it as a text"));
    }
    match value {
        Value::Object(fields) => Ok(fields),
        Value::Array(_) => Err("a list".into()),
        other => Err(format!("only {other}")),
    }
}

/// Any value, read from wherever; an object in it with the same key twice is an error.
pub struct Unique(pub Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Build(&Floats::default()).deserialize(deserializer).map(Self)
    }
}

type Floats = RefCell<VecDeque<f64>>;

fn value(text: &str, floats: &Floats) -> Result<Value, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = Build(floats).deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    value.map_err(reason)
}

/// An error without the line, where there is only one.
fn reason(error: serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    match text.strip_suffix(&format!(" at line {line} column {column}")) {
        Some(what) if line == 1 => format!("{what} at column {column}"),
        _ => text,
    }
}

/// The numbers of a text that become floating-point ones, in their order: `serde_json` may miss the nearest one by a
/// little, the standard library does not. Beside them the first whole number beyond 64 bits.
fn floats(text: &str) -> (VecDeque<f64>, Option<&str>) {
    let bytes = text.as_bytes();
    let (mut found, mut too_long) = (VecDeque::new(), None);
    let (mut at, mut quoted) = (0, false);
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b'-' | b'0'..=b'9' if !quoted => {
                let of_number =
                    |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                at += bytes[at..].iter().take_while(|byte| of_number(byte)).count();
                let number = &text[start..at];
                let whole = number.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
                if whole && number != "-0" {
                    if number.parse::<i64>().is_err() && number.parse::<u64>().is_err() {
                        too_long = too_long.or(Some(number));
                    }
                } else if let Ok(float) = number.parse() {
                    found.push_back(float);
                }
            }
            _ => {}
        }
    }
    (found, too_long)
}

/// Builds a value; floating-point numbers are taken from the list, as long as there are some.
struct Build<'a>(&'a Floats);

impl<'de> DeserializeSeed<'de> for Build<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Build<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        let exact = self.0.borrow_mut().pop_front().unwrap_or(value);
        Ok(Number::from_f64(exact).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Build(self.0))? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            match fields.entry(key) {
                Entry::Vacant(free) => {
                    let value = map.next_value_seed(Build(self.0))?;
                    free.insert(value);
                }
                Entry::Occupied(taken) => {
                    let message = format!("the key {:?} stands there twice", taken.key());
                    return Err(serde::de::Error::custom(message));
                }
            }
        }
        Ok(fields.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_passed_over() {
        let path = Path::new("a.json");
        assert_eq!(parse::<Vec<u8>>(b"\xef\xbb\xbf[1]", path).unwrap(), [1]);
        let error = parse::<Vec<u8>>(b"\xff\xfe[\0]\0", path).unwrap_err().to_string();
        assert!(error.starts_with("a.json: this is UTF-16 text"), "{error}");
        let error = parse::<Vec<u8>>(b"\xef\xbb\xbf \n", path).unwrap_err().to_string();
        assert_eq!(error, "a.json: there is nothing in it");
        let error = parse::<Vec<u8>>(b"[1,\n2,]", path).unwrap_err().to_string();
        assert_eq!(error, "a.json: trailing comma at line 2 column 3");
    }

    #[test]
    fn files_of_hugging_face_may_have_a_mark() {
        use crate::config::BertConfig;
        let config = BertConfig::default();
        let json = format!("\u{feff}{}", serde_json::to_string(&config).unwrap());
        assert_eq!(BertConfig::from_hugging_face(&json).unwrap(), config);
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), format!("\u{feff}{text}")).unwrap();
        };
        write("tokenizer_config.json", "{\"do_lower_case\": false}");
        write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nA\n");
        let tokenizer = crate::text::tokenizer::CaptionTokenizer::from_folder(folder.path());
        assert_eq!(tokenizer.unwrap().encode_batch(&["A"], 8).ids, [2, 5, 3]);
    }

    #[test]
    fn keys_stand_there_once_at_any_depth() {
        let twice = from_slice::<Value>(br#"{"a": [{"b": 1, "\u0062": 2}]}"#).unwrap_err();
        assert!(twice.starts_with("the key \"b\" stands there twice at column"), "{twice}");
        assert!(record(r#"{"a": 1, "a": 1}"#).unwrap_err().contains("\"a\" stands there twice"));
        assert!(serde_json::from_str::<Unique>(r#"{"a": {"": 1, "": 1}}"#).is_err());
        assert!(
            record("[1]").is_err() && record("{} {}").is_err() && record("{\"a\": NaN}").is_err()
        );
        assert!(record(r#"{"a": "\ud800"}"#).is_err() && record(r#"{"a": "\udc00"}"#).is_err());
    }

    #[test]
    fn numbers_are_kept_as_they_were() {
        // The second is one of those that serde_json alone rounds the wrong way.
        let numbers = [
            "0.1",
            "122.416294033786585",
            "-0",
            "1e5",
            "-2.5E-3",
            "5e-324",
            "1.7976931348623157e308",
        ];
        let text = format!(r#"{{"3.5 \" 4.5": "6.5\\", "n": [{}, 7]}}"#, numbers.join(", "));
        let fields = record(&text).unwrap();
        for (at, number) in numbers.iter().enumerate() {
            let exact: f64 = number.parse().unwrap();
            assert_eq!(
                fields["n"][at].as_f64().map(f64::to_bits),
                Some(exact.to_bits()),
                "{number}"
            );
        }
        for whole in ["18446744073709551615", "-9223372036854775808", "0"] {
            let text = format!(r#"{{"n": {whole}}}"#);
            assert_eq!(record(&text).unwrap()["n"].to_string(), whole);
        }
        for long in ["18446744073709551616", "-9223372036854775809"] {
            let error = record(&format!(r#"{{"n": {long}}}"#)).unwrap_err();
            assert!(error.contains(long) && error.contains("too many digits"), "{error}");
        }
        // Settings of other programs hold such numbers, and nobody needs their digits.
        assert!(
            from_text::<Value>(r#"{"model_max_length": 1000000000000000019884624838656}"#).is_ok()
        );
        for broken in
            ["{\"n\": -}", "{\"n\": 1-2}", "{\"n\": \"", "{\"n\": \"\\", "{\"n\": 1e999}", "-"]
        {
            assert!(record(broken).is_err(), "{broken}");
        }
    }
}
