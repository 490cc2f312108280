//! What the program did: counted while it runs, written when it ends.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;

use crate::error::Failure;
use crate::system;

/// Everything that is counted. Lines of the file are fields with tabs between them; README.md of this folder
/// lists them.
#[derive(Debug, Default)]
pub struct Record {
    counters: BTreeMap<&'static str, u64>,
    calls: BTreeMap<&'static str, (i32, u64)>,
    kernels: BTreeMap<Launch, u64>,
    failures: BTreeMap<(&'static str, String), u64>,
    stacks: HashMap<Vec<usize>, Stack>,
}

/// A kernel and how it is launched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Launch {
    /// Hash of the module's text: the name of its file.
    pub module: String,
    /// The kernel's name.
    pub entry: String,
    /// Threads of a block.
    pub block: [u32; 3],
    /// Bytes of shared memory that the launch asks for.
    pub shared: u32,
}

#[derive(Debug)]
struct Stack {
    call: &'static str,
    count: u64,
    names: String,
}

impl Record {
    /// Adds to a counter.
    pub fn count(&mut self, counter: &'static str, amount: u64) {
        *self.counters.entry(counter).or_default() += amount;
    }

    /// Raises a counter that holds a maximum.
    pub fn peak(&mut self, counter: &'static str, value: u64) {
        let most = self.counters.entry(counter).or_default();
        *most = value.max(*most);
    }

    /// The value of a counter.
    pub fn counter(&self, counter: &str) -> u64 {
        self.counters.get(counter).copied().unwrap_or(0)
    }

    /// Counts a call of a function that exists since CUDA `since`.
    pub fn call(&mut self, name: &'static str, since: i32) {
        self.calls.entry(name).or_insert((since, 0)).1 += 1;
    }

    /// Counts a launch.
    pub fn launch(&mut self, launch: Launch) {
        *self.kernels.entry(launch).or_default() += 1;
        self.count("launches", 1);
    }

    /// Counts a call that failed.
    pub fn failure(&mut self, call: &'static str, failure: &Failure) {
        let text = format!("{}\t{}", failure.code.name().to_string_lossy(), failure.reason);
        *self.failures.entry((call, text)).or_default() += 1;
    }

    /// Counts a call by the way that led to it.
    pub fn stack(&mut self, call: &'static str) {
        let frames = system::callers();
        let known = self.stacks.entry(frames);
        known.or_insert_with(|| Stack { call, count: 0, names: names() }).count += 1;
    }

    /// The lines of the file.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.counters {
            let _ = writeln!(text, "counter\t{name}\t{value}");
        }
        for (name, (since, calls)) in &self.calls {
            let _ = writeln!(text, "call\t{name}\t{since}\t{calls}");
        }
        for (launch, count) in &self.kernels {
            let Launch { module, entry, block: [x, y, z], shared } = launch;
            let _ = writeln!(text, "kernel\t{module}\t{entry}\t{x},{y},{z}\t{shared}\t{count}");
        }
        for ((call, failure), count) in &self.failures {
            let _ = writeln!(text, "failure\t{call}\t{failure}\t{count}");
        }
        let mut stacks: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for Stack { call, count, names } in self.stacks.values() {
            *stacks.entry((call, names)).or_default() += count;
        }
        for ((call, names), count) in stacks {
            let _ = writeln!(text, "stack\t{call}\t{count}\t{names}");
        }
        text
    }

    /// Writes the file, named after the process.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join(format!("{}.tsv", std::process::id())), self.text())
    }
}

/// Names of the functions that led here, the nearest first; those of the language's own library are left out.
fn names() -> String {
    let trace = std::backtrace::Backtrace::force_capture().to_string();
    let names = trace.lines().filter_map(|line| line.trim().split_once(": ")).filter_map(
        |(number, name)| {
            number.parse::<u32>().ok()?;
            let own = name.contains("cuda_standin") || name.contains("cudarc");
            let foreign =
                ["std::", "core::", "alloc::", "__", "<std", "<core", "<alloc", "std[", "core["];
            (!own && !foreign.iter().any(|start| name.starts_with(start))).then(|| shortened(name))
        },
    );
    names.collect::<Vec<_>>().join(" < ")
}

/// A function's name without the hashes and the types in brackets that make it long.
fn shortened(name: &str) -> String {
    let name = match name.rsplit_once("::h") {
        Some((start, hash)) if hash.len() == 16 => start,
        _ => name,
    };
    let mut depth = 0;
    let mut short = String::new();
    for letter in name.chars() {
        match letter {
            '[' => depth += 1,
            ']' => depth -= 1,
            '\t' => {}
            letter if depth == 0 => short.push(letter),
            _ => {}
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn lines_hold_what_was_counted() {
        let mut record = Record::default();
        record.count("launches", 2);
        record.peak("peak", 5);
        record.peak("peak", 3);
        record.call("cuInit", 0);
        record.failure("cuInit", &Code::NoDevice.because("none"));
        let launch =
            Launch { module: "ab".into(), entry: "k".into(), block: [32, 2, 1], shared: 16 };
        record.launch(launch);
        let text = record.text();
        for line in [
            "counter\tlaunches\t3",
            "counter\tpeak\t5",
            "call\tcuInit\t0\t1",
            "kernel\tab\tk\t32,2,1\t16\t1",
            "failure\tcuInit\tCUDA_ERROR_NO_DEVICE\tnone\t1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn callers_are_named() {
        let mut record = Record::default();
        for _ in 0..3 {
            record.stack("cuStreamSynchronize");
        }
        assert_eq!(record.stacks.len(), 1);
        let text = record.text();
        assert!(text.starts_with("stack\tcuStreamSynchronize\t3\t"), "{text}");
    }
}
