//! Memory: allocated, filled and freed.

use super::streams::wait;
use super::{call, device, driver, give};
use crate::error::Code;

driver! {
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
