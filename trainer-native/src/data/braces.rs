//! Names of many files in one word: `shard-{000000..000009}.tar`.

/// Every name that a pattern stands for, in order; numbers keep their leading zeros. A word without
/// a pattern stands for itself.
///
/// # Errors
/// What is wrong with the pattern.
pub(super) fn expand(pattern: &str) -> Result<Vec<String>, String> {
    let Some((before, rest)) = pattern.split_once('{') else {
        return Ok(vec![pattern.to_owned()]);
    };
    let wrong = || format!("{pattern:?}: a pattern is like shard-{{000000..000009}}.tar");
    let (range, after) = rest.split_once('}').ok_or_else(wrong)?;
    let (first, last) = range.split_once("..").ok_or_else(wrong)?;
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u32>().map_err(|_| wrong()),
        false => Err(wrong()),
    };
    let (low, high) = (number(first)?, number(last)?);
    if low > high {
        return Err(format!("{pattern:?}: {first} comes after {last}"));
    }
    let ends = expand(after)?;
    let names = (low..=high).flat_map(|at| {
        let start = format!("{before}{at:0width$}", width = first.len());
        ends.iter().map(move |end| format!("{start}{end}"))
    });
    Ok(names.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_zeros() {
        let names = expand("a-{008..011}.tar").unwrap();
        assert_eq!(names, ["a-008.tar", "a-009.tar", "a-010.tar", "a-011.tar"]);
        assert_eq!(expand("{1..2}/{0..1}").unwrap(), ["1/0", "1/1", "2/0", "2/1"]);
        assert_eq!(expand("plain.tar").unwrap(), ["plain.tar"]);
    }

    #[test]
    fn what_is_no_pattern_is_said() {
        for bad in ["a{1..2.tar", "a{1,2}", "a{x..y}", "a{..2}", "a{1..}", "a{-1..2}"] {
            assert!(expand(bad).unwrap_err().contains("a pattern is like"), "{bad}");
        }
        assert!(expand("{3..1}").unwrap_err().contains("3 comes after 1"));
    }
}
