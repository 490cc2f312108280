//! Devices and contexts.

use std::ffi::c_char;

use super::{CONTEXTS, CURRENT, device, driver, give};
use crate::error::{Code, Failure, Outcome};
use crate::machine::Machine;

/// A device's number that exists.
fn ordinal(machine: &Machine, device: i32) -> Result<usize, Failure> {
    let known = usize::try_from(device).ok().filter(|at| *at < machine.settings.devices);
    known.ok_or_else(|| Code::InvalidDevice.because(format!("device {device}")))
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
}
