//! The functions of `libcuda.so`, as `cuda.h` declares them: arguments in, arguments out, nothing else.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_void};
use std::slice::from_raw_parts;
use std::time::Duration;

use crate::error::{Code, Failure, Outcome, describe_or_none};
use crate::launch::Configuration;
use crate::machine::{Machine, Place, machine, transfer};
use crate::tensor_map;
use crate::ticket::Ticket;

thread_local! {
    /// The context of the thread: 0 is none, else a device's number and [`CONTEXTS`].
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// Added to a device's number, contexts are not mistaken for anything else.
const CONTEXTS: usize = 0xC0DE_0000;

/// Runs the body of a function that exists since CUDA `since`; the number that the program gets.
fn call(name: &'static str, since: i32, body: impl FnOnce(&mut Machine) -> Outcome) -> i32 {
    let mut machine = match machine() {
        Ok(machine) => machine,
        Err(error) => {
            eprintln!("cuda stand-in: {error}");
            return Code::Unknown as i32;
        }
    };
    machine.record.call(name, since);
    let without_init = ["cuInit", "cuDriverGetVersion"].contains(&name);
    let outcome = if machine.settings.driver < since {
        let text = format!("since CUDA {since}, the driver's is {}", machine.settings.driver);
        Err(Code::CallRequiresNewerDriver.because(text))
    } else if !machine.initialised && !without_init {
        Err(Code::NotInitialized.because("before cuInit"))
    } else {
        body(&mut machine)
    };
    finish(&mut machine, name, outcome)
}

/// Notes a failure; the number that the program gets.
fn finish(machine: &mut Machine, name: &'static str, outcome: Outcome) -> i32 {
    match outcome {
        Ok(()) => 0,
        Err(failure) => {
            machine.record.failure(name, &failure);
            failure.code as i32
        }
    }
}

/// Waits for what `tickets` gives, without holding the machine; counts a wait of the host.
fn wait(
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

/// The device of the thread's context.
fn device() -> Result<usize, Failure> {
    CURRENT.get().checked_sub(CONTEXTS).ok_or_else(|| Code::InvalidContext.because("no context"))
}

/// The device of the thread's context, where it has one.
pub(crate) fn current_device() -> usize {
    device().unwrap_or(0)
}

/// A device's number that exists.
fn ordinal(machine: &Machine, device: i32) -> Result<usize, Failure> {
    let known = usize::try_from(device).ok().filter(|at| *at < machine.settings.devices);
    known.ok_or_else(|| Code::InvalidDevice.because(format!("device {device}")))
}

/// Gives the program a value.
///
/// # Safety
/// `to` is null or valid.
unsafe fn give<T>(to: *mut T, value: T) -> Outcome {
    if to.is_null() {
        return Err(Code::InvalidValue.because("null pointer"));
    }
    // SAFETY: the caller's promise.
    unsafe { to.write(value) };
    Ok(())
}

/// Gives the program a text with an end that C finds.
///
/// # Safety
/// `to` is valid for `room` bytes.
unsafe fn give_text(to: *mut c_char, room: i32, text: &str) -> Outcome {
    let room = usize::try_from(room).ok().filter(|room| *room > 0 && !to.is_null());
    let room = room.ok_or_else(|| Code::InvalidValue.because("no room for a text"))?;
    let length = text.len().min(room - 1);
    // SAFETY: the caller's promise.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), to.cast(), length);
        to.add(length).write(0);
    }
    Ok(())
}

/// Declares functions of the driver; the number is the release that has it first, where that is newer than
/// 11.4.
macro_rules! driver {
    ($($(since $since:literal)? fn $name:ident($($argument:ident: $kind:ty),* $(,)?) = |$machine:ident| $body:expr;)*) => {
        $(
            /// See `cuda.h`.
            ///
            /// # Safety
            /// As the driver asks.
            #[unsafe(no_mangle)]
            #[allow(non_snake_case, unused_unsafe, clippy::too_many_arguments)]
            pub unsafe extern "C" fn $name($($argument: $kind),*) -> i32 {
                #[allow(unused_variables)]
                let since = 0;
                $(let since = $since;)?
                // SAFETY: pointers are the program's, valid as the driver asks.
                call(stringify!($name), since, |$machine| unsafe { $body })
            }
        )*
    };
}

driver! {
    fn cuInit(_flags: u32) = |machine| {
        if machine.settings.devices == 0 {
            return Err(Code::NoDevice.because("no device"));
        }
        machine.initialised = true;
        Ok(())
    };
    fn cuDriverGetVersion(version: *mut i32) = |machine| give(version, machine.settings.driver);
    fn cuDeviceGetCount(count: *mut i32) = |machine| give(count, machine.settings.devices as i32);
    fn cuDeviceGet(device: *mut i32, number: i32) = |machine| {
        ordinal(machine, number)?;
        give(device, number)
    };
    fn cuDeviceGetName(name: *mut c_char, room: i32, device: i32) = |machine| {
        ordinal(machine, device)?;
        give_text(name, room, &machine.settings.model.name)
    };
    fn cuDeviceGetPCIBusId(id: *mut c_char, room: i32, device: i32) = |machine| {
        let at = ordinal(machine, device)?;
        give_text(id, room, &format!("0000:{:02X}:00.0", at + 1))
    };
    fn cuDeviceGetUuid_v2(id: *mut [u8; 16], device: i32) = |machine| {
        let at = ordinal(machine, device)?;
        give(id, [at as u8; 16])
    };
    fn cuDeviceGetAttribute(value: *mut i32, attribute: i32, device: i32) = |machine| {
        let at = ordinal(machine, device)?;
        let known = machine.settings.model.attribute(attribute, at as i32);
        let known = known.ok_or_else(|| Code::InvalidValue.because(format!("attribute {attribute}")))?;
        give(value, known)
    };
    fn cuDeviceTotalMem_v2(bytes: *mut usize, device: i32) = |machine| {
        let at = ordinal(machine, device)?;
        give(bytes, machine.capacity(at).1 as usize)
    };
    fn cuDevicePrimaryCtxRetain(context: *mut usize, device: i32) = |machine| {
        let at = ordinal(machine, device)?;
        give(context, CONTEXTS + at)
    };
    fn cuDevicePrimaryCtxRelease_v2(device: i32) = |machine| ordinal(machine, device).map(drop);
    fn cuCtxSetCurrent(context: usize) = |machine| {
        let known = context == 0 || (CONTEXTS..CONTEXTS + machine.settings.devices).contains(&context);
        if !known {
            return Err(Code::InvalidContext.because(format!("context {context:#x}")));
        }
        CURRENT.set(context);
        Ok(())
    };
    fn cuCtxGetCurrent(context: *mut usize) = |_machine| give(context, CURRENT.get());
    fn cuCtxGetDevice(number: *mut i32) = |_machine| give(number, device()? as i32);
    fn cuCtxGetStreamPriorityRange(least: *mut i32, greatest: *mut i32) = |_machine| {
        give(least, 0)?;
        give(greatest, -5)
    };
    fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) = |machine| {
        let (left, all) = machine.capacity(device()?);
        give(free, left as usize)?;
        give(total, all as usize)
    };
    fn cuMemAlloc_v2(address: *mut u64, bytes: usize) = |machine| {
        let at = device()?;
        if machine.settings.stacks {
            machine.record.stack("cuMemAlloc_v2");
        }
        give(address, machine.allocate(bytes as u64, at)?)
    };
    fn cuMemAllocAsync(address: *mut u64, bytes: usize, _stream: usize) = |machine| {
        let at = device()?;
        give(address, machine.allocate(bytes as u64, at)?)
    };
    fn cuMemFreeAsync(address: u64, _stream: usize) = |machine| machine.free(address);
    fn cuMemAllocHost_v2(address: *mut u64, bytes: usize) = |machine| {
        let at = device()?;
        let pinned = machine.pinned.allocate(bytes.max(1) as u64, at)?;
        machine.record.count("host allocations", 1);
        machine.record.count("host allocated bytes", bytes as u64);
        give(address, pinned)
    };
    fn cuMemFreeHost(address: u64) = |machine| {
        machine.pinned.free(address)?;
        machine.record.count("host frees", 1);
        Ok(())
    };
    fn cuMemsetD8Async(address: u64, value: u8, bytes: usize, _stream: usize) = |machine| {
        let text = "fills memory that is not allocated";
        machine.memory.holding(address, bytes as u64).ok_or_else(|| Code::InvalidValue.because(text))?;
        machine.record.count("fills", 1);
        std::ptr::write_bytes(address as *mut u8, value, bytes);
        Ok(())
    };
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
    fn cuModuleLoadData(module: *mut usize, image: *const c_char) = |machine| {
        device()?;
        let text = CStr::from_ptr(image).to_str();
        let text = text.map_err(|_| Code::InvalidPtx.because("PTX is no text"))?;
        give(module, machine.load(text)?)
    };
    fn cuModuleUnload(_module: usize) = |_machine| Ok(());
    fn cuModuleGetFunction(function: *mut usize, module: usize, name: *const c_char) = |machine| {
        let name = CStr::from_ptr(name).to_string_lossy();
        give(function, machine.function(module, &name)?)
    };
    fn cuFuncSetAttribute(function: usize, attribute: i32, value: i32) = |machine| {
        machine.set_attribute(function, attribute, value)
    };
    fn cuLaunchKernel(
        function: usize, grid_x: u32, grid_y: u32, grid_z: u32, block_x: u32, block_y: u32, block_z: u32,
        shared: u32, stream: usize, parameters: *const *const c_void, _extra: *const c_void,
    ) = |machine| {
        device()?;
        let (grid, block) = ([grid_x, grid_y, grid_z], [block_x, block_y, block_z]);
        machine.launch(function, Configuration { grid, block, shared, stream }, parameters)
    };
    since 12000 fn cuTensorMapEncodeTiled(
        map: *mut [u8; tensor_map::BYTES], kind: i32, rank: u32, address: u64, sizes: *const u64,
        strides: *const u64, tile: *const u32, steps: *const u32, interleave: i32, swizzle: i32,
        _promotion: i32, _fill: i32,
    ) = |_machine| {
        let rank = rank as usize;
        let (tile, steps) = (Some(from_raw_parts(tile, rank)), from_raw_parts(steps, rank));
        let (sizes, strides) = (from_raw_parts(sizes, rank), from_raw_parts(strides, rank.saturating_sub(1)));
        tensor_map::check(&tensor_map::Description {
            kind, address, sizes, strides, tile, steps, interleave, swizzle,
        })?;
        give(map, [0; tensor_map::BYTES])
    };
    since 12000 fn cuTensorMapEncodeIm2col(
        map: *mut [u8; tensor_map::BYTES], kind: i32, rank: u32, address: u64, sizes: *const u64,
        strides: *const u64, _lower: *const i32, _upper: *const i32, _channels: u32, _pixels: u32,
        steps: *const u32, interleave: i32, swizzle: i32, _promotion: i32, _fill: i32,
    ) = |_machine| {
        let rank = rank as usize;
        let (sizes, strides) = (from_raw_parts(sizes, rank), from_raw_parts(strides, rank.saturating_sub(1)));
        let steps = from_raw_parts(steps, rank);
        tensor_map::check(&tensor_map::Description {
            kind, address, sizes, strides, tile: None, steps, interleave, swizzle,
        })?;
        give(map, [0; tensor_map::BYTES])
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
pub unsafe extern "C" fn cuMemFree_v2(address: u64) -> i32 {
    // The driver waits for the device before it takes memory away.
    let code = wait("cuMemFree_v2", |machine| Ok(machine.before_device(device()?)));
    if code == 0 { call("cuMemFree_v2", 0, |machine| machine.free(address)) } else { code }
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

/// See `cuda.h`.
///
/// # Safety
/// As the driver asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorName(code: i32, text: *mut *const c_char) -> i32 {
    // SAFETY: the program's promise.
    unsafe { give_description(text, describe_or_none(code).map(|(name, _)| name)) }
}

/// See `cuda.h`.
///
/// # Safety
/// As the driver asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorString(code: i32, text: *mut *const c_char) -> i32 {
    // SAFETY: the program's promise.
    unsafe { give_description(text, describe_or_none(code).map(|(_, text)| text)) }
}

unsafe fn give_description(to: *mut *const c_char, text: Option<&'static CStr>) -> i32 {
    let pointer = text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: the caller's promise.
    let given = unsafe { give(to, pointer) };
    if given.is_ok() && text.is_some() { 0 } else { Code::InvalidValue as i32 }
}
