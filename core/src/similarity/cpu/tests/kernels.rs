//! The functions of every family, one by one, and which families these tests meet at all.

use super::*;
use crate::similarity::cpu::byte_dots::{ByteTile, QUERY_ROWS};
use crate::similarity::quantised::Fit;

/// What the tests of this folder prove is proven of these.
#[test]
fn the_best_family_is_the_processors_own() {
    let own: &[Kernel] = if cfg!(target_arch = "x86_64") {
        &[Kernel::Scalar, Kernel::Avx2, Kernel::Avx512, Kernel::Avx512Vnni]
    } else if cfg!(target_arch = "aarch64") {
        &[Kernel::Scalar, Kernel::Neon]
    } else if cfg!(all(target_arch = "wasm32", target_feature = "simd128")) {
        &[Kernel::Scalar, Kernel::Simd128]
    } else {
        &[Kernel::Scalar]
    };
    let found: Vec<Kernel> = engines().map(|engine| engine.kernel()).collect();
    // Only x86 comes with more and with less; elsewhere the build has decided.
    let least = if cfg!(target_arch = "x86_64") { 1 } else { own.len() };
    assert!(own.starts_with(&found) && found.len() >= least, "{found:?}");
    assert_eq!(Engine::new().kernel(), found[found.len() - 1]);
}

#[test]
fn families_are_fused_where_they_say_so() {
    for engine in engines() {
        let expected = !matches!(engine.kernel(), Kernel::Scalar | Kernel::Simd128);
        assert_eq!(fused(&engine), expected, "{engine:?}");
    }
}

/// Infinities and what is no number, too: no embedding holds them, but the kernels say what
/// they make of them.
#[test]
fn products_and_their_best_are_those_of_plain_loops() {
    let mut rng = rng(51);
    for round in 0..120 {
        let (steps, rows) = (rng.random_range(1..=9), rng.random_range(1..=21));
        for engine in engines() {
            let lanes = engine.kernels.panel * rng.random_range(1..=3);
            let mut numbers = |count| -> Vec<f32> {
                let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0];
                let number = |rng: &mut ChaCha8Rng| match rng.random_range(0..60) {
                    at @ 0..5 if round % 2 == 1 => odd[at],
                    _ => rng.random_range(-1.0..1.0),
                };
                (0..count).map(|_| number(&mut rng)).collect()
            };
            let (left, panel) = (numbers(rows * steps), numbers(steps * lanes));
            let tile = Tile { rows: &left, scales: &[], steps, panel: &panel, lanes };
            let (mut dots, mut best) = (vec![0.0; rows * lanes], vec![0.0; lanes]);
            // SAFETY: an engine has the kernels of this machine.
            unsafe {
                (engine.kernels.all_products)(tile, &mut dots);
                (engine.kernels.best_of_rows)(tile, &mut best);
            }
            let fused = fused(&engine);
            let dot = |row: usize, lane: usize| {
                let across = panel[lane..].iter().step_by(lanes);
                left[row * steps..][..steps]
                    .iter()
                    .zip(across)
                    .fold(0f32, |dot, (a, b)| if fused { a.mul_add(*b, dot) } else { dot + a * b })
            };
            let plain = |at: usize| dot(at / lanes, at % lanes);
            let plain: Vec<f32> = (0..rows * lanes).map(plain).collect();
            assert!(same(&dots, &plain), "{engine:?} {rows} rows of {steps}, {lanes} lanes");
            let most = |lane: usize| {
                let dots = plain[lane..].iter().step_by(lanes);
                dots.fold(f32::NEG_INFINITY, |best, &dot| if dot > best { dot } else { best })
            };
            let most: Vec<f32> = (0..lanes).map(most).collect();
            assert!(same(&best, &most), "{engine:?} {rows} rows of {steps}, {lanes} lanes");
        }
    }
}

