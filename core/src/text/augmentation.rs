//! Random changes of a training caption.

use std::ops::Range;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::text::tokenizer::CaptionTokenizer;
use crate::{Error, Result};

/// How captions are varied in training. The default is the official recipe.
///
/// Each basic token (word or punctuation mark) is changed with `probability`.
/// Of the changed ones `mask_share` become `[MASK]`, `random_share` random
/// vocabulary entries (one for each of their word pieces), the rest is deleted.
/// Before that, the caption is cut to an excerpt with the probability `excerpt`,
/// which the official recipe does not have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CaptionAugmentation {
    /// Probability that a basic token is changed.
    pub probability: f64,
    /// Share of the changed tokens that is masked.
    pub mask_share: f64,
    /// Share of the changed tokens that is replaced at random.
    pub random_share: f64,
    /// Probability that only a run of consecutive words is kept: its length is
    /// drawn evenly from one word to all of them, then its start. It prepares a
    /// text tower for queries of a word or two, which full captions never are.
    pub excerpt: f64,
}

impl Default for CaptionAugmentation {
    fn default() -> Self {
        Self { probability: 0.2, mask_share: 0.5, random_share: 0.1, excerpt: 0.0 }
    }
}

impl CaptionAugmentation {
    /// Checks that every value can be meant.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key of the first value out of range.
    pub fn validate(&self) -> Result<()> {
        let shares = self.mask_share + self.random_share;
        for (key, value) in [
            ("probability", self.probability),
            ("mask_share", self.mask_share),
            ("random_share", self.random_share),
            ("mask_share + random_share", shares),
            ("excerpt", self.excerpt),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::config(key, format!("{value} is not within 0..1")));
            }
        }
        Ok(())
    }

    /// The ids of a varied caption: `[CLS]` first, `[SEP]` last, possibly nothing
    /// between.
    ///
    /// Source: the training path of the official data set class. One draw decides
    /// over each basic token.
    pub fn encode(
        &self,
        tokenizer: &CaptionTokenizer,
        caption: &str,
        rng: &mut impl Rng,
    ) -> Vec<u32> {
        let special = tokenizer.special();
        let mut ids = vec![special.cls];
        let tokens = tokenizer.basic_tokens(caption);
        for token in &tokens[self.kept(tokens.len(), rng)] {
            let pieces = tokenizer.word_pieces(token);
            let draw = rng.random::<f64>();
            if draw >= self.probability {
                ids.extend(pieces);
                continue;
            }
            let draw = draw / self.probability;
            if draw < self.mask_share {
                ids.extend(pieces.iter().map(|_| special.mask));
            } else if draw < self.mask_share + self.random_share {
                let vocabulary = tokenizer.vocab_size() as f64;
                ids.extend(pieces.iter().map(|_| (rng.random::<f64>() * vocabulary) as u32));
            }
        }
        ids.push(special.sep);
        ids
    }

    /// Which of `count` basic tokens are kept. Draws nothing where excerpts are off.
    fn kept(&self, count: usize, rng: &mut impl Rng) -> Range<usize> {
        if self.excerpt == 0.0 || count == 0 || rng.random::<f64>() >= self.excerpt {
            return 0..count;
        }
        let length = rng.random_range(1..=count);
        let start = rng.random_range(0..=count - length);
        start..start + length
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// 995 fillers, so that a random entry is almost never one of the caption.
    fn tokenizer() -> CaptionTokenizer {
        let mut vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ndog\n##s\ncat\n".to_owned();
        (0..992).for_each(|index| vocab += &format!("filler{index}\n"));
        CaptionTokenizer::from_vocab(&vocab).unwrap()
    }

    #[test]
    fn shares_are_those_of_the_recipe() {
        let (tokenizer, mut rng) = (tokenizer(), ChaCha8Rng::seed_from_u64(1));
        let caption = "dogs ".repeat(50_000);
        let ids = CaptionAugmentation::default().encode(&tokenizer, &caption, &mut rng);
        let share = |wanted: &dyn Fn(u32) -> bool| {
            ids[1..ids.len() - 1].iter().filter(|&&id| wanted(id)).count() as f64 / 100_000.0
        };
        // Two pieces a word: kept 80%, masked 10%, random 2%, deleted 8%.
        let near = |value: f64, wanted: f64| assert!((value - wanted).abs() < 0.006, "{value}");
        near(share(&|id| id == 5), 0.4);
        near(share(&|id| id == 6), 0.4);
        near(share(&|id| id == 4), 0.1);
        near(share(&|id| !(4..=6).contains(&id)), 0.02);
        near(ids.len() as f64 / 100_000.0, 0.92);
        assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size()));
        let random: Vec<u32> = ids.iter().copied().filter(|&id| id > 7).collect();
        let mean = random.iter().map(|&id| f64::from(id)).sum::<f64>() / random.len() as f64;
        assert!((mean - 503.5).abs() < 30.0, "{mean}");
    }

    #[test]
    fn every_piece_of_a_word_shares_its_fate() {
        let (tokenizer, mut rng) = (tokenizer(), ChaCha8Rng::seed_from_u64(2));
        let always = |mask_share, random_share| CaptionAugmentation {
            probability: 1.0,
            mask_share,
            random_share,
            excerpt: 0.0,
        };
        let encode = |a: CaptionAugmentation, rng: &mut _| a.encode(&tokenizer, "cat dogs", rng);
        assert_eq!(encode(always(1.0, 0.0), &mut rng), [2, 4, 4, 4, 3]);
        assert_eq!(encode(always(0.0, 0.0), &mut rng), [2, 3]);
        assert_eq!(encode(always(0.0, 1.0), &mut rng).len(), 5);
        let never = CaptionAugmentation { probability: 0.0, ..Default::default() };
        assert_eq!(encode(never, &mut rng), tokenizer.encode("cat dogs"));
        assert_eq!(CaptionAugmentation::default().encode(&tokenizer, "", &mut rng), [2, 3]);
    }

    #[test]
    fn excerpts_are_runs_of_any_length_and_place() {
        let (tokenizer, mut rng) = (tokenizer(), ChaCha8Rng::seed_from_u64(3));
        let excerpts = |excerpt| CaptionAugmentation {
            probability: 0.0,
            excerpt,
            ..CaptionAugmentation::default()
        };
        let caption = tokenizer.encode("cat dog filler0");
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..6_000 {
            let ids = excerpts(0.5).encode(&tokenizer, "cat dog filler0", &mut rng);
            *counts.entry(ids).or_insert(0) += 1;
        }
        // Half is not cut; of the rest a third each has one, two or three words.
        let mut near = |ids: &[u32], wanted: i32| {
            let count = counts.remove(ids).unwrap_or(0);
            assert!((count - wanted).abs() < 200, "{ids:?}: {count}");
        };
        near(&caption, 4_000);
        near(&[2, 7, 5, 3], 500);
        near(&[2, 5, 8, 3], 500);
        [7, 5, 8].iter().for_each(|&word| near(&[2, word, 3], 333));
        assert!(counts.is_empty(), "{counts:?}");
        assert_eq!(excerpts(1.0).encode(&tokenizer, "", &mut rng), [2, 3]);
    }

    #[test]
    fn a_seed_fixes_the_caption() {
        let tokenizer = tokenizer();
        let caption = "dogs cat ".repeat(40);
        let encode = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            CaptionAugmentation::default().encode(&tokenizer, &caption, &mut rng)
        };
        assert_eq!(encode(1), encode(1));
        assert_ne!(encode(1), encode(2));
    }

    #[test]
    fn impossible_values_are_named() {
        CaptionAugmentation::default().validate().unwrap();
        let broken = CaptionAugmentation { probability: 1.1, ..Default::default() };
        assert!(broken.validate().unwrap_err().to_string().contains("probability"));
        let broken = CaptionAugmentation { random_share: 0.6, ..Default::default() };
        assert!(broken.validate().unwrap_err().to_string().contains("mask_share + random_share"));
    }
}
