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
    let file =
        r#"{"image_to_text": {"a": [2], "b": []}, "text_to_image": {"0": ["7"], "4": ["b", 7]}}"#;
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
