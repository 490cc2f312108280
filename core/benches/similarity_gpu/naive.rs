//! The peer: one invocation a pair, written as one writes it first.

use avse_core::similarity::gpu::wgpu;
use avse_core::similarity::{Blocks, Hit, TopK};
use wgpu::util::DeviceExt;

/// Both sides on the device, and everything a run needs.
pub struct Naive<'a> {
    device: &'a wgpu::Device,
    queue: &'a wgpu::Queue,
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
    groups: [u32; 2],
    scores: wgpu::Buffer,
    readable: wgpu::Buffer,
}

impl<'a> Naive<'a> {
    pub fn new(
        device: &'a wgpu::Device,
        queue: &'a wgpu::Queue,
        images: Blocks<'_>,
        captions: Blocks<'_>,
    ) -> Self {
        use wgpu::BufferUsages as Usage;
        let filled = |contents, usage| {
            let descriptor = wgpu::util::BufferInitDescriptor { label: None, contents, usage };
            device.create_buffer_init(&descriptor)
        };
        let (rows, columns) = (images.rows() as u32, captions.rows() as u32);
        let blocks = [images.shape().blocks as u32, captions.shape().blocks as u32];
        let width4 = images.shape().width as u32 / 4;
        let params = [rows, columns, blocks[0], blocks[1], width4, 0, 0, 0];
        let size = u64::from(rows * columns) * 4;
        let empty = |usage| {
            let mapped_at_creation = false;
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage,
                mapped_at_creation,
            })
        };
        let scores = empty(Usage::STORAGE | Usage::COPY_SRC);
        let buffers = [
            filled(bytemuck::cast_slice(images.values()), Usage::STORAGE),
            filled(bytemuck::cast_slice(captions.values()), Usage::STORAGE),
            scores.clone(),
            filled(bytemuck::cast_slice(&params), Usage::UNIFORM),
        ];
        let (entry, groups) = match columns {
            1 => ("main_query", [rows.div_ceil(64), 1]),
            _ => ("main", [columns.div_ceil(8), rows.div_ceil(8)]),
        };
        let module = device.create_shader_module(wgpu::include_wgsl!("naive.wgsl"));
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some(entry),
            compilation_options: Default::default(),
            cache: None,
        });
        let entries: Vec<_> = (0..)
            .zip(&buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let readable = empty(Usage::MAP_READ | Usage::COPY_DST);
        Self { device, queue, pipeline, bindings, groups, scores, readable }
    }

    /// All scores, row by row, read back.
    pub fn scores(&self) -> Vec<f32> {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &self.bindings, &[]);
            pass.dispatch_workgroups(self.groups[0], self.groups[1], 1);
        }
        encoder.copy_buffer_to_buffer(&self.scores, 0, &self.readable, 0, self.scores.size());
        self.queue.submit([encoder.finish()]);
        self.readable.map_async(wgpu::MapMode::Read, .., |result| result.expect("mapping"));
        self.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device");
        let range = self.readable.get_mapped_range(..).expect("a mapped buffer");
        let scores = bytemuck::pod_collect_to_vec(&range);
        drop(range);
        self.readable.unmap();
        scores
    }

    /// The best `k` images of the only caption.
    pub fn best(&self, k: usize) -> Vec<Hit> {
        let mut top = TopK::new(k);
        for (index, score) in self.scores().into_iter().enumerate() {
            top.push(Hit { index, score });
        }
        top.into_hits()
    }
}
