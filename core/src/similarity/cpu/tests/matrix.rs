use super::*;

fn check(engine: &Engine, images: Blocks<'_>, captions: Blocks<'_>, what: &str) {
    let mut scores = vec![f32::NAN; images.rows() * captions.rows()];
    engine.score_matrix(images, captions, &mut scores).unwrap();
    let (image, caption) = (images.shape(), captions.shape());
    assert!(
        same(&scores, &plain_matrix(engine, images, captions)),
        "{engine:?} {what} {} x {image:?}, {} x {caption:?}",
        images.rows(),
        captions.rows()
    );
}

#[test]
fn every_score_has_the_bits_of_the_plain_loops() {
    let mut rng = rng(1);
    for round in 0..42 {
        let (image, caption) = shapes(&mut rng);
        let kind = Kind::ALL[round % Kind::ALL.len()];
        let (rows, columns) = (rng.random_range(0..40), rng.random_range(0..40));
        let images = kind.embeddings(&mut rng, rows, image);
        let captions = kind.embeddings(&mut rng, columns, caption);
        let images = Blocks::new(&images, image).unwrap();
        let captions = Blocks::new(&captions, caption).unwrap();
        for engine in engines() {
            check(&engine, images, captions, &format!("{kind:?}"));
        }
    }
}

#[test]
fn the_usual_shape_at_odd_counts() {
    let (image, caption) =
        (BlockShape { blocks: 8, width: 256 }, BlockShape { blocks: 4, width: 256 });
    let mut rng = rng(2);
    let images = Kind::Random.embeddings(&mut rng, 37, image);
    let captions = Kind::Random.embeddings(&mut rng, 41, caption);
    let images = Blocks::new(&images, image).unwrap();
    let captions = Blocks::new(&captions, caption).unwrap();
    for engine in engines() {
        for (rows, columns) in [(37, 41), (1, 1), (1, 41), (37, 1), (37, 3)] {
            check(&engine, images.slice(0..rows), captions.slice(0..columns), "usual");
        }
    }
}

#[test]
fn fused_families_agree_to_the_bit() {
    let shape = BlockShape { blocks: 3, width: 64 };
    let values = Kind::Random.embeddings(&mut rng(3), 30, shape);
    let blocks = Blocks::new(&values, shape).unwrap();
    let mut all = Vec::new();
    for engine in engines().filter(fused) {
        let mut scores = vec![0.0; 900];
        engine.score_matrix(blocks, blocks, &mut scores).unwrap();
        all.push(scores);
    }
    assert!(all.windows(2).all(|two| two[0] == two[1]));
}

#[test]
fn what_does_not_fit_is_refused() {
    let (a, b) = (BlockShape { blocks: 2, width: 4 }, BlockShape { blocks: 2, width: 8 });
    let values = [0.5; 16];
    let (images, captions) = (Blocks::new(&values, a).unwrap(), Blocks::new(&values, b).unwrap());
    let engine = Engine::new();
    let error = engine.score_matrix(images, captions, &mut [0.0; 2]).unwrap_err().to_string();
    assert!(error.contains("width 4") && error.contains("width 8"), "{error}");
    let error = engine.score_matrix(images, images, &mut [0.0; 3]).unwrap_err().to_string();
    assert!(error.contains("3 scores for 2 images x 2 captions"), "{error}");
}
