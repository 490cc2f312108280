//! Karpathy's splits of Flickr30K and MS-COCO: `dataset_flickr30k.json`, `dataset_coco.json`.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use avse_core::input::encoding;
use avse_core::input::json::Unique;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::layout::stays_inside;
use super::problem::ProblemKind;
use super::samples::{Named, Reading, Record};

/// One entry of `images`. The COCO file has some 120,000 with tokens and more; only this is kept.
#[derive(Debug, Deserialize)]
pub(super) struct KarpathyImage {
    /// Name of the picture's file.
    pub filename: String,
    /// Its folder below that of all pictures (COCO).
    #[serde(default)]
    pub filepath: Option<String>,
    /// `train`, `restval`, `val` or `test`.
    pub split: String,
    /// Its captions.
    #[serde(default)]
    pub sentences: Vec<Sentence>,
    /// Its number.
    #[serde(default)]
    pub imgid: Option<u64>,
    /// Its number in COCO.
    #[serde(default)]
    pub cocoid: Option<u64>,
}

/// A caption.
#[derive(Debug, Deserialize)]
pub(super) struct Sentence {
    /// As it was written.
    pub raw: String,
}

impl KarpathyImage {
    /// The picture's file below the folder of all pictures.
    pub fn file(&self) -> String {
        match self.filepath.as_deref().map(|folder| folder.trim_end_matches('/')) {
            Some(folder) if !folder.is_empty() => format!("{folder}/{}", self.filename),
            _ => self.filename.clone(),
        }
    }

    /// The number that the official files know it by.
    pub fn id(&self) -> Option<u64> {
        self.cocoid.or(self.imgid)
    }
}

/// Hands each entry of `images` to `each` with its number: an image, or what is wrong with it.
/// Returns the file's `dataset`.
///
/// # Errors
/// What is wrong with the JSON, with its line.
pub(super) fn images(
    file: &Path,
    each: &mut dyn FnMut(usize, Result<KarpathyImage, String>),
) -> Result<Option<String>, (ProblemKind, String)> {
    let broken = |e: std::io::Error| (ProblemKind::MissingFile, e.to_string());
    let mut open = File::open(file).map_err(broken)?;
    let mut start = Vec::new();
    open.by_ref().take(16).read_to_end(&mut start).map_err(broken)?;
    let start = encoding::unmarked(&start).map_err(|e| (ProblemKind::BadRecord, e))?;
    let open = BufReader::with_capacity(1 << 20, start.chain(open));
    let mut json = serde_json::Deserializer::from_reader(open);
    let whole = json.deserialize_map(Whole { each }).and_then(|name| json.end().map(|()| name));
    whole.map_err(|e| (ProblemKind::BadRecord, format!("no dataset of Karpathy's: {e}")))
}

/// Reads a file.
pub(super) fn read(reading: &mut Reading<'_>) {
    let file = reading.file;
    let outcome = images(file, &mut |number, image| {
        let image = match image {
            Ok(image) => image,
            Err(message) => {
                let name = format!("images[{number}]");
                let message = format!("{name}: {message}");
                let record = Named { name: &name, ..Named::default() };
                return reading.broken(ProblemKind::BadRecord, record, message);
            }
        };
        let name = format!("images[{number}] ({:?})", image.filename);
        let path = image.file();
        if !stays_inside(&path) {
            let message = format!("{name}: {path:?} is not a file below the image folder");
            let record = Named { name: &name, split: Some(&image.split), line: None };
            return reading.broken(ProblemKind::BadRecord, record, message);
        }
        let id = image.id().map_or_else(|| image.filename.clone(), |id| id.to_string());
        reading.add(Record {
            id: &id,
            path: reading.images.join(path),
            captions: image.sentences.into_iter().map(|sentence| sentence.raw).collect(),
            split: Some(&image.split),
            line: None,
            name,
        });
    });
    if let Err((kind, message)) = outcome {
        reading.problem(kind, None, message);
    }
}

struct Whole<'a> {
    each: &'a mut dyn FnMut(usize, Result<KarpathyImage, String>),
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a list `images`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut dataset, mut found) = (None, false);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "images" if found => {
                    return Err(serde::de::Error::custom("`images` stands there twice"));
                }
                "images" => {
                    map.next_value_seed(Images(self.each))?;
                    found = true;
                }
                "dataset" => dataset = map.next_value::<Value>()?.as_str().map(str::to_owned),
                _ => drop(map.next_value::<serde::de::IgnoredAny>()?),
            }
        }
        match found {
            true => Ok(dataset),
            false => Err(serde::de::Error::missing_field("images")),
        }
    }
}

/// The list of images, one at a time: the whole would fill gigabytes.
struct Images<'a>(&'a mut dyn FnMut(usize, Result<KarpathyImage, String>));

impl<'de> DeserializeSeed<'de> for Images<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Images<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of images")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut number = 0;
        // By way of a value, so that a wrong entry does not hide those after it.
        while let Some(Unique(value)) = list.next_element()? {
            (self.0)(number, serde_json::from_value(value).map_err(|e| e.to_string()));
            number += 1;
        }
        Ok(())
    }
}
