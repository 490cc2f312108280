//! Pictures beside OpenCV and Pillow.

use avse_core::image::pixels::{DecodeLimits, RgbImage};
use serde::Deserialize;

use super::case::{Case, Outcome};

/// The pixels that the reference reads.
#[derive(Deserialize)]
struct Expected {
    file: String,
    width: usize,
    height: usize,
}

pub fn check(case: &Case) -> Outcome {
    let expected: Option<Expected> =
        case.expected.clone().map(|expected| serde_json::from_value(expected).unwrap());
    let bytes = std::fs::read(&case.input).unwrap();
    let ours = RgbImage::decode(&bytes, &DecodeLimits::default());
    let (image, expected) = match (ours, expected) {
        (Err(_), None) => return Outcome::Identical,
        (Err(error), Some(_)) => return Outcome::Refused(error.to_string()),
        (Ok(image), None) => {
            return Outcome::Unexpected(format!("{} x {}", image.width(), image.height()));
        }
        (Ok(image), Some(expected)) => (image, expected),
    };
    if (image.width(), image.height()) != (expected.width, expected.height) {
        return Outcome::Different(format!(
            "{} x {}, not {} x {}",
            image.width(),
            image.height(),
            expected.width,
            expected.height
        ));
    }
    let wanted = std::fs::read(case.folder.join(&expected.file)).unwrap();
    let pairs = image.data().iter().zip(&wanted);
    let largest = pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
    match largest {
        0 => Outcome::Identical,
        largest => Outcome::Different(format!("by up to {largest} levels")),
    }
}
