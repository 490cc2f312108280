//! Checks that several parts share; each error names the key.

use crate::{Error, Result};

pub(super) fn positive(key: &str, value: usize) -> Result<()> {
    if value == 0 { Err(Error::config(key, "must be at least 1")) } else { Ok(()) }
}

pub(super) fn divides(key: &str, divisor: usize, of: &str, value: usize) -> Result<()> {
    if divisor == 0 || value == 0 || !value.is_multiple_of(divisor) {
        return Err(Error::config(key, format!("{divisor} does not divide {of} = {value}")));
    }
    Ok(())
}

pub(super) fn probability(key: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        Ok(())
    } else {
        Err(Error::config(key, format!("{value} is not in [0, 1)")))
    }
}

pub(super) fn dropouts(part: &str, hidden: f64, attention: f64) -> Result<()> {
    probability(&format!("{part}.hidden_dropout_prob"), hidden)?;
    probability(&format!("{part}.attention_probs_dropout_prob"), attention)
}

/// Refuses a network that no machine holds, before memory is taken for it: a file may state any number.
///
/// Each of `tables` is the sizes of one kind of weights, whose product is their number; it need not be exact.
pub(super) fn weights_fit(key: &str, tables: &[&[usize]]) -> Result<()> {
    const MOST: u128 = 1 << 32;
    let count = |sizes: &&[usize]| {
        sizes.iter().fold(1u128, |count, &size| count.saturating_mul(size as u128))
    };
    let weights = tables.iter().map(count).fold(0u128, u128::saturating_add);
    if weights > MOST {
        return Err(Error::config(
            key,
            format!("{weights} weights are more than the {MOST} that a network may have here"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{BertConfig, ImageBackboneConfig, ResNetConfig, SwinConfig, VitConfig};

    #[test]
    fn what_no_machine_holds_is_refused_before_it_is_made() {
        for huge in [1usize << 33, 1 << 40, 1 << 60, usize::MAX] {
            for text in [
                BertConfig { vocab_size: huge, ..BertConfig::default() },
                BertConfig { num_hidden_layers: huge, ..BertConfig::default() },
                BertConfig { intermediate_size: huge, ..BertConfig::default() },
                BertConfig { max_position_embeddings: huge, ..BertConfig::default() },
                BertConfig { type_vocab_size: huge, ..BertConfig::default() },
            ] {
                let message = text.validate().unwrap_err().to_string();
                assert!(message.contains("weights are more than"), "{message}");
            }
            let images = [
                ImageBackboneConfig::Vit(VitConfig {
                    num_hidden_layers: huge,
                    ..VitConfig::default()
                }),
                ImageBackboneConfig::Vit(VitConfig { patch_size: huge, ..VitConfig::default() }),
                ImageBackboneConfig::Swin(SwinConfig {
                    depths: vec![2, huge],
                    num_heads: vec![3, 6],
                    ..SwinConfig::default()
                }),
                ImageBackboneConfig::Swin(SwinConfig {
                    window_size: huge,
                    ..SwinConfig::default()
                }),
                ImageBackboneConfig::Swin(SwinConfig { embed_dim: huge, ..SwinConfig::default() }),
                ImageBackboneConfig::ResNet(ResNetConfig {
                    depths: vec![huge],
                    hidden_sizes: vec![256],
                    ..ResNetConfig::default()
                }),
            ];
            for image in images {
                image.validate().unwrap_err();
            }
        }
        BertConfig::default().validate().unwrap();
        ImageBackboneConfig::Swin(SwinConfig::default()).validate().unwrap();
    }
}
