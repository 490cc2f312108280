//! Random numbers that a device draws while it trains.

use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;

/// Burn has one stream of random numbers for all devices of a kind. Whoever seeds it holds
/// this until the draws are made, so replicas in several threads keep to their own seeds.
static STREAM: Mutex<()> = Mutex::new(());

/// Runs `work` with the device's random numbers beginning at `seed`.
pub fn seeded<T>(device: &Device, seed: u64, work: impl FnOnce() -> T) -> T {
    let _held = STREAM.lock().unwrap_or_else(PoisonError::into_inner);
    device.seed(seed);
    let result = work();
    // A device that queues its operations draws when they run, which must be before another replica seeds. What
    // cannot be queued fails where its result is asked for.
    let _ = device.flush();
    result
}

/// A seed for part `part` of the work that `seed` is for (splitmix64).
pub fn derive(seed: u64, part: u64) -> u64 {
    let mut mixed = seed ^ part.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
