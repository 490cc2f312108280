//! What the processor itself says: the time that it gave to this process, and how fast it reads.

use std::fs;
use std::hint::black_box;
use std::thread;
use std::time::Instant;

use super::RUNS;
use super::roof::Roof;

/// Seconds that processors have spent on all threads of this process: what a software adapter takes
/// however busy the machine is. `None` where no file says so (only Linux has it).
pub fn seconds() -> Option<f64> {
    let mut nanoseconds = 0u64;
    for task in fs::read_dir("/proc/self/task").ok()? {
        // A thread may end meanwhile.
        let Ok(text) = fs::read_to_string(task.ok()?.path().join("schedstat")) else { continue };
        nanoseconds += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(nanoseconds as f64 / 1e9)
}

/// Numbers read: 256 MiB, more than caches hold.
const NUMBERS: usize = 1 << 26;

/// Memory read and summed by one thread and by two, without an adapter.
pub fn reads() -> [Roof; 2] {
    let values: Vec<u32> = (0..NUMBERS as u32).collect();
    [1, 2].map(|threads| {
        let run = || {
            let begun = Instant::now();
            thread::scope(|scope| {
                for part in values.chunks(NUMBERS / threads) {
                    scope.spawn(move || {
                        // Integers, since the order of their sum is free.
                        black_box(part.iter().fold(0u32, |sum, value| sum.wrapping_add(*value)))
                    });
                }
            });
            begun.elapsed().as_secs_f64()
        };
        let seconds = (0..RUNS).map(|_| run()).fold(f64::INFINITY, f64::min);
        Roof { amount: (4 * NUMBERS) as f64, seconds }
    })
}
