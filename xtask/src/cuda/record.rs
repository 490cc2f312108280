//! What the stand-in for the driver has recorded (tests/cuda/README.md describes the lines).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Of one process, or of several.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Counters by name.
    pub counters: BTreeMap<String, u64>,
    /// Functions of the driver that were called, and the CUDA release that has each first.
    pub calls: BTreeMap<String, u32>,
    /// Launches of each kernel.
    pub kernels: BTreeMap<Kernel, u64>,
    /// What failed: function, error, reason.
    pub failures: BTreeSet<String>,
}

/// A kernel and how it is launched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kernel {
    /// Name of its module's file.
    pub module: String,
    /// Its name.
    pub entry: String,
    /// Threads of a block.
    pub threads: u32,
    /// Bytes of shared memory that the launch asks for.
    pub shared: u32,
}

impl Record {
    /// Of all processes that wrote into `folder`.
    pub fn of(folder: &Path) -> Self {
        let mut record = Self::default();
        for file in fs::read_dir(folder).into_iter().flatten().flatten() {
            if file.path().extension().is_some_and(|kind| kind == "tsv") {
                record.add(&fs::read_to_string(file.path()).unwrap_or_default());
            }
        }
        record
    }

    /// Adds the lines of a process.
    fn add(&mut self, text: &str) {
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let number = |at: usize| fields.get(at).and_then(|field| field.parse().ok());
            match fields.as_slice() {
                ["counter", name, _] => {
                    *self.counters.entry((*name).into()).or_default() += number(2).unwrap_or(0);
                }
                ["call", name, ..] => {
                    self.calls.insert((*name).into(), number(2).unwrap_or(0) as u32);
                }
                ["kernel", module, entry, block, ..] => {
                    let sides = block.split(',').filter_map(|side| side.parse::<u32>().ok());
                    let kernel = Kernel {
                        module: (*module).into(),
                        entry: (*entry).into(),
                        threads: sides.product(),
                        shared: number(4).unwrap_or(0) as u32,
                    };
                    *self.kernels.entry(kernel).or_default() += number(5).unwrap_or(0);
                }
                ["failure", what @ ..] => {
                    let (_, what) = what.split_last().unwrap_or((&"", &[]));
                    self.failures.insert(what.join(": "));
                }
                _ => {}
            }
        }
    }

    /// Adds the kernels, functions and failures of another run, but not what it counted.
    pub fn join(&mut self, other: &Self) {
        self.calls.extend(other.calls.iter().map(|(name, since)| (name.clone(), *since)));
        for kernel in other.kernels.keys() {
            self.kernels.entry(kernel.clone()).or_default();
        }
        self.failures.extend(other.failures.iter().cloned());
    }

    /// A counter; 0 where nothing was counted.
    pub fn count(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or(0)
    }

    /// What `self` counts more than `less`, for each of `steps`.
    pub fn per_step(&self, less: &Self, steps: u64) -> BTreeMap<String, f64> {
        let names = self.counters.keys();
        let more = |name: &String| self.count(name) as f64 - less.count(name) as f64;
        let mut counts: BTreeMap<String, f64> =
            names.map(|name| (name.clone(), more(name) / steps as f64)).collect();
        let launches = self.kernels_per_step(less, steps).values().sum();
        counts.insert("launches".into(), launches);
        counts
    }

    /// The kernels that ran between both, and how often in each of `steps`. Those that measure the GPU, as often as
    /// the clock allows, are no part of a step.
    pub fn kernels_per_step(&self, less: &Self, steps: u64) -> BTreeMap<Kernel, f64> {
        let mut found = BTreeMap::new();
        for (kernel, count) in &self.kernels {
            let before = less.kernels.get(kernel).copied().unwrap_or(0);
            let measures = ["launch_overhead", "_throughput", "prime_buffer"];
            let measures = measures.iter().any(|name| kernel.entry.contains(name));
            if *count > before && !measures {
                found.insert(kernel.clone(), (count - before) as f64 / steps as f64);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_two_runs_are_compared() {
        let text = |launches: u64| {
            format!(
                "counter\tlaunches\t{launches}\ncall\tcuInit\t0\t1\ncall\tcuNew\t12080\t2\n\
                 kernel\tab\tadd\t32,8,1\t1024\t{launches}\n\
                 kernel\tcd\tlaunch_overhead_i\t1,1,1\t0\t{launches}\nfailure\tcuX\tBAD\twhy\t3\n"
            )
        };
        let (mut short, mut long) = (Record::default(), Record::default());
        short.add(&text(10));
        long.add(&text(30));
        assert_eq!(long.count("launches"), 30);
        assert_eq!(long.calls["cuNew"], 12080);
        assert_eq!(long.failures.first().map(String::as_str), Some("cuX: BAD: why"));
        let kernel = long.kernels.keys().next().cloned();
        assert_eq!(
            kernel.as_ref().map(|kernel| (kernel.threads, kernel.shared)),
            Some((256, 1024))
        );
        assert_eq!(long.per_step(&short, 4)["launches"], 5.0);
        assert_eq!(long.kernels_per_step(&short, 4).values().sum::<f64>(), 5.0);
    }
}
