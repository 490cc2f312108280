use super::*;
use crate::metrics::ScoreMatrix;

#[test]
fn ranks_are_those_of_the_matrix() {
    let mut rng = rng(31);
    let mut compared = 0;
    for round in 0..35 {
        let (image, caption) = shapes(&mut rng);
        let kind = Kind::ALL[round % Kind::ALL.len()];
        let rows = rng.random_range(1..50);
        let columns = rows + rng.random_range(0..60);
        // Every image has a caption; the others fall anywhere, in any order.
        let mut of_caption: Vec<usize> =
            (0..columns).map(|at| if at < rows { at } else { rng.random_range(0..rows) }).collect();
        for at in (1..columns).rev() {
            of_caption.swap(at, rng.random_range(0..=at));
        }
        let images = kind.embeddings(&mut rng, rows, image);
        let captions = kind.embeddings(&mut rng, columns, caption);
        let images = Blocks::new(&images, image).unwrap();
        let captions = Blocks::new(&captions, caption).unwrap();
        for engine in engines() {
            let matrix = plain_matrix(&engine, images, captions);
            let ranks = engine.ranks_exact(images, captions, &of_caption);
            let Ok(matrix) = ScoreMatrix::new(matrix, rows, of_caption.clone()) else { continue };
            let ranks = ranks.unwrap();
            assert_eq!(ranks.image_to_text, matrix.image_to_text_ranks(), "{engine:?} {kind:?}");
            assert_eq!(ranks.text_to_image, matrix.text_to_image_ranks(), "{engine:?} {kind:?}");
            assert_eq!(ranks.evaluate(), matrix.evaluate());
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared}");
}

#[test]
fn wrong_pairs_are_refused() {
    let shape = BlockShape { blocks: 1, width: 4 };
    let values = [0.5; 8];
    let blocks = Blocks::new(&values, shape).unwrap();
    let refused =
        |of: &[usize]| Engine::new().ranks_exact(blocks, blocks, of).unwrap_err().to_string();
    assert!(refused(&[0]).contains("2 captions of which 1"));
    assert!(refused(&[0, 2]).contains("caption 1 is of image 2"));
    assert!(refused(&[0, 0]).contains("image 1 has no caption"));
    let (one, two) = (BlockShape { blocks: 1, width: 4 }, BlockShape { blocks: 2, width: 4 });
    let (image, caption) = ([1e30; 4], [1e30, 0.0, 0.0, 0.0, -1e30, 0.0, 0.0, 0.0]);
    let image = Blocks::new(&image, one).unwrap();
    let caption = Blocks::new(&caption, two).unwrap();
    for engine in engines() {
        let error = engine.ranks_exact(image, caption, &[0]).unwrap_err().to_string();
        assert!(error.contains("image 0 and caption 0 is not a number"), "{error}");
    }
}
