//! The functions of `libnccl.so` between the pretended GPUs of one process: sums are really summed.

use std::collections::HashMap;
use std::ffi::{c_char, c_void};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::driver::current_device;
use crate::machine::{Machine, machine};
use crate::number::Kind;
use crate::ticket::Ticket;

/// `ncclResult_t`.
const SUCCESS: i32 = 0;
const SYSTEM_ERROR: i32 = 2;
const INVALID_ARGUMENT: i32 = 4;
/// 2.27.3.
const VERSION: i32 = 22_703;
/// How long a rank waits for the others to come. Real NCCL waits for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// `ncclUniqueId`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UniqueId([u8; 128]);

/// One rank's end of a communicator.
#[derive(Debug)]
pub struct Communicator {
    group: Arc<Group>,
    rank: usize,
    device: usize,
    state: Mutex<Counts>,
}

/// How many collectives a rank has begun, and messages to and from each other rank.
#[derive(Debug, Default)]
struct Counts {
    reductions: u64,
    sent: HashMap<usize, u64>,
    received: HashMap<usize, u64>,
}

#[derive(Debug)]
struct Group {
    ranks: usize,
    shared: Mutex<Shared>,
    all_here: Condvar,
}

#[derive(Debug, Default)]
struct Shared {
    joined: usize,
    reductions: HashMap<u64, Reduction>,
    messages: HashMap<(usize, usize, u64), Message>,
}

#[derive(Debug)]
struct Reduction {
    shape: (usize, Kind, i32),
    parts: HashMap<usize, Vec<u8>>,
    targets: Vec<(u64, Ticket)>,
}

#[derive(Debug)]
enum Message {
    Sent(Vec<u8>),
    Awaited(u64, usize, Ticket),
}

fn groups() -> &'static Mutex<HashMap<UniqueId, Arc<Group>>> {
    static GROUPS: std::sync::OnceLock<Mutex<HashMap<UniqueId, Arc<Group>>>> =
        std::sync::OnceLock::new();
    GROUPS.get_or_init(Mutex::default)
}

/// Counts a call; `INVALID_ARGUMENT` is noted as a failure where `outcome` is an error.
fn note(name: &'static str, outcome: Result<(), String>) -> i32 {
    let Ok(mut machine) = machine() else { return SYSTEM_ERROR };
    machine.record.call(name, 0);
    match outcome {
        Ok(()) => SUCCESS,
        Err(reason) => {
            machine.record.failure(name, &crate::error::Code::InvalidValue.because(reason));
            INVALID_ARGUMENT
        }
    }
}

/// A copy of a GPU's memory.
fn contents(machine: &Machine, address: u64, bytes: usize) -> Result<Vec<u8>, String> {
    machine.memory.holding(address, bytes as u64).ok_or("memory that is not allocated")?;
    // SAFETY: the block is allocated, and the machine is held.
    Ok(unsafe { std::slice::from_raw_parts(address as *const u8, bytes) }.to_vec())
}

/// Writes into a GPU's memory, unless that has been freed.
fn put(machine: &Machine, address: u64, bytes: &[u8]) -> Result<(), String> {
    machine.memory.holding(address, bytes.len() as u64).ok_or("memory that is not allocated")?;
    // SAFETY: the block is allocated, and the machine is held.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
    Ok(())
}

impl Communicator {
    fn all_reduce(
        &self,
        from: u64,
        to: u64,
        count: usize,
        kind: Kind,
        operation: i32,
        stream: usize,
    ) -> Result<(), String> {
        let divisor = match operation {
            0 => 1,
            4 => self.group.ranks,
            other => return Err(format!("reduction {other} is not in the stand-in")),
        };
        let number = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.reductions += 1;
            state.reductions
        };
        let bytes = count * kind.bytes();
        let mut machine = machine()?;
        machine.record.count("collectives", 1);
        machine.record.count("collective bytes", bytes as u64);
        let part = contents(&machine, from, bytes)?;
        let ticket = Ticket::default();
        machine.open(stream, ticket.clone()).map_err(|failure| failure.reason)?;

