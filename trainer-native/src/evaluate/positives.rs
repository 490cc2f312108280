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
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use avse_core::metrics::{PositiveMetrics, PositiveRecall};
use avse_core::similarity::{Hit, TopK};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::Pairs;
use crate::data::Split;
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
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
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

/// An object's entries in their order, equal keys among them.
struct Entries<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Collect<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Collect(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Embeddings, EncodedSplit};
    use super::*;
    use crate::data::ImageEntry;
    use avse_core::similarity::BlockShape;

    /// Three images, `a` and `b` with two captions, `c` with one.
    fn split() -> Split {
        let image = |id: &str| ImageEntry { id: id.into(), path: id.into() };
        Split {
            name: "test".into(),
            images: ["a", "b", "7"].map(image).into(),
            captions: (0..5).map(|at| format!("caption {at}")).collect(),
            image_of_caption: vec![0, 0, 1, 1, 2],
            kinds: None,
        }
    }

    /// Embeddings with given scores: caption j is the j-th unit vector, an image its scores.
    fn encoded(scores: [[f32; 5]; 3]) -> EncodedSplit {
        let shape = BlockShape { blocks: 1, width: 8 };
        let row = |row: [f32; 5]| row.into_iter().chain([0.0; 3]);
        let unit = |at: usize| (0..8).map(move |i| f32::from(u8::from(i == at)));
        EncodedSplit {
            images: Embeddings::new(scores.into_iter().flat_map(row).collect(), shape),
            captions: Embeddings::new((0..5).flat_map(unit).collect(), shape),
            image_of_caption: split().image_of_caption,
            truncated: 0,
        }
    }

    const SCORES: [[f32; 5]; 3] =
        [[0.9, 0.1, 0.8, 0.2, 0.3], [0.2, 0.3, 0.5, 0.4, 0.6], [0.95, 0.4, 0.1, 0.7, 0.65]];

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
    }

    #[test]
    fn figures_by_hand() {
        let file = r#"{"image_to_text": {"a": [2], "b": []}, "text_to_image": {"0": ["7"], "4": ["b", 7]}}"#;
        let positives = Positives::parse(file, &split()).unwrap();
        let encoded = [encoded(SCORES)];
        let found = positives.measure(&Pairs::new(&encoded).unwrap()).unwrap();
        // a: right are 0, 1, 2, found 0 2 4: precisions 1 and 1 of 3. b: right are 2, 3, found 4 2: 1/2 of 2.
        let images = found.image_to_text;
        assert_eq!(images.queries, 2);
        close(images.r1, 50.0);
        close(images.r_precision, 100.0 * (2.0 / 3.0 + 1.0 / 2.0) / 2.0);
        close(images.map_at_r, 100.0 * (2.0 / 3.0 + 1.0 / 4.0) / 2.0);
        // Caption 0: right are a and 7, found 7 a. Caption 4: right are 7 and b, found 7 b.
        let captions = found.text_to_image;
        assert_eq!(captions.queries, 2);
        for figure in [captions.r1, captions.r_precision, captions.map_at_r] {
            close(figure, 100.0);
        }
    }

    #[test]
    fn a_missing_part_is_the_other_turned_round() {
        let file = r#"{"text_to_image": {"0": ["7"], "4": []}}"#;
        let positives = Positives::parse(file, &split()).unwrap();
        // Only what the file says is turned: caption 4 adds no query to the images.
        let sets = |of: &[(usize, &[usize])]| {
            of.iter().map(|(query, right)| (*query, right.iter().copied().collect())).collect()
        };
        let expected = Positives {
            image_to_text: sets(&[(2, &[0, 4])]),
            text_to_image: sets(&[(0, &[0, 2]), (4, &[2])]),
        };
        assert_eq!(positives, expected);
    }

    #[test]
    fn wrong_files_are_refused_by_key() {
        for (file, parts) in [
            ("[]", ["object", "line 1"]),
            ("{}", [IMAGES, CAPTIONS]),
            (r#"{"image_to_txt": {}}"#, ["unknown", "image_to_txt"]),
            (r#"{"image_to_text": [1]}"#, [IMAGES, "not an object"]),
            (r#"{"image_to_text": {"z": [1]}}"#, [r#"image_to_text."z""#, "split test"]),
            (r#"{"image_to_text": {"a": 1}}"#, [r#"image_to_text."a""#, "list"]),
            (r#"{"image_to_text": {"a": [1, 5]}}"#, [r#"image_to_text."a"[1]"#, "5 captions"]),
            (r#"{"image_to_text": {"a": [1.5]}}"#, [r#"image_to_text."a"[0]"#, "1.5"]),
            (r#"{"image_to_text": {"a": [null]}}"#, [r#"image_to_text."a"[0]"#, "null"]),
            (r#"{"image_to_text": {"a": [1, 1]}}"#, [r#"image_to_text."a"[1]"#, "twice"]),
            (r#"{"image_to_text": {"a": [], "a": []}}"#, [r#"image_to_text."a""#, "twice"]),
            (r#"{"image_to_text": {}, "image_to_text": {}}"#, [IMAGES, "twice"]),
            (r#"{"text_to_image": {"-1": []}}"#, [r#"text_to_image."-1""#, "index"]),
            (r#"{"text_to_image": {"0": ["q"]}}"#, [r#"text_to_image."0"[0]"#, "split test"]),
        ] {
            let error = Positives::parse(file, &split()).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{file}: {error}");
        }
    }
}
