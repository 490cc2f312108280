//! The CPU engine against the plain tensor form, every family of kernels.
#![allow(clippy::unwrap_used)]

use avse_core::similarity::cpu::{Engine, Kernel};
use avse_core::similarity::reference::{match_blocks, unit_blocks};
use avse_core::similarity::{
    BlockShape, Blocks, Direction, GalleryView, QuantisedBlocks, Stored, normalise,
};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Unit blocks `[rows, blocks, width]`.
fn random(rng: &mut ChaCha8Rng, rows: usize, shape: BlockShape) -> Tensor<3> {
    let numbers: Vec<f32> = (0..rows * shape.size()).map(|_| rng.random_range(-1.0..1.0)).collect();
    let data = TensorData::new(numbers, [rows, shape.size()]);
    unit_blocks(Tensor::<2>::from_data(data, &Device::flex()), shape.width)
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// How far two f32 scores of unit blocks can be apart, however each was summed: twice `W + C`
/// roundings of 2^-24 for each of the C caption blocks.
fn rounding(width: usize, caption_blocks: usize) -> f32 {
    (caption_blocks * (width + caption_blocks)) as f32 * 2f32.powi(-23)
}

#[test]
fn scores_are_those_of_the_tensor_form() {
    let mut rng = ChaCha8Rng::seed_from_u64(41);
    let counts = [0, 1, 2, 7, 33];
    for round in 0..40 {
        let width = 4 * rng.random_range(1..=24);
        let image = BlockShape { blocks: round % 16 + 1, width };
        let caption = BlockShape { blocks: rng.random_range(1..=16), width };
        let (rows, columns) = (counts[round % 5], counts[rng.random_range(0..5)]);
        if rows * columns == 0 {
            nothing_to_score(image, caption, rows, columns);
            continue;
        }
        let images = random(&mut rng, rows, image);
        let captions = random(&mut rng, columns, caption);
        let expected = host(match_blocks(images.clone(), captions.clone()));
        let (images, captions) = (host(images), host(captions));
        let images = Blocks::new(&images, image).unwrap();
        let captions = Blocks::new(&captions, caption).unwrap();
        for engine in Kernel::ALL.into_iter().filter_map(|kernel| Engine::with(kernel).ok()) {
            let mut scores = vec![0.0; rows * columns];
            engine.score_matrix(images, captions, &mut scores).unwrap();
            let worst = scores.iter().zip(&expected).map(|(a, b)| (a - b).abs());
            let worst = worst.fold(0f32, f32::max);
            let allowed = rounding(width, caption.blocks);
            assert!(worst <= allowed, "{engine:?} {image:?} {caption:?}: {worst} > {allowed}");
        }
    }
}

fn nothing_to_score(image: BlockShape, caption: BlockShape, rows: usize, columns: usize) {
    let (images, captions) = (vec![0.5; rows * image.size()], vec![0.5; columns * caption.size()]);
    let images = Blocks::new(&images, image).unwrap();
    let captions = Blocks::new(&captions, caption).unwrap();
    Engine::new().score_matrix(images, captions, &mut []).unwrap();
}

#[test]
fn the_best_image_is_that_of_the_tensor_form() {
    let (image, caption) =
        (BlockShape { blocks: 8, width: 256 }, BlockShape { blocks: 4, width: 256 });
    let mut rng = ChaCha8Rng::seed_from_u64(42);
    let (images, captions) = (random(&mut rng, 300, image), random(&mut rng, 5, caption));
    let best = match_blocks(images.clone(), captions.clone()).argmax(0);
    let best: Vec<i64> = best.into_data().convert::<i64>().try_to_vec().unwrap();
    let (images, captions) = (host(images), host(captions));
    let bytes = QuantisedBlocks::from_blocks(Blocks::new(&images, image).unwrap());
    let gallery = GalleryView {
        shape: image,
        rows: 300,
        precise: Some(Stored::F32(&images)),
        quantised: Some(bytes.view()),
    };
    let captions = Blocks::new(&captions, caption).unwrap();
    let found = Engine::new().search(captions, &gallery, Direction::ImagesForCaption, 3).unwrap();
    let found: Vec<i64> = found.iter().map(|hits| hits[0].index as i64).collect();
    assert_eq!(found, best);
}

#[test]
fn normalised_as_the_tensor_form_does() {
    let shape = BlockShape { blocks: 2, width: 4 };
    let values: Vec<f32> = (0..24).map(|at| if at < 4 { 0.0 } else { at as f32 - 9.5 }).collect();
    let tensor = Tensor::<2>::from_data(TensorData::new(values.clone(), [3, 8]), &Device::flex());
    let expected = host(unit_blocks(tensor, shape.width));
    let mut ours = values;
    normalise(&mut ours, shape).unwrap();
    assert!(ours.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{ours:?}");
}
