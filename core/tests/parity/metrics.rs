//! Ranks and recalls.

use avse_core::metrics::{Recall, ScoreMatrix};

use super::fixture::Fixture;

pub fn ranks_and_recalls_are_the_official_ones() {
    let fixture = Fixture::open("metrics");
    let (scores, shape) = fixture.f32("sims");
    let [images, captions] = shape[..] else { panic!("{shape:?}") };
    assert_eq!(images as u64, fixture.json["config"]["n_img"]);
    assert_eq!(captions as u64, fixture.json["config"]["n_cap"]);
    let matrix = ScoreMatrix::uniform(scores, images, captions / images).unwrap();

    for (name, got) in [
        ("i2t_ranks", matrix.image_to_text_ranks()),
        ("t2i_ranks", matrix.text_to_image_ranks()),
        ("i2t_top1", matrix.image_to_text_top1()),
        ("t2i_top1", matrix.text_to_image_top1()),
    ] {
        let got: Vec<i64> = got.into_iter().map(|value| value as i64).collect();
        assert_eq!(got, fixture.i64(name).0, "{name}");
    }
    let metrics = matrix.evaluate();
    for (name, got) in [("i2t", metrics.image_to_text), ("t2i", metrics.text_to_image)] {
        let wanted = &fixture.json[name];
        let Recall { r1, r5, r10, median_rank, mean_rank } = got;
        for (key, value) in
            [("r1", r1), ("r5", r5), ("r10", r10), ("medr", median_rank), ("meanr", mean_rank)]
        {
            let wanted = wanted[key].as_f64().unwrap();
            assert!((value - wanted).abs() < 1e-9, "{name} {key}: {value}, {wanted}");
        }
    }
    let rsum = fixture.json["rsum"].as_f64().unwrap();
    assert!((metrics.rsum - rsum).abs() < 1e-9, "{} {rsum}", metrics.rsum);
}
