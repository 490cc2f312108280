//! Tar files beside Python's `tarfile`.

use avse_core::gallery::ContentHash;
use trainer_native::data::picture;

use super::case::{Case, Outcome};
use super::tables;

/// Key, caption and the picture's hash.
type Sample = (String, String, String);

pub fn check(case: &Case) -> Outcome {
    let expected = case.expected.clone().map(|samples| serde_json::from_value(samples).unwrap());
    Outcome::of(samples(case), expected)
}

fn samples(case: &Case) -> Result<Vec<Sample>, String> {
    let split = tables::read(case)?;
    let shard = case.input.file_stem().unwrap().to_str().unwrap();
    let sample = |(caption, &image): (&String, &usize)| {
        let image = &split.images[image];
        let bytes = picture::read(&image.path).map_err(|error| error.to_string())?;
        let key = image.id.strip_prefix(&format!("{shard}/")).unwrap_or(&image.id).to_owned();
        Ok((key, caption.clone(), ContentHash::of(&bytes).to_string()))
    };
    split.captions.iter().zip(&split.image_of_caption).map(sample).collect()
}
