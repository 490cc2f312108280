//! Pixels to network input.

use avse_core::image::pixels::{Preprocess, RgbImage};

use super::fixture::Fixture;

const TOLERANCE: f32 = 1e-4;

pub fn resized_and_normalised_as_officially() {
    let fixture = Fixture::open("preprocess");
    let constants = |key: &str| {
        [0, 1, 2].map(|channel| fixture.json["config"][key][channel].as_f64().unwrap() as f32)
    };
    let tensors = fixture.json["tensors"].as_object().unwrap();
    let mut compared = 0;
    for name in tensors.keys() {
        let Some((image, output)) = name.split_once(".out") else { continue };
        let preprocess = Preprocess {
            resolution: output.parse().unwrap(),
            mean: constants("mean"),
            std: constants("std"),
        };
        let (bytes, shape) = fixture.i64(&format!("{image}.bytes"));
        let bytes: Vec<u8> = bytes.into_iter().map(|value| value.try_into().unwrap()).collect();
        let pixels = match shape[..] {
            [height, width] => RgbImage::from_gray(width, height, &bytes).unwrap(),
            [height, width, _] => RgbImage::from_raw(width, height, bytes).unwrap(),
            _ => panic!("{image}: {shape:?}"),
        };
        let (wanted, shape) = fixture.f32(name);
        assert_eq!(shape, [3, preprocess.resolution, preprocess.resolution]);
        let got = preprocess.evaluate(&pixels);
        assert_eq!(got.len(), wanted.len());
        for (index, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
            assert!((got - wanted).abs() <= TOLERANCE, "{name}[{index}]: {got}, {wanted}");
        }
        compared += 1;
    }
    assert!(compared > 0);
}
