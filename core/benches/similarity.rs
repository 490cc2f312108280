//! The similarity kernels of every instruction set that this machine has, at a size that takes
//! seconds: `cargo bench --workspace --bench similarity`. Beside peers they are measured by
//! `cargo xtask bench similarity`.
#![allow(clippy::unwrap_used)]

use avse_core::similarity::Direction::ImagesForCaption;
use avse_core::similarity::cpu::{Engine, Kernel};
use avse_core::similarity::{BlockShape, Blocks, GalleryView, QuantisedBlocks, Stored, normalise};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use half::f16;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const IMAGE: BlockShape = BlockShape { blocks: 8, width: 256 };
const CAPTION: BlockShape = BlockShape { blocks: 4, width: 256 };
const IMAGES: usize = 100;
const CAPTIONS: usize = 5 * IMAGES;
const GALLERY: usize = 10_000;
const TOP: usize = 10;

fn engines() -> impl Iterator<Item = Engine> {
    Kernel::ALL.into_iter().filter_map(|kernel| Engine::with(kernel).ok())
}

fn raw(seed: u64, rows: usize, shape: BlockShape) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..rows * shape.size()).map(|_| rng.random_range(-1.0f32..1.0)).collect()
}

fn unit(seed: u64, rows: usize, shape: BlockShape) -> Vec<f32> {
    let mut values = raw(seed, rows, shape);
    normalise(&mut values, shape).unwrap();
    values
}

fn name(kind: &str, engine: &Engine) -> BenchmarkId {
    BenchmarkId::new(kind, format!("{:?}", engine.kernel()))
}

/// Elements are pairs of an image and a caption: 16,384 operations each.
fn pairs(criterion: &mut Criterion) {
    let (images, captions) = (unit(1, IMAGES, IMAGE), unit(2, CAPTIONS, CAPTION));
    let images = Blocks::new(&images, IMAGE).unwrap();
    let captions = Blocks::new(&captions, CAPTION).unwrap();
    let own: Vec<usize> = (0..CAPTIONS).map(|caption| caption / 5).collect();
    let mut scores = vec![0.0; IMAGES * CAPTIONS];
    let mut group = criterion.benchmark_group(format!("{IMAGES}x{CAPTIONS}"));
    group.throughput(Throughput::Elements((IMAGES * CAPTIONS) as u64)).sample_size(10);
    for engine in engines() {
        group.bench_function(name("matrix", &engine), |bencher| {
            bencher.iter(|| engine.score_matrix(images, captions, &mut scores).unwrap());
        });
        group.bench_function(name("ranks", &engine), |bencher| {
            bencher.iter(|| engine.ranks_exact(images, captions, &own).unwrap());
        });
    }
}

/// Bytes are those of the gallery: a query reads each once.
fn queries(criterion: &mut Criterion) {
    let (images, caption) = (unit(3, GALLERY, IMAGE), unit(4, 1, CAPTION));
    let halves: Vec<f16> = images.iter().map(|&value| f16::from_f32(value)).collect();
    let quantised = QuantisedBlocks::from_blocks(Blocks::new(&images, IMAGE).unwrap());
    let caption = Blocks::new(&caption, CAPTION).unwrap();
    let precise = GalleryView {
        shape: IMAGE,
        rows: GALLERY,
        precise: Some(Stored::F32(&images)),
        quantised: None,
    };
    let galleries = [
        ("f32", precise, 4),
        ("f16", GalleryView { precise: Some(Stored::F16(&halves)), ..precise }, 2),
        ("int8", GalleryView { quantised: Some(quantised.view()), ..precise }, 1),
    ];
    let mut group = criterion.benchmark_group(format!("query-{GALLERY}"));
    for (stored, gallery, bytes) in galleries {
        group.throughput(Throughput::Bytes((images.len() * bytes) as u64)).sample_size(20);
        for engine in engines() {
            group.bench_function(name(stored, &engine), |bencher| {
                bencher.iter(|| engine.search(caption, &gallery, ImagesForCaption, TOP).unwrap());
            });
        }
    }
}

/// What building a gallery does to every embedding; bytes are those of the f32 numbers.
fn preparation(criterion: &mut Criterion) {
    let (raw, unit) = (raw(5, 1000, IMAGE), unit(5, 1000, IMAGE));
    let blocks = Blocks::new(&unit, IMAGE).unwrap();
    let mut group = criterion.benchmark_group("preparation");
    group.throughput(Throughput::Bytes(size_of_val(raw.as_slice()) as u64)).sample_size(20);
    group.bench_function("normalise", |bencher| {
        let work = |mut values: Vec<f32>| normalise(&mut values, IMAGE).unwrap();
        bencher.iter_batched(|| raw.clone(), work, BatchSize::LargeInput);
    });
    group.bench_function("quantise", |bencher| {
        bencher.iter(|| QuantisedBlocks::from_blocks(blocks));
    });
}

criterion_group!(benches, pairs, queries, preparation);
criterion_main!(benches);
