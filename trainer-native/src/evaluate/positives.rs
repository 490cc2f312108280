//! Further right answers from a file, and how well they are found.
//!
//! The file is one JSON object with up to two keys:
//!
//! ```json
//! {
//!   "image_to_text": { "4821": [17, 230] },
//!   "text_to_image": { "230": ["4821", "77"] }
//! }
//! ```
//!
//! `image_to_text` gives an image, by its id in `<split>_ids.txt`, captions that fit it as well,
//! by their line in `<split>_caps.txt` counted from 0; `text_to_image` gives a caption images.
//! The pairs of the split are always right and need not be repeated. As in ECCV Caption, the
//! queries of a direction are those that its part names (an empty list adds nothing but the
//! query): what fits the others is not known. Where a part is missing, it is the other one turned round.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use avse_core::metrics::{PositiveMetrics, PositiveRecall};
use avse_core::similarity::{Hit, TopK};
use serde_json::Value;

use super::Pairs;
use crate::data::Split;
use crate::files::read_text;
use crate::json_entries::Entries;
use crate::{Error, Result};

const IMAGES: &str = "image_to_text";
const CAPTIONS: &str = "text_to_image";

/// All right answers of some queries, those of the split among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Positives {
    /// Of images: captions.
    image_to_text: BTreeMap<usize, BTreeSet<usize>>,
    /// Of captions: images.
    text_to_image: BTreeMap<usize, BTreeSet<usize>>,
}

impl Positives {
    /// Reads a file for a split.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Format`] naming the key that is wrong.
    pub fn read(path: &Path, split: &Split) -> Result<Self> {
        let text = read_text(path)?;
        Self::parse(&text, split).map_err(|message| Error::format(path, message))
    }

    fn parse(text: &str, split: &Split) -> Result<Self, String> {
        let Entries(shallow) =
            serde_json::from_str::<Entries<Value>>(text).map_err(|e| e.to_string())?;
        for (key, value) in &shallow {
            if ![IMAGES, CAPTIONS].contains(&key.as_str()) {
                return Err(format!("unknown key {key:?}: {IMAGES} and {CAPTIONS} are known"));
            }
            if !value.is_object() {
                return Err(format!("{key}: is not an object"));
            }
        }
        // Once more, since a value of serde_json keeps the last of equal keys.
        let Entries(parts) =
            serde_json::from_str::<Entries<Entries<Value>>>(text).map_err(|e| e.to_string())?;
        let names = Names::new(split);
        let (mut images, mut captions) = (None, None);
        for (key, part) in parts {
            let before = if key == IMAGES {
                images.replace(names.part(IMAGES, part, Side::Image, Side::Caption)?)
            } else {
                captions.replace(names.part(CAPTIONS, part, Side::Caption, Side::Image)?)
            };
            if before.is_some() {
                return Err(format!("{key}: stands there twice"));
            }
        }
        let (mut image_to_text, mut text_to_image) = match (images, captions) {
            (None, None) => return Err(format!("neither {IMAGES} nor {CAPTIONS} is there")),
            (Some(images), None) => {
                let captions = turned(&images);
                (images, captions)
            }
            (None, Some(captions)) => (turned(&captions), captions),
            (Some(images), Some(captions)) => (images, captions),
        };
        for (caption, &image) in split.image_of_caption.iter().enumerate() {
            if let Some(right) = image_to_text.get_mut(&image) {
                right.insert(caption);
            }
            if let Some(right) = text_to_image.get_mut(&caption) {
                right.insert(image);
            }
        }
        Ok(Self { image_to_text, text_to_image })
    }

    /// The same for what is left of their split [without](Split::without) some images. A query of which no right
    /// answer is left is dropped.
    pub fn without(&self, split: &Split, left_out: &[usize]) -> Self {
        let images = split.places_without(left_out);
        let mut next = 0;
        let captions: Vec<Option<usize>> = split
            .image_of_caption
            .iter()
            .map(|image| {
                let kept = images[*image].is_some();
                next += usize::from(kept);
                kept.then(|| next - 1)
            })
            .collect();
        let kept = |part: &BTreeMap<usize, BTreeSet<usize>>,
                    queries: &[Option<usize>],
                    answers: &[Option<usize>]| {
            let pair = |(query, right): (&usize, &BTreeSet<usize>)| {
                let right: BTreeSet<usize> = right.iter().filter_map(|at| answers[*at]).collect();
                Some((queries[*query]?, right)).filter(|(_, right)| !right.is_empty())
            };
            part.iter().filter_map(pair).collect()
        };
        Self {
            image_to_text: kept(&self.image_to_text, &images, &captions),
            text_to_image: kept(&self.text_to_image, &captions, &images),
        }
    }

