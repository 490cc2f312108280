//! CSV beside Python's `csv`.

use trainer_native::data::{Dataset, DatasetSpec, Split};

use super::case::{Case, Outcome};

pub fn check(case: &Case) -> Outcome {
    let expected = case.expected.clone().map(|rows| serde_json::from_value(rows).unwrap());
    Outcome::of(read(case).map(|split| captions(&split)), expected)
}

/// The only split of a file, which names none.
pub fn read(case: &Case) -> Result<Split, String> {
    let spec = DatasetSpec { name: "f30k".into(), data_path: case.input.clone(), images: None };
    let read = || Dataset::open(&spec)?.split("test");
    read().map_err(|error| error.to_string())
}

fn captions(split: &Split) -> Vec<(String, Vec<String>)> {
    let mut all: Vec<_> = split.images.iter().map(|image| (image.id.clone(), vec![])).collect();
    for (caption, &image) in split.captions.iter().zip(&split.image_of_caption) {
        all[image].1.push(caption.clone());
    }
    all
}
