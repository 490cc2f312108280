//! Assembling PTX with NVIDIA's `ptxas`, and what it says of each kernel.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::parallel;

/// What a kernel takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Registers of a thread.
    pub registers: u32,
    /// Bytes of the stack: local memory.
    pub stack: u32,
    /// Bytes that registers are stored to and loaded from local memory.
    pub spilled: (u32, u32),
    /// Bytes of shared memory beside what a launch asks for.
    pub shared: u32,
}

/// Registers that a block can have.
pub const REGISTERS: u32 = 65536;

/// A module and what became of it.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// Its kernels, or why it has none.
    pub kernels: Result<BTreeMap<String, Usage>, String>,
    /// The GPU's name for ptxas.
    pub target: String,
}

/// A PTX file and the `ptxas` for its version.
#[derive(Clone, Debug)]
pub struct Module {
    /// The file.
    pub file: PathBuf,
    /// The program.
    pub ptxas: PathBuf,
}

/// Assembles all modules, as many at once as there are processors; the results in the same order.
pub fn assemble(modules: &[Module]) -> Vec<Assembled> {
    parallel::each(modules.len(), |at| one(&modules[at]))
}

fn one(module: &Module) -> Assembled {
    let target = target(&module.file).unwrap_or_default();
    let output = Command::new(&module.ptxas)
        .args(["-v", "--gpu-name", &target, "--output-file", "/dev/null"])
        .arg(&module.file)
        .output();
    let kernels = match output {
        Err(error) => Err(format!("{}: {error}", module.ptxas.display())),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() { Ok(usage(&text)) } else { Err(text) }
        }
    };
    Assembled { kernels, target }
}

/// What stands behind `.target`.
fn target(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix(".target "))?;
    Some(line.split(',').next()?.trim().to_owned())
}

/// Reads what `ptxas -v` prints.
fn usage(text: &str) -> BTreeMap<String, Usage> {
    let mut kernels = BTreeMap::new();
    let mut name = None;
    let mut usage = Usage::default();
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            name = rest.split('\'').next().map(str::to_owned);
            usage = Usage::default();
        } else if line.contains("bytes stack frame") {
            // Of functions that are called, the largest frame counts.
            let of = |what| before(line, what).unwrap_or(0);
            usage.stack = usage.stack.max(of(" bytes stack frame"));
            usage.spilled.0 += of(" bytes spill stores");
            usage.spilled.1 += of(" bytes spill loads");
        } else if let Some(registers) = before(line, " registers") {
            usage.registers = registers;
            usage.shared = before(line, " bytes smem").unwrap_or(0);
            if let Some(name) = name.take() {
                kernels.insert(name, usage);
            }
        }
    }
    kernels
}

/// The number before `what`.
fn before(line: &str, what: &str) -> Option<u32> {
    line.split_once(what)?.0.rsplit(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_ptxas_prints() {
        let text = "\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'first' for 'sm_90a'
ptxas info    : Function properties for first
    16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers, 16 bytes cumulative stack size, 96 bytes smem, 600 bytes cmem[0]
ptxas info    : Compiling entry function 'second' for 'sm_90a'
ptxas info    : Function properties for second
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 0 barriers, 400 bytes cmem[0]
";
        let kernels = usage(text);
        let first = Usage { registers: 255, stack: 16, spilled: (8, 12), shared: 96 };
        assert_eq!(kernels["first"], first);
        assert_eq!(kernels["second"], Usage { registers: 8, ..Usage::default() });
        assert_eq!(kernels.len(), 2);
    }
}
