//! Copies between the host and the GPUs.

use std::ffi::c_void;

use super::{call, device};
use crate::error::{Code, Failure};
use crate::machine::{Place, transfer};
use crate::ticket::Ticket;

/// A copy, after what the stream waits for when it goes to the host.
///
/// # Safety
/// Both sides are valid for `bytes`.
#[allow(clippy::too_many_arguments)]
unsafe fn copy(
    name: &'static str,
    to: Place,
    from: Place,
    bytes: usize,
    stream: usize,
    blocks: bool,
    copies: u64,
) -> i32 {
    let mut waits_for = Vec::new();
    let code = call(name, 0, |machine| {
        device()?;
        machine.copy_rows(to, from, bytes as u64, copies)?;
        let to_host = matches!(to, Place::Host(_));
        if to_host {
            waits_for = machine.before_stream(stream)?;
        }
        // To memory that is not pinned the driver copies before it returns.
        let blocks = blocks
            || matches!(to, Place::Host(host) if machine.pinned.holding(host as u64, bytes as u64).is_none());
        if blocks {
            machine.record.count("host waits", 1);
        }
        if machine.settings.stacks && (blocks || to_host) {
            machine.record.stack(name);
        }
        Ok(())
    });
    if code != 0 {
        return code;
    }
    if let Err(failure) = waits_for.iter().try_for_each(Ticket::wait) {
        return call(name, 0, |_| Err(failure));
    }
    // SAFETY: the caller's promise, and the machine's check of the GPU's side.
    unsafe { transfer(to, from, bytes) };
    0
}

macro_rules! copies {
    ($($name:ident($to:ident: $to_kind:ty, $from:ident: $from_kind:ty, $bytes:ident $(, $stream:ident)?) = $to_place:expr, $from_place:expr, $blocks:literal;)*) => {
        $(
            /// See `cuda.h`.
            ///
            /// # Safety
            /// As the driver asks.
            #[unsafe(no_mangle)]
            #[allow(non_snake_case)]
            pub unsafe extern "C" fn $name($to: $to_kind, $from: $from_kind, $bytes: usize $(, $stream: usize)?) -> i32 {
                #[allow(unused_variables)]
                let queue = 0;
                $(let queue = $stream;)?
                // SAFETY: the program's promise to the driver.
                unsafe { copy(stringify!($name), $to_place, $from_place, $bytes, queue, $blocks, 1) }
            }
        )*
    };
}

copies! {
    cuMemcpyHtoD_v2(to: u64, from: usize, bytes) = Place::Device(to), Place::Host(from), true;
    cuMemcpyDtoH_v2(to: usize, from: u64, bytes) = Place::Host(to), Place::Device(from), true;
    cuMemcpyDtoD_v2(to: u64, from: u64, bytes) = Place::Device(to), Place::Device(from), false;
    cuMemcpyHtoDAsync_v2(to: u64, from: usize, bytes, stream) = Place::Device(to), Place::Host(from), false;
    cuMemcpyDtoHAsync_v2(to: usize, from: u64, bytes, stream) = Place::Host(to), Place::Device(from), false;
    cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes, stream) = Place::Device(to), Place::Device(from), false;
}

/// `CUDA_MEMCPY2D`: rows of a pitched copy.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    from: Side<*const c_void>,
    to: Side<*mut c_void>,
    width: usize,
    height: usize,
}

/// One side of [`Rows`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Side<P> {
    x: usize,
    y: usize,
    kind: u32,
    host: P,
    device: u64,
    array: usize,
    pitch: usize,
}

impl<P: Copy> Side<P> {
    /// Its first byte of a row; `host` turns a pointer into an address.
    fn row(&self, row: usize, host: impl Fn(P) -> usize) -> Result<Place, Failure> {
        let offset = (self.y + row) * self.pitch + self.x;
        match self.kind {
            1 => Ok(Place::Host(host(self.host) + offset)),
            2 => Ok(Place::Device(self.device + offset as u64)),
            kind => Err(Code::NotSupported.because(format!("copy of memory type {kind}"))),
        }
    }
}

/// See `cuda.h`.
///
/// # Safety
/// As the driver asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpy2DAsync_v2(rows: *const Rows, stream: usize) -> i32 {
    const NAME: &str = "cuMemcpy2DAsync_v2";
    // SAFETY: the program's promise.
    let Rows { from, to, width, height } = unsafe { *rows };
    for row in 0..height {
        let places = from
            .row(row, |host| host as usize)
            .and_then(|from| Ok((to.row(row, |host| host as usize)?, from)));
        let code = match places {
            // SAFETY: the program's promise.
            Ok((to, from)) => unsafe {
                copy(NAME, to, from, width, stream, false, u64::from(row == 0))
            },
            Err(failure) => call(NAME, 0, |_| Err(failure)),
        };
        if code != 0 {
            return code;
        }
    }
    0
}
