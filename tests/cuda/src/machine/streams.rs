//! Streams and events: a clock that counts launches, and what the host has to wait for.

use std::time::Duration;

use super::Machine;
use crate::error::{Code, Failure, Outcome};
use crate::ticket::Ticket;

/// Time that a launch is said to take. The same for all kernels, so that tuning is repeatable: it prefers the
/// candidate with fewer launches, and of equal ones the first.
const LAUNCH_MS: f32 = 0.01;

/// Time that a launch really takes whose kernel measures the GPU: Burn doubles that kernel's work until it takes
/// 20 ms by the host's clock, and ends with numbers too large for it where that never happens.
const MEASURING: Duration = Duration::from_millis(22);

#[derive(Debug, Default)]
pub(super) struct Stream {
    device: usize,
    /// Launches so far: the stream's clock.
    work: u64,
    /// Collectives that other devices have not joined yet.
    open: Vec<Ticket>,
}

#[derive(Debug, Default)]
pub(super) struct Event {
    work: Option<u64>,
    open: Vec<Ticket>,
}

impl Machine {
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
}

fn no(what: &str, handle: usize) -> Failure {
    Code::InvalidHandle.because(format!("no {what} {handle:#x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tests::machine;

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
