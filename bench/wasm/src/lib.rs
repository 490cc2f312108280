//! Exports for `run.mjs`: make a gallery of random unit blocks, search it, and hand out what was found.

// Of the engine only the search is called.
#![allow(dead_code, unused_imports)]

#[path = "../../../core/src/error.rs"]
mod error;
#[path = "../../../core/src/metrics/mod.rs"]
mod metrics;
// Errors show paths by it.
#[path = "../../../core/src/input/shown.rs"]
mod shown;
#[path = "../../../tests/engine/src/similarity.rs"]
mod similarity;

use std::cell::RefCell;

/// As the core calls it.
mod input {
    pub use crate::shown::shown_path;
}

use error::{Error, Result};
use similarity::cpu::Engine;
use similarity::{
    BlockShape, Blocks, Direction, GalleryView, QuantisedBlocks, Stored, normalise,
};

const IMAGE: BlockShape = BlockShape { blocks: 8, width: 256 };
const CAPTION: BlockShape = BlockShape { blocks: 4, width: 256 };
const TOP: usize = 10;

struct Bench {
    images: Vec<f32>,
    quantised: QuantisedBlocks,
    query: Vec<f32>,
}

thread_local! {
    static BENCH: RefCell<Option<Bench>> = const { RefCell::new(None) };
}

/// Makes a gallery of so many images and a query; 0 when done, 1 when something was refused.
#[unsafe(no_mangle)]
pub extern "C" fn prepare(rows: usize) -> u32 {
    let made = (|| -> Result<Bench> {
        let images = unit(1, rows, IMAGE)?;
        let quantised = QuantisedBlocks::from_blocks(Blocks::new(&images, IMAGE)?);
        Ok(Bench { quantised, query: unit(2, 1, CAPTION)?, images })
    })();
    let failed = made.is_err();
    BENCH.set(made.ok());
    u32::from(failed)
}

/// The sum of the best ten scores, exact ones; NaN when there is no gallery.
#[unsafe(no_mangle)]
pub extern "C" fn search_int8() -> f64 {
    BENCH.with_borrow(|bench| bench.as_ref().and_then(best).unwrap_or(f64::NAN))
}

fn best(bench: &Bench) -> Option<f64> {
    let gallery = GalleryView {
        shape: IMAGE,
        rows: bench.images.len() / IMAGE.size(),
        precise: Some(Stored::F32(&bench.images)),
        quantised: Some(bench.quantised.view()),
    };
    let query = Blocks::new(&bench.query, CAPTION).ok()?;
    let found = Engine::new().search(query, &gallery, Direction::ImagesForCaption, TOP).ok()?;
    Some(found.iter().flatten().map(|hit| f64::from(hit.score)).sum())
}

/// Independent numbers of a 64-bit xorshift generator, normalised.
fn unit(seed: u64, rows: usize, shape: BlockShape) -> Result<Vec<f32>> {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    let mut values: Vec<f32> = (0..rows * shape.size()).map(|_| next()).collect();
    normalise(&mut values, shape)?;
    Ok(values)
}
