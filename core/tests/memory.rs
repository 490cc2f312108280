//! Memory of the exact ranks at the size of MS-COCO's test; a process of its own, because a
//! process's greatest memory never falls.
#![allow(clippy::disallowed_macros)]
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use avse_core::similarity::{BlockShape, Blocks, cpu, normalise};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A line of `/proc/self/status`, in MiB.
fn status(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn embeddings(rng: &mut ChaCha8Rng, rows: usize, shape: BlockShape) -> Vec<f32> {
    let mut values: Vec<f32> =
        (0..rows * shape.size()).map(|_| rng.random_range(-1.0..1.0)).collect();
    normalise(&mut values, shape).unwrap();
    values
}

/// 5,000 images, 25,000 captions: their matrix alone would take 477 MiB.
#[test]
fn coco_ranks_stay_below_a_gibibyte_beyond_the_embeddings() {
    let (image, caption) =
        (BlockShape { blocks: 8, width: 256 }, BlockShape { blocks: 4, width: 256 });
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let images = embeddings(&mut rng, 5_000, image);
    let captions = embeddings(&mut rng, 25_000, caption);
    let of_caption: Vec<usize> = (0..25_000).map(|caption| caption / 5).collect();
    let images = Blocks::new(&images, image).unwrap();
    let captions = Blocks::new(&captions, caption).unwrap();
    let before = status("VmRSS");
    let ranks = cpu::ranks_exact(images, captions, &of_caption).unwrap();
    let beyond = status("VmHWM") - before;
    println!("{beyond} MiB beyond the {before} MiB of the process with its embeddings");
    assert_eq!((ranks.image_to_text.len(), ranks.text_to_image.len()), (5_000, 25_000));
    assert!(beyond < 1024, "{beyond} MiB");
}