        let shape = (count, kind, operation);
        let mut shared = self.group.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let reduction = shared.reductions.entry(number).or_insert_with(|| Reduction {
            shape,
            parts: HashMap::new(),
            targets: Vec::new(),
        });
        if reduction.shape != shape {
            return Err(format!("ranks reduce {:?} and {shape:?}", reduction.shape));
        }
        reduction.parts.insert(self.rank, part);
        reduction.targets.push((to, ticket));
        if reduction.parts.len() < self.group.ranks {
            return Ok(());
        }
        let Some(mut reduction) = shared.reductions.remove(&number) else { return Ok(()) };
        // In the order of the ranks, so that the sum does not depend on who came first.
        let parts: Vec<_> =
            (0..self.group.ranks).filter_map(|rank| reduction.parts.remove(&rank)).collect();
        let sum = kind.sum(&parts, divisor);
        let written = reduction.targets.iter().map(|(to, ticket)| {
            let written = put(&machine, *to, &sum);
            ticket.done();
            written
        });
        written.collect()
    }

    fn send(&self, from: u64, bytes: usize, peer: usize) -> Result<(), String> {
        let number = self.next(|counts| counts.sent.entry(peer).or_default());
        let mut machine = machine()?;
        machine.record.count("messages", 1);
        machine.record.count("message bytes", bytes as u64);
        let data = contents(&machine, from, bytes)?;
        let mut shared = self.group.shared.lock().unwrap_or_else(PoisonError::into_inner);
        match shared.messages.remove(&(self.rank, peer, number)) {
            Some(Message::Awaited(to, room, ticket)) => deliver(&machine, &data, to, room, &ticket),
            _ => {
                shared.messages.insert((self.rank, peer, number), Message::Sent(data));
                Ok(())
            }
        }
    }

    fn receive(&self, to: u64, bytes: usize, peer: usize, stream: usize) -> Result<(), String> {
        let number = self.next(|counts| counts.received.entry(peer).or_default());
        let mut machine = machine()?;
        let ticket = Ticket::default();
        machine.open(stream, ticket.clone()).map_err(|failure| failure.reason)?;
        let mut shared = self.group.shared.lock().unwrap_or_else(PoisonError::into_inner);
        match shared.messages.remove(&(peer, self.rank, number)) {
            Some(Message::Sent(data)) => deliver(&machine, &data, to, bytes, &ticket),
            _ => {
                let message = Message::Awaited(to, bytes, ticket);
                shared.messages.insert((peer, self.rank, number), message);
                Ok(())
            }
        }
    }

    fn next(&self, which: impl FnOnce(&mut Counts) -> &mut u64) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let number = which(&mut state);
        *number += 1;
        *number
    }
}

fn deliver(
    machine: &Machine,
    data: &[u8],
    to: u64,
    room: usize,
    ticket: &Ticket,
) -> Result<(), String> {
    let fits = (data.len() == room)
        .then_some(())
        .ok_or(format!("{} bytes sent, {room} awaited", data.len()));
    let written = fits.and_then(|()| put(machine, to, data));
    ticket.done();
    written
}

/// Joins a group and waits for all its ranks.
fn join(ranks: usize, id: UniqueId, rank: usize) -> Result<Communicator, String> {
    if rank >= ranks {
        return Err(format!("rank {rank} of {ranks}"));
    }
    let group = {
        let mut groups = groups().lock().unwrap_or_else(PoisonError::into_inner);
        let group = || Group { ranks, shared: Mutex::default(), all_here: Condvar::new() };
        groups.entry(id).or_insert_with(|| Arc::new(group())).clone()
    };
    let end = Instant::now() + PATIENCE;
    let mut shared = group.shared.lock().unwrap_or_else(PoisonError::into_inner);
    shared.joined += 1;
    group.all_here.notify_all();
    while shared.joined < ranks {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(format!("{} of {ranks} ranks came", shared.joined));
        }
        let waited = group.all_here.wait_timeout(shared, left);
        (shared, _) = waited.unwrap_or_else(PoisonError::into_inner);
    }
    drop(shared);
    Ok(Communicator { group, rank, device: current_device(), state: Mutex::default() })
}

/// See `nccl.h`.
///
/// # Safety
/// As NCCL asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ncclGetVersion(version: *mut i32) -> i32 {
    // SAFETY: the program's promise.
    unsafe { version.write(VERSION) };
    note("ncclGetVersion", Ok(()))
}

/// See `nccl.h`.
///
/// # Safety
/// As NCCL asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ncclGetUniqueId(id: *mut UniqueId) -> i32 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let mut bytes = [0; 128];
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    // SAFETY: the program's promise.
    unsafe { id.write(UniqueId(bytes)) };
    note("ncclGetUniqueId", Ok(()))
}

/// See `nccl.h`.
///
/// # Safety
/// As NCCL asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ncclCommInitRank(
    comm: *mut *mut Communicator,
    ranks: i32,
    id: UniqueId,
    rank: i32,
) -> i32 {
    let joined = join(ranks as usize, id, rank as usize).map(|communicator| {
        // SAFETY: the program's promise.
        unsafe { comm.write(Box::into_raw(Box::new(communicator))) };
    });
    note("ncclCommInitRank", joined)
}

