//! The pretended machine: its GPUs' memory, streams, events and modules, and the record of what was done.

mod copies;
mod streams;

pub use copies::{Place, transfer};

use std::io::Write;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Code, Failure, Outcome};
use crate::launch::{Function, Module};
use crate::memory::Memory;
use crate::record::Record;
use crate::settings::Settings;
use streams::{Event, Stream};

/// Bytes of a GPU's memory that a process' context takes: what an idle PyTorch process shows on an H100, rounded.
const CONTEXT: u64 = 512 << 20;

/// Time between two writings of the record.
const KEEP: Duration = Duration::from_secs(5);

/// Everything behind the driver's functions.
#[derive(Debug)]
pub struct Machine {
    /// What is pretended.
    pub settings: Settings,
    /// Whether `cuInit` was called.
    pub initialised: bool,
    /// The GPUs' memory.
    pub memory: Memory,
    /// Host memory that GPUs read without a detour.
    pub pinned: Memory,
    /// What is counted.
    pub record: Record,
    pub(crate) modules: Vec<Module>,
    pub(crate) functions: Vec<Function>,
    /// Launches of kernels that measure the GPU, which the next wait takes its time for.
    pub(crate) measuring: u32,
    written: Instant,
    streams: HashMap<usize, Stream>,
    events: HashMap<usize, Event>,
    handles: usize,
}

/// The machine of this process.
///
/// # Errors
/// Settings that cannot be understood.
pub fn machine() -> Result<MutexGuard<'static, Machine>, String> {
    static MACHINE: OnceLock<Result<Mutex<Machine>, String>> = OnceLock::new();
    let machine = MACHINE.get_or_init(|| {
        crate::system::at_exit(write_record);
        Settings::from_environment().map(|settings| Mutex::new(Machine::new(settings)))
    });
    match machine {
        Ok(machine) => Ok(machine.lock().unwrap_or_else(PoisonError::into_inner)),
        Err(error) => Err(error.clone()),
    }
}

extern "C" fn write_record() {
    if let Ok(machine) = machine() {
        machine.write_record();
    }
}

impl Machine {
    /// A machine that nothing has run on.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            initialised: false,
            memory: Memory::default(),
            pinned: Memory::default(),
            record: Record::default(),
            modules: Vec::new(),
            functions: Vec::new(),
            measuring: 0,
            written: Instant::now(),
            streams: HashMap::new(),
            events: HashMap::new(),
            handles: 0x1000,
        }
    }

    /// Writes what was counted.
    fn write_record(&self) {
        let Some(folder) = &self.settings.out else { return };
        if let Err(error) = self.record.write(folder) {
            let _ = writeln!(std::io::stderr(), "cuda stand-in: {}: {error}", folder.display());
        }
    }

    /// Writes what was counted, if it was not for some seconds: a process that is killed has a record, too.
    pub fn keep_record(&mut self) {
        if self.written.elapsed() > KEEP {
            self.write_record();
            self.written = Instant::now();
        }
    }

    /// A value that stands for a new thing.
    pub(crate) fn handle(&mut self) -> usize {
        self.handles += 0x10;
        self.handles
    }

    /// Bytes of a device's memory: free and in all.
    pub fn capacity(&self, device: usize) -> (u64, u64) {
        let total = self.settings.model.memory;
        let begun = self.record.counter("launches") >= self.settings.taken_from;
        let taken = if begun { self.settings.taken } else { 0 };
        let used = CONTEXT + taken + self.memory.held(device);
        (total.saturating_sub(used), total)
    }

    /// Allocates memory of a GPU.
    ///
    /// # Errors
    /// When it has not as much.
    pub fn allocate(&mut self, bytes: u64, device: usize) -> Result<u64, Failure> {
        if bytes == 0 {
            return Err(Code::InvalidValue.because("allocation of no bytes"));
        }
        let (free, _) = self.capacity(device);
        if bytes > free {
            let text = format!("{bytes} bytes asked, {free} free");
            return Err(Code::OutOfMemory.because(text));
        }
        let address = self.memory.allocate(bytes, device)?;
        self.record.count("allocations", 1);
        self.record.count("allocated bytes", bytes);
        let held = self.memory.held(device);
        self.record.peak("most bytes held", held);
        Ok(address)
    }

    /// Frees memory of a GPU.
    ///
    /// # Errors
    /// When it was not allocated.
    pub fn free(&mut self, address: u64) -> Outcome {
        if address == 0 {
            return Ok(());
        }
        let block = self.memory.free(address)?;
        self.record.count("frees", 1);
        self.record.count("freed bytes", block.bytes);
        Ok(())
    }

    /// Where modules are written to.
    pub(crate) fn modules_folder(&self) -> Option<PathBuf> {
        self.settings.out.as_ref().map(|folder| folder.join("ptx"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn machine(pairs: &[(&str, &str)]) -> Machine {
        let settings = Settings::read(|name| {
            let found = pairs.iter().find(|(key, _)| name == format!("CUDA_STANDIN_{key}"));
            found.map(|(_, value)| (*value).to_owned())
        });
        Machine::new(settings.unwrap())
    }

    #[test]
    fn memory_ends_where_the_device_does() {
        let mut machine = machine(&[("MEMORY", "8G"), ("TAKEN", "6G"), ("DEVICES", "2")]);
        assert_eq!(machine.capacity(0), (1536 << 20, 8 << 30));
        let first = machine.allocate(1 << 30, 0).unwrap();
        assert_eq!(machine.allocate(1 << 30, 0).unwrap_err().code, Code::OutOfMemory);
        let other = machine.allocate(1 << 30, 1).unwrap();
        machine.free(first).unwrap();
        let again = machine.allocate(1 << 30, 0).unwrap();
        for address in [other, again] {
            machine.free(address).unwrap();
        }
        assert_eq!(machine.record.counter("most bytes held"), 1 << 30);
        assert_eq!(machine.record.counter("frees"), 3);
        assert_eq!(machine.allocate(0, 0).unwrap_err().code, Code::InvalidValue);
    }

    #[test]
    fn another_process_comes_later() {
        let mut machine = machine(&[("MEMORY", "8G"), ("TAKEN", "6G@10")]);
        assert_eq!(machine.capacity(0).0, 7680 << 20);
        machine.record.count("launches", 10);
        assert_eq!(machine.capacity(0).0, 1536 << 20);
    }
}
