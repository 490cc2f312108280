//! What is timed, how many operations and bytes it takes at the least, and who else does it.

use std::time::Instant;

use avse_core::similarity::Direction::ImagesForCaption;
use avse_core::similarity::cpu::Engine;
use avse_core::similarity::{Blocks, GalleryView, QuantisedBlocks, Stored};
use half::f16;
use rayon::prelude::*;

use super::Sizes;
use super::data::{CAPTION, Data, IMAGE, Pair};
use crate::{Error, Result};

/// Hits of a query.
const TOP: usize = 10;

/// What a run must agree on with its peers.
type Check = Vec<f64>;
/// Does the work once: seconds and what it found.
type Run<'a> = Box<dyn FnMut() -> Result<(f64, Check)> + 'a>;

/// One thing to do, again and again.
pub(super) struct Work<'a> {
    pub name: String,
    /// Operations of the exact block products, 2 a multiply-add, whatever they are computed in.
    pub flops: f64,
    /// Bytes that must be read and written at least once.
    pub bytes: f64,
    pub peers: Vec<PeerWork>,
    /// By how much a peer's numbers may differ.
    tolerance: f64,
    run: Run<'a>,
}

/// The same done by a peer.
pub(super) struct PeerWork {
    /// What the row is called, where the work has several peers.
    pub row: Option<String>,
    /// Who, for people.
    pub name: &'static str,
    /// What its process is asked.
    pub request: String,
}

impl PeerWork {
    fn new(name: &'static str, request: impl Into<String>) -> Self {
        Self { row: None, name, request: request.into() }
    }

    fn in_row(self, row: String) -> Self {
        Self { row: Some(row), ..self }
    }
}

impl<'a> Work<'a> {
    /// All of it, for these data.
    pub fn all(sizes: Sizes, data: &'a Data) -> Result<Vec<Self>> {
        let mut all = vec![
            matrix(sizes, &data.random)?,
            ranks(sizes, &data.planted, "planted")?,
            ranks(sizes, &data.random, "random")?,
        ];
        all.extend(queries(data)?);
        Ok(all)
    }

    /// Seconds of one run and what it found.
    pub fn run(&mut self) -> Result<(f64, Check)> {
        (self.run)()
    }

    #[cfg(test)]
    pub fn replace_run(&mut self, run: impl FnMut() -> Result<(f64, Check)> + 'a) {
        self.run = Box::new(run);
    }

    /// Refuses a peer that did something else.
    pub fn compare(&self, peer: &PeerWork, ours: &[f64], theirs: &[f64]) -> Result<()> {
        let same = ours.len() == theirs.len()
            && ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() <= self.tolerance);
        if same {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "{}: {} found {theirs:?}, not {ours:?}: it did other work",
            self.name, peer.name
        )))
    }
}

fn product_flops(images: usize, captions: usize) -> f64 {
    2.0 * (images * IMAGE.blocks * captions * CAPTION.size()) as f64
}

fn timed<T>(work: impl FnOnce() -> avse_core::Result<T>) -> Result<(f64, T)> {
    let begun = Instant::now();
    let found = work()?;
    Ok((begun.elapsed().as_secs_f64(), found))
}

fn matrix(sizes: Sizes, pair: &Pair) -> Result<Work<'_>> {
    let (images, captions) = (pair.images()?, pair.captions()?);
    let mut scores = vec![0f32; images.rows() * captions.rows()];
    let shape = format!("{}x{}-f32", sizes.images, sizes.captions());
    Ok(Work {
        name: format!("matrix-{shape}"),
        flops: product_flops(images.rows(), captions.rows()),
        bytes: 4.0 * (images.values().len() + captions.values().len() + scores.len()) as f64,
        peers: vec![
            PeerWork::new("official shard loop, PyTorch", "official random"),
            PeerWork::new("the same without its norms", "already-unit random")
                .in_row(format!("matrix-unit-{shape}")),
            PeerWork::new("plain sgemm of the products, PyTorch", "sgemm random")
                .in_row(format!("matrix-sgemm-{shape}")),
        ],
        tolerance: 1e-5,
        run: Box::new(move || {
            let (seconds, ()) =
                timed(|| Engine::new().score_matrix(images, captions, &mut scores))?;
            let sum: f64 = scores.iter().map(|&score| f64::from(score)).sum();
            Ok((seconds, vec![sum / scores.len() as f64]))
        }),
    })
}