    /// Measures the queries that have them.
    ///
    /// # Errors
    /// As [`Pairs::block`].
    pub fn measure(&self, pairs: &Pairs<'_>) -> Result<PositiveMetrics> {
        let captions = pairs.captions();
        let mut of_images = Vec::with_capacity(self.image_to_text.len());
        let mut of_captions: Vec<TopK> =
            self.text_to_image.values().map(|right| TopK::new(right.len())).collect();
        pairs.for_rows(|images, scores| {
            for (image, row) in images.zip(scores.chunks_exact(captions)) {
                if let Some(right) = self.image_to_text.get(&image) {
                    let mut top = TopK::new(right.len());
                    for (index, &score) in row.iter().enumerate() {
                        top.push(Hit { index, score });
                    }
                    of_images.push(relevance(top, right));
                }
                for (caption, top) in self.text_to_image.keys().zip(&mut of_captions) {
                    top.push(Hit { index: image, score: row[*caption] });
                }
            }
            Ok(())
        })?;
        let of_captions: Vec<Vec<bool>> = of_captions
            .into_iter()
            .zip(self.text_to_image.values())
            .map(|(top, right)| relevance(top, right))
            .collect();
        let recall =
            |of: &[Vec<bool>]| PositiveRecall::from_relevance(of.iter().map(Vec::as_slice));
        Ok(PositiveMetrics {
            image_to_text: recall(&of_images),
            text_to_image: recall(&of_captions),
        })
    }
}

/// Which of the best answers are right.
fn relevance(top: TopK, right: &BTreeSet<usize>) -> Vec<bool> {
    top.into_hits().iter().map(|hit| right.contains(&hit.index)).collect()
}

fn turned(pairs: &BTreeMap<usize, BTreeSet<usize>>) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut turned: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (query, answers) in pairs {
        for answer in answers {
            turned.entry(*answer).or_default().insert(*query);
        }
    }
    turned
}

/// What a split calls its images and captions.
struct Names<'a> {
    split: &'a Split,
    images: HashMap<&'a str, usize>,
}

/// What a name is of.
#[derive(Clone, Copy)]
enum Side {
    Image,
    Caption,
}

impl<'a> Names<'a> {
    fn new(split: &'a Split) -> Self {
        let images =
            split.images.iter().enumerate().map(|(at, image)| (image.id.as_str(), at)).collect();
        Self { split, images }
    }

    fn find(&self, side: Side, name: &str) -> Result<usize, String> {
        match side {
            Side::Image => self.image(name),
            Side::Caption => self.caption(name),
        }
    }

    fn image(&self, id: &str) -> Result<usize, String> {
        let found = self.images.get(id).copied();
        found.ok_or_else(|| format!("image id {id:?} is not in split {}", self.split.name))
    }

    fn caption(&self, index: &str) -> Result<usize, String> {
        let captions = self.split.captions.len();
        let found = index.parse().ok().filter(|caption| *caption < captions);
        found.ok_or_else(|| {
            format!("{index:?} is not the index of one of the {captions} captions, from 0")
        })
    }

    fn part(
        &self,
        part: &str,
        Entries(entries): Entries<Value>,
        query: Side,
        answer: Side,
    ) -> Result<BTreeMap<usize, BTreeSet<usize>>, String> {
        let mut all = BTreeMap::new();
        for (key, value) in entries {
            let place = format!("{part}.{key:?}");
            let asked = self.find(query, &key).map_err(|e| format!("{place}: {e}"))?;
            let Value::Array(values) = value else {
                return Err(format!("{place}: {value} is not a list"));
            };
            let mut answers = BTreeSet::new();
            for (at, value) in values.iter().enumerate() {
                let name = match value {
                    Value::String(name) => name.clone(),
                    Value::Number(number) => number.to_string(),
                    other => return Err(format!("{place}[{at}]: {other} is no name or number")),
                };
                let found = self.find(answer, &name).map_err(|e| format!("{place}[{at}]: {e}"))?;
                if !answers.insert(found) {
                    return Err(format!("{place}[{at}]: {name} stands there twice"));
                }
            }
            if all.insert(asked, answers).is_some() {
                return Err(format!("{place}: stands there twice"));
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests;
