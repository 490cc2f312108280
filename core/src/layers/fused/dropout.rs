//! Dropout whose mask is a function of seed and position: the backward pass draws it
//! again instead of keeping it.

use super::elementwise::vectorised;

/// One dropout of one layer.
#[derive(Clone, Copy, Debug)]
pub struct Mask {
    seed: u32,
    /// A draw below this is dropped.
    threshold: u32,
    scale: f32,
}

impl Mask {
    /// Drops with probability `rate` and scales the rest by `1 / (1 - rate)`; `None` for rate 0.
    /// `stream` tells the dropouts of a layer apart.
    pub fn new(rate: f64, seed: u64, stream: u32) -> Option<Self> {
        let seed = mix((seed as u32) ^ mix((seed >> 32) as u32 ^ mix(stream)));
        let threshold = (rate * f64::from(u32::MAX)) as u32;
        (rate > 0.0).then_some(Self { seed, threshold, scale: (1.0 / (1.0 - rate)) as f32 })
    }

    /// Drops of `values`, which begin at position `start` of the stream.
    pub fn apply(&self, values: &mut [f32], start: usize) {
        vectorised(|| {
            for (at, value) in values.iter_mut().enumerate() {
                let position = (start as u32).wrapping_add(at as u32);
                let keep = mix(position.wrapping_mul(0x9E37_79B1) ^ self.seed) >= self.threshold;
                *value = if keep { *value * self.scale } else { 0.0 };
            }
        });
    }
}

/// A bijection of the integers that looks random (the finaliser of MurmurHash3).
#[inline(always)]
fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x85EB_CA6B);
    x ^= x >> 13;
    x = x.wrapping_mul(0xC2B2_AE35);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_at_its_rate_and_repeats() {
        let mask = Mask::new(0.25, 7, 1).unwrap();
        let mut values = vec![1f32; 40_000];
        mask.apply(&mut values, 100);
        let dropped = values.iter().filter(|x| **x == 0.0).count();
        assert!((9_600..10_400).contains(&dropped), "{dropped}");
        assert!(values.iter().all(|x| *x == 0.0 || (*x - 4.0 / 3.0).abs() < 1e-6));
        let mut tail = vec![1f32; 10_000];
        mask.apply(&mut tail, 30_100);
        assert_eq!(tail, values[30_000..], "a part is dropped as in the whole");
        let mut other = vec![1f32; 40_000];
        Mask::new(0.25, 7, 2).unwrap().apply(&mut other, 100);
        assert_ne!(other, values);
        assert!(Mask::new(0.0, 7, 1).is_none());
    }
}
