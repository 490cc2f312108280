//! Memory of the pretended GPUs: addresses of this process that cost nothing until they are touched.

use std::collections::BTreeMap;

use crate::error::{Code, Failure};
use crate::system;

/// What lives in a GPU's memory, or in host memory that a GPU can read.
#[derive(Debug, Default)]
pub struct Memory {
    blocks: BTreeMap<u64, Block>,
}

/// One allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its length.
    pub bytes: u64,
    /// The GPU it belongs to.
    pub device: usize,
}

impl Memory {
    /// Allocates `bytes` for a device; the address.
    ///
    /// # Errors
    /// When this process has no addresses left.
    pub fn allocate(&mut self, bytes: u64, device: usize) -> Result<u64, Failure> {
        let address = system::reserve(bytes as usize)
            .ok_or_else(|| Code::OutOfMemory.because(format!("no addresses for {bytes} bytes")))?;
        self.blocks.insert(address, Block { bytes, device });
        Ok(address)
    }

    /// Frees what starts at `address`.
    ///
    /// # Errors
    /// When nothing does.
    pub fn free(&mut self, address: u64) -> Result<Block, Failure> {
        let block = self.blocks.remove(&address).ok_or_else(|| {
            Code::InvalidValue.because(format!("freed {address:#x}, which was not allocated"))
        })?;
        system::release(address, block.bytes as usize);
        Ok(block)
    }

    /// The allocation that holds all of `bytes` from `address` on.
    pub fn holding(&self, address: u64, bytes: u64) -> Option<Block> {
        let (start, block) = self.blocks.range(..=address).next_back()?;
        (address + bytes <= start + block.bytes).then_some(*block)
    }

    /// Bytes that a device holds.
    pub fn held(&self, device: usize) -> u64 {
        self.blocks.values().filter(|block| block.device == device).map(|block| block.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_gigabytes_cost_nothing_until_they_are_touched() {
        let mut memory = Memory::default();
        let address = memory.allocate(100 << 30, 0).unwrap();
        let last = (address + (100 << 30) - 1) as *mut u8;
        // SAFETY: the last byte of the allocation.
        unsafe {
            assert_eq!(*last, 0);
            *last = 7;
            assert_eq!(*last, 7);
        }
        assert_eq!(memory.held(0), 100 << 30);
        assert_eq!(memory.held(1), 0);
        memory.free(address).unwrap();
        assert_eq!(memory.held(0), 0);
    }

    #[test]
    fn addresses_are_known_from_first_to_last_byte() {
        let mut memory = Memory::default();
        let address = memory.allocate(4096, 1).unwrap();
        assert_eq!(memory.holding(address + 4000, 96), Some(Block { bytes: 4096, device: 1 }));
        assert_eq!(memory.holding(address + 4000, 97), None);
        assert_eq!(memory.holding(address - 1, 1), None);
        assert_eq!(memory.free(address + 1).unwrap_err().code, Code::InvalidValue);
        memory.free(address).unwrap();
        assert_eq!(memory.holding(address, 1), None);
        assert_eq!(memory.free(address).unwrap_err().code, Code::InvalidValue);
    }
}
