//! The shaders against a naive one, on one adapter, in one run: a JSON line a work, with the least of
//! several interleaved times. Each time is that of a call: dispatch, wait, read back, merge.
//!
//! `cargo bench --workspace --bench similarity_gpu`. The sizes suit a software adapter; `AVSE_BENCH_SCALE=8` takes eight
//! times the rows. With `-- --merge bench/similarity.json` the rows replace those of an earlier run in that file, and with
//! `--table bench/README.md` the comparison with the adapter's roofs is written there.
#![allow(clippy::disallowed_macros)]

mod naive;
mod processor;
mod report;
mod roof;
mod roofs;

use std::path::{Path, PathBuf};
use std::time::Instant;

use avse_core::similarity::Direction::ImagesForCaption;
use avse_core::similarity::gpu::{GpuEngine, GpuOptions, Storage, wgpu};
use avse_core::similarity::{BlockShape, Blocks, Hit, QuantisedBlocks, Stored, normalise};
use naive::Naive;
use pollster::block_on;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use report::Row;
use roofs::Roofs;

const IMAGE: BlockShape = BlockShape { blocks: 8, width: 256 };
const CAPTION: BlockShape = BlockShape { blocks: 4, width: 256 };
/// The machine does other things too: the least of so many.
pub const RUNS: usize = 15;
const K: usize = 10;

fn main() -> avse_core::Result<()> {
    // cargo adds `--bench`.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let mut options = [("--merge", None), ("--table", None)];
    for words in arguments.chunks(2) {
        match (options.iter_mut().find(|(name, _)| *name == words[0]), words.get(1)) {
            (Some((_, path)), Some(word)) => *path = Some(from_root(word)),
            _ => panic!("{}: not `--merge FILE` or `--table FILE`", words.join(" ")),
        }
    }
    let [(_, merge), (_, table)] = options;

    let engine = block_on(GpuEngine::new(&GpuOptions::default()))?;
    let adapter = engine.adapter();
    eprintln!(
        "{} ({:?}), {} {}",
        adapter.name, adapter.device_type, adapter.driver, adapter.driver_info
    );
    let scale =
        std::env::var("AVSE_BENCH_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let roofs = Roofs::measure(&engine);
    let mut rows = matrix(&engine, 200 * scale, 1000)?;
    rows.extend(query(&engine, 10_000 * scale)?);
    rows.extend(report::roof_rows(&roofs, &adapter.name));
    for row in &rows {
        println!("{}", serde_json::to_string(row).expect("a row"));
    }
    let written = merge.map_or(Ok(()), |path| report::merge(&path, &rows));
    let written =
        written.and_then(|()| table.map_or(Ok(()), |path| report::tabulate(&path, &rows, &roofs)));
    written.expect("the report");
    Ok(())
}

/// cargo runs benchmarks in their package's folder.
fn from_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn unit(seed: u64, rows: usize, shape: BlockShape) -> avse_core::Result<Vec<f32>> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut values: Vec<f32> =
        (0..rows * shape.size()).map(|_| random.random_range(-1.0..1.0)).collect();
    normalise(&mut values, shape)?;
    Ok(values)
}

fn matrix(engine: &GpuEngine, rows: usize, columns: usize) -> avse_core::Result<Vec<Row>> {
    let mut found = Vec::new();
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
        let work = format!("gpu-matrix-{rows}x{columns}-{storage:?}");
        found.push(row(engine, &work, times, flops, bytes));
    }
    Ok(found)
}

fn query(engine: &GpuEngine, rows: usize) -> avse_core::Result<Vec<Row>> {
    let mut found = Vec::new();
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
        if let (Storage::F32, [peer]) = (storage, &peers[..]) {
            assert_eq!(indices(&ours()?[0]), indices(&peer.best(K)));
        }
        let times = interleaved(|| ours().map(drop), theirs)?;
        let work = format!("gpu-query-{rows}-{storage:?}");
        found.push(row(engine, &work, times, flops, gallery.bytes() as f64));
    }

    // Candidates in 8 bits on the device, exact scores of these on the processor.
    let quantised = QuantisedBlocks::from_blocks(images);
    let gallery = block_on(engine.upload_quantised(quantised.view()))?;
    let precise = Stored::F32(images.values());
    let ours = || block_on(engine.search_exact(&gallery, precise, caption, ImagesForCaption, K));
    if let [peer] = &peers[..] {
        assert_eq!(indices(&ours()?[0]), indices(&peer.best(K)));
    }
    let times = interleaved(|| ours().map(drop), theirs)?;
    let work = format!("gpu-query-{rows}-int8-exact");
    found.push(row(engine, &work, times, flops, gallery.bytes() as f64));
    Ok(found)
}

fn indices(hits: &[Hit]) -> Vec<usize> {
    hits.iter().map(|hit| hit.index).collect()
}

/// The least of ours and theirs: seconds that passed, and seconds of the processor.
struct Times {
    passed: [f64; 2],
    processor: [Option<f64>; 2],
}

fn interleaved(
    mut ours: impl FnMut() -> avse_core::Result<()>,
    mut theirs: impl FnMut(),
) -> avse_core::Result<Times> {
    let mut times = Times { passed: [f64::INFINITY; 2], processor: [None; 2] };
    // The first of ours compiles, and copies the gallery where it is read as a texture.
    ours()?;
    theirs();
    for _ in 0..RUNS {
        times.add(0, &mut ours)?;
        times.add(1, || {
            theirs();
            Ok(())
        })?;
    }
    Ok(times)
}

impl Times {
    fn add(
        &mut self,
        side: usize,
        work: impl FnOnce() -> avse_core::Result<()>,
    ) -> avse_core::Result<()> {
        let (processor, begun) = (processor::seconds(), Instant::now());
        work()?;
        self.passed[side] = self.passed[side].min(begun.elapsed().as_secs_f64());
        if let (Some(before), Some(after)) = (processor, processor::seconds()) {
            let least = self.processor[side].unwrap_or(f64::INFINITY);
            self.processor[side] = Some(least.min(after - before));
        }
        Ok(())
    }
}

fn row(engine: &GpuEngine, work: &str, times: Times, flops: f64, bytes: f64) -> Row {
    let [ours, peer] = times.passed;
    let adapter = engine.adapter();
    // Of a real GPU the processor's time says nothing.
    let software = adapter.device_type == wgpu::DeviceType::Cpu;
    let [ours_cpu_s, peer_cpu_s] = times.processor.map(|time| time.filter(|_| software));
    let row = Row {
        work: work.to_lowercase(),
        ours_s: ours,
        peer: Some("naive shader, one invocation a pair".into()),
        peer_s: Some(peer),
        ratio: Some(peer / ours),
        ours_range_s: None,
        peer_range_s: None,
        runs: Some(RUNS),
        flops: Some(flops),
        bytes: Some(bytes),
        adapter: Some(adapter.name),
        ours_cpu_s,
        peer_cpu_s,
    };
    eprintln!(
        "{}: {:.2} ms, peer {:.2} ms, {:.2}; of the processor's time {:.2}",
        row.work,
        ours * 1e3,
        peer * 1e3,
        peer / ours,
        row.processor_ratio().unwrap_or(f64::NAN),
    );
    row
}