/// The official loop computes the matrix only; sorting it for the ranks is not counted.
fn ranks<'a>(sizes: Sizes, pair: &'a Pair, kind: &str) -> Result<Work<'a>> {
    let (images, captions, own) = (pair.images()?, pair.captions()?, pair.image_of_caption());
    let planted = kind == "planted";
    let suffix = if planted { "" } else { "-random" };
    Ok(Work {
        name: format!("recall-{}x{}-exact{suffix}", sizes.images, sizes.captions()),
        flops: product_flops(images.rows(), captions.rows()),
        bytes: 4.0 * (images.values().len() + captions.values().len()) as f64,
        peers: vec![PeerWork::new(
            "official shard loop, PyTorch",
            format!("official-ranks {kind}"),
        )],
        // Two queries of a thousand: other roundings may swap what is nearly equal.
        tolerance: 200.0 / sizes.images as f64,
        run: Box::new(move || {
            let (seconds, ranks) = timed(|| Engine::new().ranks_exact(images, captions, &own))?;
            let found = ranks.evaluate();
            let recalls = [found.image_to_text, found.text_to_image];
            let recalls = recalls.iter().flat_map(|recall| [recall.r1, recall.r5, recall.r10]);
            Ok((seconds, recalls.collect()))
        }),
    })
}

/// One caption, searched in all forms that a gallery can have.
fn queries(data: &Data) -> Result<Vec<Work<'_>>> {
    let gallery = Blocks::new(&data.gallery, IMAGE)?;
    let quantised = QuantisedBlocks::from_blocks(gallery);
    let halves: Vec<f16> = data.gallery.par_iter().map(|&value| f16::from_f32(value)).collect();
    let rows = gallery.rows();
    let plain = precise_gallery(rows, Stored::F32(&data.gallery));

    let count = data.gallery.len() as f64;
    // A scale and a residual a block.
    let bytes = count + (rows * IMAGE.blocks * 8) as f64;
    let int8: Run<'_> = Box::new(move || {
        search(&data.query, &GalleryView { quantised: Some(quantised.view()), ..plain })
    });
    let f32: Run<'_> = Box::new(move || search(&data.query, &plain));
    let f16: Run<'_> =
        Box::new(move || search(&data.query, &precise_gallery(rows, Stored::F16(&halves))));
    let each = [
        ("int8", bytes, 1e-5, int8),
        ("f32", 4.0 * count, 1e-5, f32),
        // Scores are those of the rounded numbers.
        ("f16", 2.0 * count, 1e-3, f16),
    ];
    let work = |(stored, bytes, tolerance, run)| Work {
        name: match rows.is_multiple_of(1000) {
            true => format!("query-{}k-{stored}", rows / 1000),
            false => format!("query-{rows}-{stored}"),
        },
        flops: product_flops(rows, 1),
        bytes,
        peers: vec![PeerWork::new("maxsim-cpu, f32", "maxsim")],
        tolerance,
        run,
    };
    Ok(each.into_iter().map(work).collect())
}

fn precise_gallery(rows: usize, stored: Stored<'_>) -> GalleryView<'_> {
    GalleryView { shape: IMAGE, rows, precise: Some(stored), quantised: None }
}

fn search(query: &[f32], gallery: &GalleryView<'_>) -> Result<(f64, Check)> {
    let query = Blocks::new(query, CAPTION)?;
    let (seconds, found) = timed(|| Engine::new().search(query, gallery, ImagesForCaption, TOP))?;
    Ok((seconds, found.iter().flatten().map(|hit| f64::from(hit.score)).collect()))
}
