//! Buffers for shaders, and reading back what the device wrote.

use wgpu::BufferUsages;

use super::engine::GpuEngine;
use crate::Result;

impl GpuEngine {
    /// Scratch that shaders write and the host may read.
    pub(super) fn scratch(&self, bytes: u64) -> wgpu::Buffer {
        self.pool.take(&self.device, bytes, BufferUsages::STORAGE | BufferUsages::COPY_SRC)
    }

    /// Scratch for reading back.
    pub(super) fn readable(&self, bytes: u64) -> wgpu::Buffer {
        self.pool.take(&self.device, bytes, BufferUsages::MAP_READ | BufferUsages::COPY_DST)
    }

    /// A buffer for shaders to read, filled with `data`.
    pub(super) fn filled(&self, data: &[u8], usage: BufferUsages) -> wgpu::Buffer {
        let usage = usage | BufferUsages::COPY_DST;
        let buffer = self.pool.take(&self.device, data.len() as u64, usage);
        self.queue.write_buffer(&buffer, 0, data);
        buffer
    }

    /// The first `bytes` of a buffer of [`readable`](Self::readable), once the device has done what
    /// was submitted; gives the buffer back.
    ///
    /// # Errors
    /// [`Error::Gpu`](crate::Error::Gpu) when the device is lost.
    pub(super) async fn read(
        &self,
        buffer: wgpu::Buffer,
        bytes: u64,
        submission: wgpu::SubmissionIndex,
    ) -> Result<Vec<u8>> {
        let (sender, receiver) = async_channel::bounded(1);
        // A lost device may call the buffer invalid.
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        buffer.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
            // Nobody listens any more where the search was dropped.
            let _ = sender.try_send(result);
        });
        let invalid = scope.pop();
        self.wait(submission)?;
        if let Some(error) = invalid.await {
            return Err(self.failure(&error.to_string()));
        }
        match receiver.recv().await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(self.failure(&error.to_string())),
            Err(_) => return Err(self.failure("the device stopped answering")),
        }
        let range = buffer.get_mapped_range(..bytes);
        let data = range.map_err(|error| self.failure(&error.to_string()))?.to_vec();
        buffer.unmap();
        self.pool.give_back([buffer]);
        Ok(data)
    }

    /// Whether the device still does what it is asked.
    pub(super) async fn answers(&self) -> bool {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let buffer = self.readable(4);
        let submission = self.queue.submit([]);
        let errors = scope.pop();
        errors.await.is_none() && self.read(buffer, 4, submission).await.is_ok()
    }

    /// Natively nothing happens unless somebody polls: here and now.
    #[cfg(not(target_family = "wasm"))]
    fn wait(&self, submission: wgpu::SubmissionIndex) -> Result<()> {
        let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: None };
        self.device.poll(wait).map(|_| ()).map_err(|error| self.failure(&error.to_string()))
    }

    /// A browser's event loop polls by itself.
    #[cfg(target_family = "wasm")]
    fn wait(&self, _submission: wgpu::SubmissionIndex) -> Result<()> {
        Ok(())
    }

    /// Binds whole buffers, or parts of them, to the first bindings of a pipeline.
    pub(super) fn bind(
        &self,
        pipeline: &wgpu::ComputePipeline,
        parts: &[wgpu::BufferBinding<'_>],
    ) -> wgpu::BindGroup {
        let resources: Vec<_> = parts.iter().cloned().map(wgpu::BindingResource::Buffer).collect();
        self.bind_resources(pipeline, resources)
    }

    /// The same, where not all are buffers.
    pub(super) fn bind_resources(
        &self,
        pipeline: &wgpu::ComputePipeline,
        resources: Vec<wgpu::BindingResource<'_>>,
    ) -> wgpu::BindGroup {
        let entries: Vec<_> = (0..)
            .zip(resources)
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        })
    }
}

/// `bytes` of a buffer from `offset` on, a multiple of 256.
pub(super) fn part(buffer: &wgpu::Buffer, offset: u64, bytes: u64) -> wgpu::BufferBinding<'_> {
    wgpu::BufferBinding { buffer, offset, size: wgpu::BufferSize::new(bytes) }
}

/// All of a buffer.
pub(super) fn whole(buffer: &wgpu::Buffer) -> wgpu::BufferBinding<'_> {
    buffer.as_entire_buffer_binding()
}
