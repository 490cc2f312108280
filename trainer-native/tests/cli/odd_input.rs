//! Input that is unusual and still right.

use std::path::Path;

use npyz::NpyFile;

use super::pictures;
use super::support::{CAPTIONS, Fixture};

/// Writes a picture of one form.
type Draw = fn(&Path);

/// A 16-bit, gray, palette, transparent or animated picture trains and scores as the plain
/// one does.
#[test]
fn every_form_of_a_picture_counts_the_same() {
    let forms: [(&str, Draw); 6] = [
        ("plain.png", pictures::plain),
        ("gray.png", pictures::gray),
        ("deep.png", pictures::deep),
        ("palette.png", pictures::palette),
        ("transparent.png", pictures::transparent),
        ("animated.gif", pictures::animated),
    ];
    let fixture = Fixture::new();
    for (index, (name, write)) in forms.into_iter().enumerate() {
        write(&fixture.image(name));
        fixture.remap(&format!("train{index}"), name);
        fixture.remap(&format!("test{index}"), name);
    }
    fixture.train("run", &[]).succeeds();
    let (bytes, _) = fixture.scores("run/best");
    let scores: Vec<f32> = NpyFile::new(bytes.as_slice()).unwrap().into_vec().unwrap();
    let (plain, others) = scores.split_at(6 * CAPTIONS);
    for ((name, _), row) in forms[1..].iter().zip(others.chunks(6 * CAPTIONS)) {
        for (score, other) in plain.iter().zip(row) {
            assert!((score - other).abs() < 1e-5, "{name}: {other} instead of {score}");
        }
    }
}

#[test]
fn a_single_pixel_is_a_picture() {
    let fixture = Fixture::new();
    for id in ["train0", "dev0", "test0"] {
        let pixel = image::RgbImage::from_pixel(1, 1, image::Rgb([9, 200, 30]));
        pixel.save(fixture.image(&format!("{id}.png"))).unwrap();
    }
    fixture.train("run", &[]).succeeds();
    fixture.eval("run/best", &[]).succeeds();
}

#[test]
fn long_captions_are_cut_and_counted() {
    let fixture = Fixture::new();
    let long = "sentence of picture ".repeat(667);
    fixture.replace_line("data/f30k/train_caps.txt", 9, long.as_bytes());
    fixture.replace_line("data/f30k/test_caps.txt", 1, long.as_bytes());
    let said = fixture.train("run", &["--num_epochs", "1"]).succeeds();
    assert!(said.stderr.contains("1 captions were longer"), "{}", said.stderr);
    let record: serde_json::Value = serde_json::from_slice(&fixture.read("run/log.jsonl")).unwrap();
    assert_eq!(record["truncated_captions"], 1);
    let report = fixture.eval("run/best", &[]).succeeds().json();
    assert_eq!(report["truncated_captions"], 1);
}
