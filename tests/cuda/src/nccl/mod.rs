//! The functions of `libnccl.so` between the pretended GPUs of one process: sums are really summed.

mod communicator;

use std::ffi::c_char;

use crate::machine::machine;
use crate::number::Kind;
use communicator::{Communicator, join};

/// `ncclResult_t`.
const SUCCESS: i32 = 0;
const SYSTEM_ERROR: i32 = 2;
const INVALID_ARGUMENT: i32 = 4;
/// 2.27.3.
const VERSION: i32 = 22_703;

/// `ncclUniqueId`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UniqueId([u8; 128]);

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

/// Declares functions of a communicator. The name between the bars says which argument the communicator is.
macro_rules! of_communicator {
    ($(fn $name:ident($($argument:ident: $kind:ty),* $(,)?) = |$communicator:ident| $body:expr;)*) => {
        $(
            /// See `nccl.h`.
            ///
            /// # Safety
            /// As NCCL asks.
            #[unsafe(no_mangle)]
            #[allow(non_snake_case, unused_unsafe)]
            pub unsafe extern "C" fn $name($($argument: $kind),*) -> i32 {
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
    fn ncclCommCount(comm: *const Communicator, count: *mut i32) = |comm| {
        count.write(comm.ranks() as i32);
        Ok(())
    };
    fn ncclCommUserRank(comm: *const Communicator, rank: *mut i32) = |comm| {
        rank.write(comm.rank as i32);
        Ok(())
    };
    fn ncclCommCuDevice(comm: *const Communicator, device: *mut i32) = |comm| {
        device.write(comm.device as i32);
        Ok(())
    };
    fn ncclCommGetAsyncError(_comm: *const Communicator, error: *mut i32) = |_comm| {
        error.write(SUCCESS);
        Ok(())
    };
    fn ncclCommFinalize(_comm: *const Communicator) = |_comm| Ok(());
    fn ncclAllReduce(
        from: u64, to: u64, count: usize, kind: i32, operation: i32, comm: *const Communicator, stream: usize,
    ) = |comm| comm.all_reduce(from, to, count, element(kind)?, operation, stream);
    fn ncclSend(
        from: u64, count: usize, kind: i32, peer: i32, comm: *const Communicator, _stream: usize,
    ) = |comm| comm.send(from, count * element(kind)?.bytes(), peer as usize);
    fn ncclRecv(
        to: u64, count: usize, kind: i32, peer: i32, comm: *const Communicator, stream: usize,
    ) = |comm| comm.receive(to, count * element(kind)?.bytes(), peer as usize, stream);
}

/// The element type with a number.
fn element(number: i32) -> Result<Kind, String> {
    Kind::of(number).ok_or_else(|| format!("element type {number}"))
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
