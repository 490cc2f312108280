//! Streams and events, and the host's waits for them.

use std::time::Duration;

use super::{call, device, driver, give};
use crate::error::{Code, Failure};
use crate::machine::Machine;
use crate::ticket::Ticket;

/// Waits for what `tickets` gives, without holding the machine; counts a wait of the host.
pub(super) fn wait(
    name: &'static str,
    tickets: impl FnOnce(&mut Machine) -> Result<Vec<Ticket>, Failure>,
) -> i32 {
    let (mut waits_for, mut pause) = (Vec::new(), Duration::ZERO);
    let code = call(name, 0, |machine| {
        waits_for = tickets(machine)?;
        pause = machine.pause();
        machine.keep_record();
        machine.record.count("host waits", 1);
        if machine.settings.stacks {
            machine.record.stack(name);
        }
        Ok(())
    });
    if code != 0 {
        return code;
    }
    std::thread::sleep(pause);
    match waits_for.iter().try_for_each(Ticket::wait) {
        Ok(()) => 0,
        Err(failure) => call(name, 0, |_| Err(failure)),
    }
}

driver! {
    fn cuStreamCreate(stream: *mut usize, _flags: u32) = |machine| {
        let at = device()?;
        give(stream, machine.stream(at))
    };
    fn cuStreamCreateWithPriority(stream: *mut usize, _flags: u32, _priority: i32) = |machine| {
        let at = device()?;
        give(stream, machine.stream(at))
    };
    fn cuStreamDestroy_v2(stream: usize) = |machine| machine.end_stream(stream);
    fn cuStreamWaitEvent(stream: usize, event: usize, _flags: u32) = |machine| {
        machine.record.count("stream waits", 1);
        machine.wait_event(stream, event)
    };
    fn cuEventCreate(event: *mut usize, _flags: u32) = |machine| {
        device()?;
        give(event, machine.event())
    };
    fn cuEventDestroy_v2(event: usize) = |machine| machine.end_event(event);
    fn cuEventRecord(event: usize, stream: usize) = |machine| machine.record_event(event, stream);
    fn cuEventElapsedTime(milliseconds: *mut f32, start: usize, end: usize) = |machine| {
        give(milliseconds, machine.elapsed(start, end)?)
    };
    since 12080 fn cuEventElapsedTime_v2(milliseconds: *mut f32, start: usize, end: usize) = |machine| {
        give(milliseconds, machine.elapsed(start, end)?)
    };
    fn cuStreamBeginCapture_v2(_stream: usize, _mode: i32) = |_machine| {
        Err(Code::NotSupported.because("the stand-in captures no graphs"))
    };
}

/// See `cuda.h`.
///
/// # Safety
/// As the driver asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamSynchronize(stream: usize) -> i32 {
    wait("cuStreamSynchronize", |machine| machine.before_stream(stream))
}

/// See `cuda.h`.
///
/// # Safety
/// As the driver asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventSynchronize(event: usize) -> i32 {
    wait("cuEventSynchronize", |machine| machine.before_event(event))
}

/// See `cuda.h`.
///
/// # Safety
/// As the driver asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxSynchronize() -> i32 {
    wait("cuCtxSynchronize", |machine| Ok(machine.before_device(device()?)))
}

/// See `cuda.h`.
///
/// # Safety
/// As the driver asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventQuery(event: usize) -> i32 {
    let mut open = false;
    let code = call("cuEventQuery", 0, |machine| {
        open = machine.before_event(event)?.iter().any(|ticket| !ticket.is_done());
        Ok(())
    });
    // CUDA_ERROR_NOT_READY is an answer, not a failure.
    if code == 0 && open { 600 } else { code }
}
