//! The pretended machine: its GPUs' memory, streams, events and modules.

use std::collections::HashMap;
use std::ffi::c_void;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Code, Failure, Outcome};
use crate::launch::{Function, Module};
use crate::memory::Memory;
use crate::record::Record;
use crate::settings::Settings;
use crate::ticket::Ticket;

/// Bytes of a GPU's memory that a process' context takes: what an idle PyTorch process shows on an H100, rounded.
const CONTEXT: u64 = 512 << 20;
/// Time that a launch is said to take. The same for all kernels, so that tuning is repeatable: it prefers the
/// candidate with fewer launches, and of equal ones the first.
const LAUNCH_MS: f32 = 0.01;

/// Time that a launch really takes whose kernel measures the GPU: Burn doubles that kernel's work until it takes
/// 20 ms by the host's clock, and ends with numbers too large for it where that never happens.
const MEASURING: Duration = Duration::from_millis(22);

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

#[derive(Debug, Default)]
struct Stream {
    device: usize,
    /// Launches so far: the stream's clock.
    work: u64,
    /// Collectives that other devices have not joined yet.
    open: Vec<Ticket>,
}

#[derive(Debug, Default)]
struct Event {
    work: Option<u64>,
    open: Vec<Ticket>,
}

/// Where a copy comes from or goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A GPU's memory.
    Device(u64),
    /// The program's.
    Host(usize),
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
            eprintln!("cuda stand-in: {}: {error}", folder.display());
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

    /// Checks and counts a copy of `bytes`, which the caller makes: `Ok` where both sides are memory.
    ///
    /// # Errors
    /// Where a side on a GPU is not allocated.
    pub fn copy(&mut self, to: Place, from: Place, bytes: u64) -> Outcome {
        self.copy_rows(to, from, bytes, 1)
    }

    /// The same for a row of a copy; `copies` is 0 for all rows but one, so that they count as one copy.
    ///
    /// # Errors
    /// As [`Machine::copy`].
    pub fn copy_rows(&mut self, to: Place, from: Place, bytes: u64, copies: u64) -> Outcome {
        for place in [to, from] {
            if let Place::Device(address) = place
                && bytes > 0
                && self.memory.holding(address, bytes).is_none()
            {
                return Err(Code::InvalidValue.because(format!(
                    "copy of {bytes} bytes at {address:#x}, which are not allocated"
                )));
            }
        }
        let pinned = |host: usize| self.pinned.holding(host as u64, bytes).is_some();
        let (counter, amount, detour) = match (to, from) {
            (Place::Device(_), Place::Device(_)) => ("copies on device", "bytes on device", None),
            (Place::Device(_), Place::Host(host)) => {
                let detour = (!pinned(host))
                    .then_some(("pageable copies to device", "pageable bytes to device"));
                ("copies to device", "bytes to device", detour)
            }
            (Place::Host(host), Place::Device(_)) => {
                let detour = (!pinned(host))
                    .then_some(("pageable copies to host", "pageable bytes to host"));
                ("copies to host", "bytes to host", detour)
            }
            (Place::Host(_), Place::Host(_)) => ("copies on host", "bytes on host", None),
        };
        self.record.count(counter, copies);
        self.record.count(amount, bytes);
        if let Some((counter, amount)) = detour {
            self.record.count(counter, copies);
            self.record.count(amount, bytes);
        }
        Ok(())
    }

    /// A new stream of a device.
    pub fn stream(&mut self, device: usize) -> usize {
        let handle = self.handle();
        self.streams.insert(handle, Stream { device, ..Stream::default() });
        handle
    }

    /// Ends a stream.
    ///
    /// # Errors
    /// When there is none.
    pub fn end_stream(&mut self, handle: usize) -> Outcome {
        self.streams.remove(&handle).map(drop).ok_or_else(|| no("stream", handle))
    }

    /// A new event.
    pub fn event(&mut self) -> usize {
        let handle = self.handle();
        self.events.insert(handle, Event::default());
        self.record.count("events", 1);
        handle
    }

    /// Ends an event.
    ///
    /// # Errors
    /// When there is none.
    pub fn end_event(&mut self, handle: usize) -> Outcome {
        self.events.remove(&handle).map(drop).ok_or_else(|| no("event", handle))
    }

    /// Records an event behind all that a stream has been given.
    ///
    /// # Errors
    /// When one of them does not exist.
    pub fn record_event(&mut self, event: usize, stream: usize) -> Outcome {
        let (work, open) = {
            let stream = self.stream_mut(stream)?;
            stream.open.retain(|ticket| !ticket.is_done());
            (stream.work, stream.open.clone())
        };
        let event = self.events.get_mut(&event).ok_or_else(|| no("event", event))?;
        (event.work, event.open) = (Some(work), open);
        Ok(())
    }

    /// Has a stream wait for an event.
    ///
    /// # Errors
    /// When one of them does not exist.
    pub fn wait_event(&mut self, stream: usize, event: usize) -> Outcome {
        let open = self.events.get(&event).ok_or_else(|| no("event", event))?.open.clone();
        self.stream_mut(stream)?.open.extend(open.into_iter().filter(|ticket| !ticket.is_done()));
        Ok(())
    }

    /// What the host has to wait for before an event has happened.
    ///
    /// # Errors
    /// When there is none.
    pub fn before_event(&self, event: usize) -> Result<Vec<Ticket>, Failure> {
        Ok(self.events.get(&event).ok_or_else(|| no("event", event))?.open.clone())
    }

    /// What the host has to wait for before a stream has done all its work.
    ///
    /// # Errors
    /// When there is none.
    pub fn before_stream(&mut self, stream: usize) -> Result<Vec<Ticket>, Failure> {
        Ok(self.stream_mut(stream)?.open.clone())
    }

    /// What the host has to wait for before a device has done all its work.
    pub fn before_device(&self, device: usize) -> Vec<Ticket> {
        let streams = self.streams.values().filter(|stream| stream.device == device);
        streams.flat_map(|stream| stream.open.iter().cloned()).collect()
    }

    /// Gives a stream a collective that waits for other devices.
    pub fn open(&mut self, stream: usize, ticket: Ticket) -> Outcome {
        self.stream_mut(stream)?.open.push(ticket);
        Ok(())
    }

    /// How long the host has to wait for kernels that measure the GPU.
    pub fn pause(&mut self) -> Duration {
        MEASURING * std::mem::take(&mut self.measuring)
    }

    /// Milliseconds between two events.
    ///
    /// # Errors
    /// When one of them does not exist or was never recorded.
    pub fn elapsed(&self, start: usize, end: usize) -> Result<f32, Failure> {
        let work = |handle: usize| {
            let event = self.events.get(&handle).ok_or_else(|| no("event", handle))?;
            event.work.ok_or_else(|| Code::InvalidHandle.because("event that was never recorded"))
        };
        let launches = work(end)?.saturating_sub(work(start)?);
        Ok(LAUNCH_MS * (launches as f32 + 0.1))
    }

    /// Counts a launch on a stream's clock.
    pub(crate) fn advance(&mut self, stream: usize) -> Outcome {
        self.stream_mut(stream)?.work += 1;
        Ok(())
    }

    /// The default stream exists from the start.
    fn stream_mut(&mut self, handle: usize) -> Result<&mut Stream, Failure> {
        if handle == 0 {
            return Ok(self.streams.entry(0).or_default());
        }
        self.streams.get_mut(&handle).ok_or_else(|| no("stream", handle))
    }

    /// Where modules are written to.
    pub(crate) fn modules_folder(&self) -> Option<PathBuf> {
        self.settings.out.as_ref().map(|folder| folder.join("ptx"))
    }
}

