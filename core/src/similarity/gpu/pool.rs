//! Buffers used again.

use std::sync::{Mutex, PoisonError};

use wgpu::BufferUsages;

/// Buffers that wait for their next use.
#[derive(Debug, Default)]
pub(super) struct BufferPool {
    free: Mutex<Vec<wgpu::Buffer>>,
}

/// More than a search and a score matrix need at once.
const MOST_FREE: usize = 16;
/// Least size of a buffer: WebGPU's alignment of binding offsets.
pub(super) const ALIGNMENT: u64 = 256;

impl BufferPool {
    /// A buffer of at least `bytes` with exactly `usage`; its content is anything.
    pub fn take(&self, device: &wgpu::Device, bytes: u64, usage: BufferUsages) -> wgpu::Buffer {
        // Rounded up, so that searches of similar sizes share buffers.
        let size = bytes.max(ALIGNMENT).next_power_of_two().min(device.limits().max_buffer_size);
        let size = size.max(bytes);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |buffer: &wgpu::Buffer| buffer.usage() == usage && buffer.size() == size;
        match free.iter().position(fits) {
            Some(at) => free.swap_remove(at),
            None => device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("avse scratch"),
                size,
                usage,
                mapped_at_creation: false,
            }),
        }
    }

    /// Takes buffers back, unmapped and with all their work submitted: later uses are ordered after it.
    pub fn give_back(&self, buffers: impl IntoIterator<Item = wgpu::Buffer>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.extend(buffers);
        let surplus = free.len().saturating_sub(MOST_FREE);
        free.drain(..surplus);
    }
}
