//! Made-up photographs: smooth colours, soft shapes and grain, which compress as real ones do.

use std::path::Path;

use libjpeg_turbo_rs::{PixelFormat, Subsampling, compress};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::{Error, Result};

const WIDTH: usize = 640;
const HEIGHT: usize = 480;
/// Quality of the JPEG files, whose chroma is halved both ways, as cameras have it.
const QUALITY: u8 = 90;
/// Side of the squares that soft noise is interpolated between.
const SOFT: usize = 4;

/// Writes so many into a folder, and returns their names.
pub fn write(folder: &Path, count: usize) -> Result<Vec<String>> {
    let one = |number: usize| {
        let name = format!("{number:03}.jpg");
        let path = folder.join(&name);
        let jpeg = compress(
            &photo(number as u64),
            WIDTH,
            HEIGHT,
            PixelFormat::Rgb,
            QUALITY,
            Subsampling::S420,
        )
        .map_err(|e| Error::format(&path, e.to_string()))?;
        std::fs::write(&path, jpeg).map_err(|e| Error::io(&path, e))?;
        Ok(name)
    };
    (0..count).into_par_iter().map(one).collect()
}

fn photo(number: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(number);
    let waves: Vec<[f32; 6]> = (0..6)
        .map(|_| {
            let frequency = [(); 2].map(|()| rng.random_range(0.002..0.05));
            let colour = [(); 3].map(|()| rng.random_range(0.0..60.0));
            let phase = rng.random_range(0.0..100.0);
            [frequency[0], frequency[1], phase, colour[0], colour[1], colour[2]]
        })
        .collect();
    // About normal: the sum of three uniform numbers.
    let mut noise = |strength: f32| -> f32 {
        (0..3).map(|_| rng.random_range(-1.0f32..1.0)).sum::<f32>() * strength
    };
    let across = WIDTH / SOFT + 2;
    let soft: Vec<[f32; 3]> =
        (0..across * (HEIGHT / SOFT + 2)).map(|_| [(); 3].map(|()| noise(25.0))).collect();
    let mut pixels = Vec::with_capacity(WIDTH * HEIGHT * 3);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let grain = noise(5.0);
            let (wx, wy) = ((x % SOFT) as f32 / SOFT as f32, (y % SOFT) as f32 / SOFT as f32);
            let corner = y / SOFT * across + x / SOFT;
            for channel in 0..3 {
                let at = |offset: usize| soft[corner + offset][channel];
                let upper = at(0) + wx * (at(1) - at(0));
                let lower = at(across) + wx * (at(across + 1) - at(across));
                let waves = waves.iter().map(|[fx, fy, phase, colour @ ..]| {
                    colour[channel] * (x as f32 * fx + y as f32 * fy + phase).sin()
                });
                let value = 128.0 + waves.sum::<f32>() + upper + wy * (lower - upper) + grain;
                pixels.push(value.clamp(0.0, 255.0) as u8);
            }
        }
    }
    pixels
}
