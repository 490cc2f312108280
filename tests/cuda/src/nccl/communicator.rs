//! One rank's end of a communicator: how the ranks find each other, sum and send messages.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::UniqueId;
use crate::driver::current_device;
use crate::machine::{Machine, machine};
use crate::number::Kind;
use crate::ticket::Ticket;

/// How long a rank waits for the others to come. Real NCCL waits for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// One rank's end of a communicator.
#[derive(Debug)]
pub struct Communicator {
    group: Arc<Group>,
    pub(super) rank: usize,
    pub(super) device: usize,
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
    /// How many ranks there are.
    pub(super) fn ranks(&self) -> usize {
        self.group.ranks
    }

    pub(super) fn all_reduce(
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

    pub(super) fn send(&self, from: u64, bytes: usize, peer: usize) -> Result<(), String> {
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

    pub(super) fn receive(
        &self,
        to: u64,
        bytes: usize,
        peer: usize,
        stream: usize,
    ) -> Result<(), String> {
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
pub(super) fn join(ranks: usize, id: UniqueId, rank: usize) -> Result<Communicator, String> {
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
