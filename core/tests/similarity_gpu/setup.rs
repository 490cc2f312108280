//! Engines in all their variants, and random embeddings.

use avse_core::similarity::gpu::{GpuEngine, GpuOptions, Tiles};
use avse_core::similarity::{BlockShape, Blocks, normalise};
use avse_core::{Error, GpuFailure};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::left_out::missing;
pub use pollster::block_on;

/// An engine, or `None` where this machine has no adapter.
pub fn engine(options: &GpuOptions) -> Option<GpuEngine> {
    match block_on(GpuEngine::new(options)) {
        Ok(engine) => Some(engine),
        Err(Error::Gpu { failure: GpuFailure::NoAdapter, message }) => {
            missing(&format!(
                "no GPU adapter: the shaders were not run. `cargo xtask setup` installs a software one where \
                 it can. {message}"
            ));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Every choice that an engine can be made with: tiles, f16 and dot products.
pub fn variants() -> Vec<GpuOptions> {
    let variant = |tiles, native_f16, packed_dot| GpuOptions {
        tiles,
        native_f16,
        packed_dot,
        ..GpuOptions::default()
    };
    vec![
        variant(Tiles::Gpu, true, true),
        variant(Tiles::Software, true, true),
        variant(Tiles::Gpu, false, false),
        variant(Tiles::Software, false, false),
    ]
}

pub fn on_each_variant(test: impl Fn(&GpuEngine, &str)) {
    for options in variants() {
        if let Some(engine) = engine(&options) {
            let GpuOptions { tiles, native_f16, packed_dot, .. } = options;
            test(&engine, &format!("{tiles:?}, native f16 {native_f16}, packed dot {packed_dot}"));
        }
    }
}

/// Owned embeddings of one shape.
pub struct Rows {
    pub values: Vec<f32>,
    pub shape: BlockShape,
}

impl Rows {
    /// Random unit blocks.
    pub fn unit(seed: u64, rows: usize, blocks: usize, width: usize) -> Self {
        let mut this = Self::random(seed, rows, blocks, width);
        normalise(&mut this.values, this.shape).unwrap();
        this
    }

    /// Random numbers in -1..1.
    pub fn random(seed: u64, rows: usize, blocks: usize, width: usize) -> Self {
        let shape = BlockShape { blocks, width };
        let mut random = StdRng::seed_from_u64(seed);
        let values = (0..rows * shape.size()).map(|_| random.random_range(-1.0f32..1.0)).collect();
        Self { values, shape }
    }

    pub fn blocks(&self) -> Blocks<'_> {
        Blocks::new(&self.values, self.shape).unwrap()
    }

    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        let size = self.shape.size();
        &mut self.values[row * size..(row + 1) * size]
    }
}

/// Block counts of images and captions and a width, all kinds of them: single, odd, many.
pub const SHAPES: [(usize, usize, usize); 9] = [
    (8, 4, 256),
    (1, 1, 4),
    (2, 1, 12),
    (3, 5, 20),
    (7, 2, 64),
    (16, 16, 36),
    (1, 9, 8),
    (12, 3, 260),
    (2, 8, 2_064),
];
