use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// Ranks by sorting, the plain way; coarse scores make many ties.
fn by_sorting(scores: &[f32], right: &[usize]) -> usize {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a])); // Stable: ties by index.
    order.iter().position(|index| right.contains(index)).unwrap()
}

#[test]
fn ranks_agree_with_sorting_for_uneven_captions_and_ties() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for _ in 0..20 {
        let images = 11;
        let mut owner: Vec<usize> = (0..images).collect();
        owner.extend((0..30).map(|_| rng.random_range(0..images)));
        let captions = owner.len();
        let scores: Vec<f32> =
            (0..images * captions).map(|_| rng.random_range(0..12) as f32).collect();
        let matrix = ScoreMatrix::new(scores.clone(), images, owner.clone()).unwrap();

        let (ranks, top) = (matrix.image_to_text_ranks(), matrix.image_to_text_top1());
        for image in 0..images {
            let row = &scores[image * captions..][..captions];
            let own: Vec<usize> = (0..captions).filter(|&c| owner[c] == image).collect();
            assert_eq!(ranks[image], by_sorting(row, &own));
            assert_eq!(by_sorting(row, &[top[image]]), 0);
        }
        let (ranks, top) = (matrix.text_to_image_ranks(), matrix.text_to_image_top1());
        for caption in 0..captions {
            let column: Vec<f32> = (0..images).map(|i| scores[i * captions + caption]).collect();
            assert_eq!(ranks[caption], by_sorting(&column, &[owner[caption]]));
            assert_eq!(by_sorting(&column, &[top[caption]]), 0);
        }
    }
}

#[test]
fn recall_of_known_ranks() {
    let recall = Recall::from_ranks(&[0, 3, 4, 5, 9, 10]);
    assert_eq!(recall.r1, 100.0 / 6.0);
    assert_eq!((recall.r5, recall.r10), (50.0, 500.0 / 6.0));
    // The median of 4 and 5 is 4.5: rounded down, plus 1.
    assert_eq!(recall.median_rank, 5.0);
    assert!((recall.mean_rank - (31.0 / 6.0 + 1.0)).abs() < 1e-12);
    assert_eq!(Recall::from_ranks(&[7, 0, 2]).median_rank, 3.0);
    assert_eq!(Recall::from_ranks(&[]), Recall::default());
}

#[test]
fn a_perfect_matrix_scores_600() {
    let scores = (0..6 * 12).map(|i| if i / 12 == i % 12 / 2 { 1.0 } else { 0.0 }).collect();
    let metrics = ScoreMatrix::uniform(scores, 6, 2).unwrap().evaluate();
    assert_eq!(metrics.rsum, 600.0);
    assert_eq!((metrics.image_to_text.median_rank, metrics.text_to_image.mean_rank), (1.0, 1.0));
}

#[test]
fn folds_see_only_their_own_images_and_captions() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let scores: Vec<f32> = (0..20 * 60).map(|_| rng.random()).collect();
    let matrix = ScoreMatrix::uniform(scores.clone(), 20, 3).unwrap();
    let folds = matrix.folds(5).unwrap();
    for (index, fold) in folds.iter().enumerate() {
        let part: Vec<f32> =
            (0..4 * 12).map(|i| scores[(index * 4 + i / 12) * 60 + index * 12 + i % 12]).collect();
        assert_eq!(*fold, ScoreMatrix::uniform(part, 4, 3).unwrap().evaluate());
    }
    let mean = matrix.five_fold().unwrap();
    let rsum = folds.iter().map(|fold| fold.rsum).sum::<f64>() / 5.0;
    assert!((mean.rsum - rsum).abs() < 1e-9);
    assert!(mean.rsum > matrix.evaluate().rsum, "a smaller pool is easier");
    assert!(matrix.folds(3).is_err() && matrix.folds(0).is_err() && matrix.fold(5..21).is_err());
}

#[test]
fn bad_matrices_are_named_errors() {
    let message = |scores: Vec<f32>, images, owner: &[usize]| {
        ScoreMatrix::new(scores, images, owner.to_vec()).unwrap_err().to_string()
    };
    assert!(message(vec![0.0; 5], 2, &[0, 1, 1]).contains("5 scores"));
    assert!(message(vec![0.0; 6], 2, &[0, 1, 2]).contains("caption 2"));
    assert!(message(vec![0.0; 6], 2, &[1, 1, 1]).contains("image 0"));
    let mut scores = vec![0.0; 6];
    scores[4] = f32::NAN;
    assert!(message(scores, 2, &[0, 1, 1]).contains("image 1 and caption 1"));
}