fn no(what: &str, handle: usize) -> Failure {
    Code::InvalidHandle.because(format!("no {what} {handle:#x}"))
}

/// Copies between places that were checked.
///
/// # Safety
/// Both sides are valid for `bytes` and do not overlap.
pub unsafe fn transfer(to: Place, from: Place, bytes: usize) {
    let address = |place| match place {
        Place::Device(address) => address as usize,
        Place::Host(address) => address,
    };
    if bytes > 0 {
        // SAFETY: the caller's promise.
        unsafe {
            let (to, from) = (address(to) as *mut c_void, address(from) as *const c_void);
            std::ptr::copy_nonoverlapping(from.cast::<u8>(), to.cast::<u8>(), bytes);
        }
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

    #[test]
    fn copies_are_counted_by_direction_and_by_kind_of_memory() {
        let mut machine = machine(&[]);
        let device = machine.allocate(64, 0).unwrap();
        let pinned = machine.pinned.allocate(64, 0).unwrap() as usize;
        let pageable = [1_u8; 64];
        let pageable = pageable.as_ptr() as usize;
        for host in [pinned, pageable] {
            machine.copy(Place::Device(device), Place::Host(host), 64).unwrap();
            machine.copy(Place::Host(host), Place::Device(device), 32).unwrap();
        }
        for (counter, value) in [
            ("copies to device", 2),
            ("bytes to device", 128),
            ("pageable copies to device", 1),
            ("pageable bytes to device", 64),
            ("bytes to host", 64),
            ("pageable bytes to host", 32),
        ] {
            assert_eq!(machine.record.counter(counter), value, "{counter}");
        }
        let beyond = machine.copy(Place::Device(device), Place::Host(pageable), 65);
        assert_eq!(beyond.unwrap_err().code, Code::InvalidValue);
    }

    #[test]
    fn time_is_the_number_of_launches() {
        let mut machine = machine(&[]);
        let stream = machine.stream(0);
        let (start, end) = (machine.event(), machine.event());
        machine.record_event(start, stream).unwrap();
        assert!(machine.elapsed(start, end).is_err());
        for _ in 0..3 {
            machine.advance(stream).unwrap();
        }
        machine.record_event(end, stream).unwrap();
        assert_eq!(machine.elapsed(start, end), Ok(LAUNCH_MS * 3.1));
        assert_eq!(machine.end_stream(stream), Ok(()));
        assert_eq!(machine.record_event(end, stream).unwrap_err().code, Code::InvalidHandle);
    }
}