macro_rules! of_communicator {
    ($($name:ident($communicator:ident $(, $argument:ident: $kind:ty)*) = $body:expr;)*) => {
        $(
            /// See `nccl.h`.
            ///
            /// # Safety
            /// As NCCL asks.
            #[unsafe(no_mangle)]
            #[allow(non_snake_case, unused_unsafe)]
            pub unsafe extern "C" fn $name($communicator: *const Communicator $(, $argument: $kind)*) -> i32 {
                // SAFETY: communicators come from `ncclCommInitRank`.
                let outcome = unsafe { $communicator.as_ref() }
                    .ok_or_else(|| String::from("no communicator"))
                    // SAFETY: pointers are the program's.
                    .and_then(|$communicator| unsafe { $body });
                note(stringify!($name), outcome)
            }
        )*
    };
}

of_communicator! {
    ncclCommCount(comm, count: *mut i32) = { count.write(comm.group.ranks as i32); Ok(()) };
    ncclCommUserRank(comm, rank: *mut i32) = { rank.write(comm.rank as i32); Ok(()) };
    ncclCommCuDevice(comm, device: *mut i32) = { device.write(comm.device as i32); Ok(()) };
    ncclCommGetAsyncError(_comm, error: *mut i32) = { error.write(SUCCESS); Ok(()) };
    ncclCommFinalize(_comm) = Ok(());
}

/// See `nccl.h`.
///
/// # Safety
/// As NCCL asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ncclCommDestroy(comm: *mut Communicator) -> i32 {
    if !comm.is_null() {
        // SAFETY: from `ncclCommInitRank`, and given up here.
        drop(unsafe { Box::from_raw(comm) });
    }
    note("ncclCommDestroy", Ok(()))
}

/// See `nccl.h`.
///
/// # Safety
/// As NCCL asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ncclCommAbort(comm: *mut Communicator) -> i32 {
    // SAFETY: the same contract.
    unsafe { ncclCommDestroy(comm) }
}

/// See `nccl.h`. Operations begin at once here, and none waits in the call, so a group needs no more.
#[unsafe(no_mangle)]
pub extern "C" fn ncclGroupStart() -> i32 {
    note("ncclGroupStart", Ok(()))
}

/// See `nccl.h`.
#[unsafe(no_mangle)]
pub extern "C" fn ncclGroupEnd() -> i32 {
    note("ncclGroupEnd", Ok(()))
}

/// Runs one operation of a communicator.
///
/// # Safety
/// The communicator is one of `ncclCommInitRank`.
unsafe fn operate(
    name: &'static str,
    comm: *const Communicator,
    kind: i32,
    body: impl FnOnce(&Communicator, Kind) -> Result<(), String>,
) -> i32 {
    // SAFETY: the caller's promise.
    let communicator = unsafe { comm.as_ref() }.ok_or_else(|| String::from("no communicator"));
    let kind = Kind::of(kind).ok_or_else(|| format!("element type {kind}"));
    note(name, communicator.and_then(|communicator| body(communicator, kind?)))
}

/// See `nccl.h`.
///
/// # Safety
/// As NCCL asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ncclAllReduce(
    from: *const c_void,
    to: *mut c_void,
    count: usize,
    kind: i32,
    operation: i32,
    comm: *const Communicator,
    stream: usize,
) -> i32 {
    // SAFETY: the program's promise.
    unsafe {
        operate("ncclAllReduce", comm, kind, |communicator, kind| {
            communicator.all_reduce(from as u64, to as u64, count, kind, operation, stream)
        })
    }
}

/// See `nccl.h`.
///
/// # Safety
/// As NCCL asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ncclSend(
    from: *const c_void,
    count: usize,
    kind: i32,
    peer: i32,
    comm: *const Communicator,
    _stream: usize,
) -> i32 {
    // SAFETY: the program's promise.
    unsafe {
        operate("ncclSend", comm, kind, |communicator, kind| {
            communicator.send(from as u64, count * kind.bytes(), peer as usize)
        })
    }
}

/// See `nccl.h`.
///
/// # Safety
/// As NCCL asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ncclRecv(
    to: *mut c_void,
    count: usize,
    kind: i32,
    peer: i32,
    comm: *const Communicator,
    stream: usize,
) -> i32 {
    // SAFETY: the program's promise.
    unsafe {
        operate("ncclRecv", comm, kind, |communicator, kind| {
            communicator.receive(to as u64, count * kind.bytes(), peer as usize, stream)
        })
    }
}

/// See `nccl.h`.
#[unsafe(no_mangle)]
pub extern "C" fn ncclGetErrorString(code: i32) -> *const c_char {
    let text = match code {
        SUCCESS => c"no error",
        SYSTEM_ERROR => c"unhandled system error",
        INVALID_ARGUMENT => c"invalid argument",
        _ => c"unknown result code",
    };
    text.as_ptr()
}
