//! Parameters of runs, flat and side by side.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

/// What names a run and so always differs.
const NAMES: [&str; 1] = ["logger_name"];
/// Of a parameter that a run does not have.
const NONE: &str = "–";

/// Every parameter of a run by its key, dots between the levels.
pub fn all_parameters(config: &Table) -> Vec<(String, String)> {
    flat(config).into_iter().collect()
}

/// The parameters that are not the same in all runs, with their values run by run.
pub fn differing_parameters(configs: &[&Table]) -> Vec<(String, Vec<String>)> {
    let flat: Vec<_> = configs.iter().map(|config| flat(config)).collect();
    let keys: BTreeSet<&String> = flat.iter().flat_map(BTreeMap::keys).collect();
    let keys = keys.into_iter().filter(|key| !NAMES.contains(&key.as_str()));
    keys.filter_map(|key| {
        let values: Vec<_> = flat.iter().map(|values| values.get(key)).collect();
        let same = values.windows(2).all(|pair| pair[0] == pair[1]);
        let text = |value: Option<&String>| value.cloned().unwrap_or_else(|| NONE.into());
        (!same).then(|| (key.clone(), values.into_iter().map(text).collect()))
    })
    .collect()
}

fn flat(config: &Table) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    add(config, "", &mut values);
    values
}

fn add(table: &Table, prefix: &str, values: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let key = format!("{prefix}{key}");
        match value {
            Value::Table(inner) => add(inner, &format!("{key}."), values),
            Value::String(text) => {
                values.insert(key, text.clone());
            }
            other => {
                values.insert(key, other.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_listed() {
        let tables = [
            "seed = 1\nlogger_name = \"a\"\n[optimiser]\nlearning_rate = 0.1\nschedule = { kind = \"step\", epochs = [1] }",
            "seed = 1\nlogger_name = \"b\"\n[optimiser]\nlearning_rate = 0.2\nschedule = { kind = \"cosine\", last = 0.0 }",
        ];
        let tables = tables.map(|text| text.parse::<Table>().unwrap());
        let found = differing_parameters(&tables.each_ref());
        let row =
            |key: &str, values: [&str; 2]| (key.to_owned(), values.map(String::from).to_vec());
        assert_eq!(
            found,
            [
                row("optimiser.learning_rate", ["0.1", "0.2"]),
                row("optimiser.schedule.epochs", ["[1]", "–"]),
                row("optimiser.schedule.kind", ["step", "cosine"]),
                row("optimiser.schedule.last", ["–", "0.0"]),
            ]
        );
        assert!(differing_parameters(&[&tables[0], &tables[0]]).is_empty());
        assert_eq!(all_parameters(&tables[0])[0], ("logger_name".into(), "a".into()));
    }
}
