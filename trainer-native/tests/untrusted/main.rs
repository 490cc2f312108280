//! Changed inputs of everything that reads bytes from outside: a reader returns, whatever they are, and takes a bounded
//! amount of memory.
//!
//! The changes are the same in every run. The fuzz targets in `fuzz/` look for others; what they find is added here
//! (`FOUND`). With `AVSE_EXAMPLES_DIR` the examples are written there, for a fuzzer to start from, and nothing is tried.

#![allow(clippy::unwrap_used, reason = "a test")]

mod found;
mod memory;
mod mutation;
mod readers;

use std::fmt::Write;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial, run};

use memory::Counting;
use readers::{READERS, Reader};

#[global_allocator]
static MEMORY: Counting = Counting::new();

/// The most memory, in bytes, that an input may make its reader take. The inputs have some ten kilobytes; a picture
/// may have a megapixel.
const MOST_MEMORY: usize = 128 << 20;

fn main() -> ExitCode {
    if let Some(folder) = std::env::var_os("AVSE_EXAMPLES_DIR") {
        return write_examples(Path::new(&folder));
    }
    let mut arguments = Arguments::from_args();
    // Memory is counted for the whole process.
    arguments.test_threads = Some(1);
    let trials = READERS.iter().map(|reader| Trial::test(reader.name, || try_all(reader)));
    run(&arguments, trials.collect()).exit_code()
}

/// Reads the examples, what fuzzers found, and changed examples.
fn try_all(reader: &'static Reader) -> Result<(), Failed> {
    let examples = (reader.examples)();
    let found = found::FOUND.iter().filter(|(name, _)| *name == reader.name);
    for (number, example) in examples.iter().enumerate() {
        // One that is not understood would test the first check alone.
        if !try_one(reader, example)? {
            return Err(format!("example {number} is refused").into());
        }
    }
    for (_, input) in found {
        try_one(reader, input)?;
    }
    let mut changes = mutation::Mutations::new(reader.name, &examples);
    for _ in 0..reader.rounds {
        try_one(reader, &changes.next())?;
    }
    Ok(())
}

/// Whether the reader understood the input.
fn try_one(reader: &Reader, input: &[u8]) -> Result<bool, Failed> {
    MEMORY.start();
    let outcome = catch_unwind(AssertUnwindSafe(|| (reader.read)(input)));
    let memory = MEMORY.most();
    let what = match outcome {
        Err(_) => "panics".to_owned(),
        Ok(_) if memory > MOST_MEMORY => format!("takes {} MB", memory >> 20),
        Ok(understood) => return Ok(understood),
    };
    let mut hex = String::new();
    for byte in input.iter().take(4096) {
        let _ = write!(hex, "{byte:02x}");
    }
    Err(format!("{} {what} with these {} bytes: {hex}", reader.name, input.len()).into())
}

fn write_examples(folder: &Path) -> ExitCode {
    for reader in READERS {
        let folder = folder.join(reader.name);
        fs::create_dir_all(&folder).unwrap();
        for (number, example) in (reader.examples)().iter().enumerate() {
            fs::write(folder.join(format!("example-{number}")), example).unwrap();
        }
    }
    ExitCode::SUCCESS
}
