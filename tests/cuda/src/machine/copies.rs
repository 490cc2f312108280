//! Copies between GPUs and the host: checked, counted and made.

use std::ffi::c_void;

use super::Machine;
use crate::error::{Code, Outcome};

/// Where a copy comes from or goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A GPU's memory.
    Device(u64),
    /// The program's.
    Host(usize),
}

impl Machine {
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
mod tests {
    use super::*;
    use crate::machine::tests::machine;

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
}
