//! What a measurement ran on.

use std::fs;

use serde::{Deserialize, Serialize};

/// The machine, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system and architecture.
    pub platform: String,
    /// Processor by name; on x86 with its family and model, since hosted machines often hide
    /// the name.
    pub cpu: Option<String>,
    /// Widest vector instructions that are known here.
    pub simd: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Threads of the CPU backend (`RAYON_NUM_THREADS` sets them).
    pub threads: usize,
    /// Main memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Load average over the last minute, before the measurement began: above 0, other work
    /// disturbed it or had just ended.
    pub load_average: Option<f64>,
}

impl Machine {
    /// This machine, now.
    pub fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self {
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cpu: processor(&read("/proc/cpuinfo")),
            simd: simd().into(),
            cores: std::thread::available_parallelism().map_or(1, |n| n.get()),
            threads: rayon::current_num_threads(),
            memory_bytes: kibibytes(&read("/proc/meminfo"), "MemTotal"),
            load_average: read("/proc/loadavg").split(' ').next().and_then(|l| l.parse().ok()),
        }
    }
}

/// Largest resident memory of this process so far, in bytes; known on Linux only.
pub fn peak_memory() -> Option<u64> {
    kibibytes(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM")
}

/// Resident memory of this process now, in bytes; known on Linux only.
pub fn resident_memory() -> Option<u64> {
    kibibytes(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS")
}

/// Main memory that is free for programs, in bytes; known on Linux only.
pub fn available_memory() -> Option<u64> {
    kibibytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable")
}

/// The value of a line `key: 123 kB`, in bytes.
fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let value = field(text, key)?.strip_suffix("kB")?.trim();
    value.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// What follows `key:` in the first line that has it.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim())
    })
}

fn processor(cpuinfo: &str) -> Option<String> {
    let name = field(cpuinfo, "model name")?;
    match (field(cpuinfo, "cpu family"), field(cpuinfo, "model")) {
        (Some(family), Some(model)) => Some(format!("{name} (family {family}, model {model})")),
        _ => Some(name.into()),
    }
}

#[cfg(target_arch = "x86_64")]
fn simd() -> &'static str {
    if std::arch::is_x86_feature_detected!("avx512f") {
        "AVX-512"
    } else if std::arch::is_x86_feature_detected!("avx2") {
        "AVX2"
    } else {
        "SSE2"
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn simd() -> &'static str {
    "unknown"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc() {
        let status = "Name:\tavse\nVmPeak:\t  99 kB\nVmHWM:\t    2048 kB\n";
        assert_eq!(kibibytes(status, "VmHWM"), Some(2 * 1024 * 1024));
        assert_eq!(kibibytes(status, "VmSwap"), None);
        let cpuinfo = "cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: Some CPU\n";
        assert_eq!(processor(cpuinfo).unwrap(), "Some CPU (family 25, model 17)");
        assert_eq!(processor("model name : Arm"), Some("Arm".into()));
        assert_eq!(processor(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_peak_grows_with_memory() {
        let before = peak_memory().unwrap();
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        assert!(peak_memory().unwrap() >= before.max(64 << 20));
        drop(block);
    }
}