#[test]
fn word_products_are_those_of_plain_loops() {
    let mut rng = rng(52);
    for _ in 0..60 {
        let (steps, rows) = (rng.random_range(1..=9), rng.random_range(1..=21));
        // As great as sums of 32 bits allow.
        let level = f64::from(i32::MAX / (2 * steps as i32)).sqrt() as i16;
        for engine in engines() {
            let Some(kernel) = engine.kernels.best_of_word_rows else { continue };
            let lanes = engine.kernels.panel * rng.random_range(1..=3);
            let mut pairs = |count| -> Vec<[i16; 2]> {
                (0..count).map(|_| [0; 2].map(|_| rng.random_range(-level..=level))).collect()
            };
            let (left, panel) = (pairs(rows * steps), pairs(steps * lanes));
            let scales: Vec<f32> = (0..rows).map(|_| rng.random_range(0.0..1.0)).collect();
            let tile = Tile { rows: &left, scales: &scales, steps, panel: &panel, lanes };
            let mut best = vec![0.0; lanes];
            // SAFETY: an engine has the kernels of this machine.
            unsafe { kernel(tile, &mut best) };
            let dot = |row: usize, lane: usize| -> i32 {
                let across = panel[lane..].iter().step_by(lanes);
                let pairs = left[row * steps..][..steps].iter().zip(across);
                let numbers = pairs.flat_map(|(a, b)| a.iter().zip(b));
                numbers.map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
            };
            let of_row = |row: usize, lane| dot(row, lane) as f32 * scales[row];
            let most = |lane| (0..rows).map(|row| of_row(row, lane)).fold(f32::MIN, f32::max);
            let most: Vec<f32> = (0..lanes).map(most).collect();
            assert_eq!(best, most, "{engine:?} {rows} rows of {steps}, {lanes} lanes");
        }
    }
}

#[test]
fn byte_products_are_those_of_plain_loops() {
    let mut rng = rng(53);
    for _ in 0..60 {
        let width = 4 * rng.random_range(1..=20);
        let (blocks, rows) = (rng.random_range(1..=16), QUERY_ROWS * rng.random_range(1..=4));
        let item: Vec<i8> = (0..blocks * width).map(|_| rng.random()).collect();
        let stride = ByteTile { item: &item, width, query: &[] }.stride();
        let mut query: Vec<i16> = (0..rows * stride).map(|_| rng.random()).collect();
        query.chunks_exact_mut(stride).for_each(|row| row[width..].fill(0));
        let mut plain = Vec::new();
        for block in item.chunks_exact(width) {
            plain.extend(query.chunks_exact(stride).map(|row| -> i32 {
                block.iter().zip(row).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
            }));
        }
        for engine in engines() {
            let mut dots = vec![0; blocks * rows];
            let tile = ByteTile { item: &item, width, query: &query };
            // SAFETY: an engine has the kernels of this machine.
            unsafe { (engine.kernels.byte_products)(tile, &mut dots) };
            assert_eq!(dots, plain, "{engine:?} {blocks} blocks of {width}, {rows} rows");
        }
    }
}

/// The same code, compiled for other instructions: to the bit, or a bound could differ.
#[test]
fn blocks_are_quantised_as_by_plain_code() {
    let mut rng = rng(54);
    for round in 0..70 {
        let shape = BlockShape { blocks: 1, width: 4 * rng.random_range(1..=17) };
        let block = Kind::ALL[round % Kind::ALL.len()].embeddings(&mut rng, 1, shape);
        let level = [127.0, 4095.0, 32767.0][round % 3];
        let mut plain = vec![0i16; shape.width];
        let expected = Fit::of(&block, level, &mut plain, |integer| integer as i16);
        let bits = |fit: Fit| [fit.scale, fit.residual, fit.norm].map(f32::to_bits);
        for engine in engines() {
            let mut words = vec![0i16; shape.width];
            // SAFETY: an engine has the kernels of this machine.
            let fit = unsafe { (engine.kernels.quantise)(&block, level, &mut words) };
            assert_eq!((bits(fit), &words), (bits(expected), &plain), "{engine:?} {block:?}");
        }
    }
}
