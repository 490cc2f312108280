//! The shaders against a naive one, on one adapter, in one run: a JSON line a work, with the least of
//! several interleaved times. Each time is that of a call: dispatch, wait, read back, merge.
//!
//! `cargo bench --workspace --bench similarity_gpu`. The sizes suit a software adapter; `AVSE_BENCH_SCALE=8` takes eight
//! times the rows.

mod naive;

use std::time::Instant;

use avse_core::similarity::Direction::ImagesForCaption;
use avse_core::similarity::gpu::{GpuEngine, GpuOptions, Storage};
use avse_core::similarity::{BlockShape, Blocks, QuantisedBlocks, Stored, normalise};
use naive::Naive;
use pollster::block_on;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const IMAGE: BlockShape = BlockShape { blocks: 8, width: 256 };
const CAPTION: BlockShape = BlockShape { blocks: 4, width: 256 };
const RUNS: usize = 7;
const K: usize = 10;

fn main() -> avse_core::Result<()> {
    let engine = block_on(GpuEngine::new(&GpuOptions::default()))?;
    let adapter = engine.adapter();
    eprintln!(
        "{} ({:?}), {} {}",
        adapter.name, adapter.device_type, adapter.driver, adapter.driver_info
    );
    let scale =
        std::env::var("AVSE_BENCH_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    matrix(&engine, 200 * scale, 1000)?;
    query(&engine, 10_000 * scale)
}

fn unit(seed: u64, rows: usize, shape: BlockShape) -> avse_core::Result<Vec<f32>> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut values: Vec<f32> =
        (0..rows * shape.size()).map(|_| random.random_range(-1.0..1.0)).collect();
    normalise(&mut values, shape)?;
    Ok(values)
}

fn matrix(engine: &GpuEngine, rows: usize, columns: usize) -> avse_core::Result<()> {
    let (images, captions) = (unit(1, rows, IMAGE)?, unit(2, columns, CAPTION)?);
    let (images, captions) = (Blocks::new(&images, IMAGE)?, Blocks::new(&captions, CAPTION)?);
    let peer = Naive::new(engine.device(), engine.queue(), images, captions);
    let expected = peer.scores();
    for storage in [Storage::F32, Storage::F16] {
        let left = block_on(engine.upload(images, storage))?;
        let right = block_on(engine.upload(captions, storage))?;
        let ours = || block_on(engine.score_galleries(&left, &right));
        let error = ours()?.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(
            error < if storage == Storage::F32 { 1e-5 } else { 1e-2 },
            "scores differ by {error}"
        );
        let times = interleaved(|| ours().map(drop), || drop(peer.scores()))?;
        let bytes = if storage == Storage::F32 { 4.0 } else { 2.0 }
            * (images.values().len() + captions.values().len()) as f64;
        let flops = 2.0 * (rows * columns * IMAGE.size() * CAPTION.blocks) as f64;
        report(engine, &format!("gpu-matrix-{rows}x{columns}-{storage:?}"), times, flops, bytes);
    }
    Ok(())
}

fn query(engine: &GpuEngine, rows: usize) -> avse_core::Result<()> {
    let (images, caption) = (unit(3, rows, IMAGE)?, unit(4, 1, CAPTION)?);
    let (images, caption) = (Blocks::new(&images, IMAGE)?, Blocks::new(&caption, CAPTION)?);
    // The peer's binding holds 16,384 images of WebGPU's 128 MiB.
    let peers: Vec<_> = (0..rows)
        .step_by(16_384)
        .map(|first| images.slice(first..rows.min(first + 16_384)))
        .map(|part| Naive::new(engine.device(), engine.queue(), part, caption))
        .collect();
    let theirs = || peers.iter().for_each(|peer| drop(peer.best(K)));
    let flops = 2.0 * (rows * IMAGE.size() * CAPTION.blocks) as f64;
    for storage in [Storage::F32, Storage::F16] {
        let gallery = block_on(engine.upload(images, storage))?;
        let ours = || block_on(engine.search(&gallery, caption, ImagesForCaption, K));
        if storage == Storage::F32 && peers.len() == 1 {
            let found: Vec<usize> = ours()?[0].iter().map(|hit| hit.index).collect();
            let expected: Vec<usize> = peers[0].best(K).iter().map(|hit| hit.index).collect();
            assert_eq!(found, expected);
        }
        let times = interleaved(|| ours().map(drop), theirs)?;
        report(
            engine,
            &format!("gpu-query-{rows}-{storage:?}"),
            times,
            flops,
            gallery.bytes() as f64,
        );
    }

    // Candidates in 8 bits on the device, exact scores of these on the processor.
    let quantised = QuantisedBlocks::from_blocks(images);
    let gallery = block_on(engine.upload_quantised(quantised.view()))?;
    let precise = Stored::F32(images.values());
    let ours = || block_on(engine.search_exact(&gallery, precise, caption, ImagesForCaption, K));
    let times = interleaved(|| ours().map(drop), theirs)?;
    report(engine, &format!("gpu-query-{rows}-int8-exact"), times, flops, gallery.bytes() as f64);
    Ok(())
}

/// The least seconds of ours and theirs.
fn interleaved(
    mut ours: impl FnMut() -> avse_core::Result<()>,
    mut theirs: impl FnMut(),
) -> avse_core::Result<[f64; 2]> {
    let mut least = [f64::INFINITY; 2];
    for _ in 0..RUNS {
        let begun = Instant::now();
        ours()?;
        least[0] = least[0].min(begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        theirs();
        least[1] = least[1].min(begun.elapsed().as_secs_f64());
    }
    Ok(least)
}

fn report(engine: &GpuEngine, work: &str, [ours, peer]: [f64; 2], flops: f64, bytes: f64) {
    let line = serde_json::json!({
        "work": work.to_lowercase(),
        "ours_s": ours,
        "peer": "naive shader, one invocation a pair",
        "peer_s": peer,
        "ratio": peer / ours,
        "adapter": engine.adapter().name,
        "flops": flops,
        "bytes": bytes,
        "gflops_per_s": flops / ours / 1e9,
        "gbytes_per_s": bytes / ours / 1e9,
    });
    println!("{line}");
}
