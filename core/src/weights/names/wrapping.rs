//! What files put around the official names.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Naming;

/// What PyTorch puts between the parts of a name for modules that are distributed, compiled, sharded or computed again.
const WRAPPERS: [&str; 4] =
    ["module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"];

impl Naming {
    /// The prefix that a file puts before the official names: its own name for the model (`bert.`, `model.`).
    ///
    /// # Errors
    /// What is wrong when two prefixes have equally many official names behind them.
    pub(in crate::weights) fn prefix<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<String, String> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for name in names {
            let starts = std::iter::once(0).chain(name.match_indices('.').map(|(at, _)| at + 1));
            let mut starts = starts.filter(|at| self.to_ours(&name[*at..]).is_some());
            if let Some(start) = starts.next() {
                *counts.entry(&name[..start]).or_default() += 1;
            }
        }
        let Some((prefix, count)) =
            counts.iter().max_by_key(|(prefix, count)| (**count, Reverse(prefix.len())))
        else {
            return Ok(String::new());
        };
        let same: Vec<_> = counts.iter().filter(|(_, other)| *other == count).collect();
        if *count > 1 && same.len() > 1 {
            let names: Vec<_> = same.iter().map(|(prefix, _)| format!("`{prefix}`")).collect();
            return Err(format!("the model is there more than once, under {}", names.join(", ")));
        }
        Ok(prefix.to_string())
    }
}

/// The name without what training wraps around modules, wherever it stands.
pub(in crate::weights) fn unwrapped(name: &str) -> String {
    let parts = name.split('.').filter(|part| !WRAPPERS.contains(part));
    let bare = parts.collect::<Vec<_>>().join(".");
    if bare.is_empty() { name.to_string() } else { bare }
}

/// The name with today's spelling of BERT's layer norms.
pub(in crate::weights) fn respelled(name: String) -> String {
    if let Some(stem) = name.strip_suffix("LayerNorm.gamma") {
        format!("{stem}LayerNorm.weight")
    } else if let Some(stem) = name.strip_suffix("LayerNorm.beta") {
        format!("{stem}LayerNorm.bias")
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_and_old_spellings_fall_off() {
        let old = "module.bert.encoder.layer.0.output.LayerNorm.gamma";
        assert_eq!(respelled(unwrapped(old)), "bert.encoder.layer.0.output.LayerNorm.weight");
        for wrapped in [
            "_orig_mod.txt_enc.ln.bias",
            "module._orig_mod.txt_enc.ln.bias",
            "txt_enc.module.ln.bias",
            "_orig_mod.module.txt_enc.ln.bias",
            "module.module.txt_enc._orig_mod.ln.bias",
            "_fsdp_wrapped_module.txt_enc.ln._checkpoint_wrapped_module.bias",
        ] {
            assert_eq!(unwrapped(wrapped), "txt_enc.ln.bias", "{wrapped}");
        }
    }

    #[test]
    fn the_prefix_is_what_most_names_have() {
        let prefix = |naming: Naming, names: &[&str]| naming.prefix(names.iter().copied());
        let bert =
            ["model.bert.embeddings.LayerNorm.bias", "model.bert.embeddings.LayerNorm.weight"];
        assert_eq!(prefix(Naming::BERT, &bert).unwrap(), "model.bert.");
        assert_eq!(
            prefix(Naming::OFFICIAL, &["txt_enc.ln.bias", "x.txt_enc.ln.bias"]).unwrap(),
            ""
        );
        assert_eq!(prefix(Naming::OFFICIAL, &["something"]).unwrap(), "");
        let twice: Vec<String> = ["online.", "ema."]
            .iter()
            .flat_map(|at| ["ln.bias", "ln.weight"].map(|name| format!("{at}txt_enc.{name}")))
            .collect();
        let twice: Vec<&str> = twice.iter().map(String::as_str).collect();
        let message = prefix(Naming::OFFICIAL, &twice).unwrap_err();
        assert!(message.contains("`ema.`, `online.`"), "{message}");
    }
}
