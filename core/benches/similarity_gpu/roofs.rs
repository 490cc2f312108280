//! What the adapter can do at most, measured with the clock and the device of the rows: multiply-adds
//! in registers alone, and reads that are summed and nothing else, from a buffer and from a texture.

use std::fmt::Write;
use std::time::Instant;

use avse_core::similarity::gpu::{GpuEngine, wgpu};

use super::roof::Roof;
use super::{RUNS, processor};

/// Operations and bytes a second, the fastest of several shaders each.
pub struct Roofs {
    pub multiply_add: Roof,
    pub read_buffer: Roof,
    pub read_texels: Roof,
    /// Memory read by one and by two threads without an adapter.
    pub processor: [Roof; 2],
}

/// Workgroups of 8 invocations: a processor's lanes. Enough of them for all threads.
const GROUPS: u32 = 64;
const LANES: u32 = 8;
/// Multiply-adds one after another, of each chain.
const ROUNDS: u32 = 4_000;
const UNROLLED: u32 = 16;
/// Texels of a row, rows: 64 MiB, more than caches hold.
const TEXELS: [u32; 2] = [4096, 1024];

impl Roofs {
    pub fn measure(engine: &GpuEngine) -> Self {
        let lab = Lab::new(engine.device(), engine.queue());
        let fastest = |roofs: &mut dyn Iterator<Item = Roof>| {
            roofs.max_by(|a, b| a.rate().total_cmp(&b.rate())).expect("a shader")
        };
        let bytes = f64::from(TEXELS[0] * TEXELS[1]) * 16.0;
        let mut multiply_adds = [6, 8, 12, 14, 24, 32].into_iter().map(|chains| {
            let count = f64::from(GROUPS * LANES * ROUNDS * UNROLLED * chains);
            Roof { amount: 2.0 * count, seconds: lab.seconds(&multiply_adds(chains), None) }
        });
        let reads = |texels: bool| {
            let lab = &lab;
            [1, 2, 4, 8].into_iter().map(move |at_once| {
                let resource = if texels { lab.texels() } else { lab.values.as_entire_binding() };
                Roof {
                    amount: bytes,
                    seconds: lab.seconds(&reads(texels, at_once), Some(resource)),
                }
            })
        };
        Self {
            multiply_add: fastest(&mut multiply_adds),
            read_buffer: fastest(&mut reads(false)),
            read_texels: fastest(&mut reads(true)),
            processor: processor::reads(),
        }
    }
}

/// Independent chains of multiply-adds: as many as hide a multiply-add's latency.
fn multiply_adds(chains: u32) -> String {
    let mut text = String::from(
        "@group(0) @binding(0) var<storage, read_write> sums: array<f32>;
@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let factor = 1.0 - f32(id.x) * 1e-9;
    let addend = f32(id.x) * 1e-9;\n",
    );
    // Writing to a String cannot fail.
    for chain in 0..chains {
        let _ = writeln!(text, "    var a{chain} = f32(id.x + {chain}u);");
    }
    let _ = writeln!(text, "    for (var round = 0u; round < {ROUNDS}u; round++) {{");
    for _ in 0..UNROLLED {
        for chain in 0..chains {
            let _ = writeln!(text, "        a{chain} = fma(a{chain}, factor, addend);");
        }
    }
    let sum: Vec<String> = (0..chains).map(|chain| format!("a{chain}")).collect();
    let _ = writeln!(text, "    }}\n    sums[id.x] = {};\n}}", sum.join(" + "));
    text
}

/// Each workgroup sums its part of the vectors, invocations side by side, `at_once` a turn.
fn reads(texels: bool, at_once: u32) -> String {
    let [width, height] = TEXELS;
    let (binding, load) = if texels {
        ("var values: texture_2d<f32>", "textureLoad(values, vec2u(at % ROW, at / ROW), 0)")
    } else {
        ("var<storage, read> values: array<vec4f>", "values[at]")
    };
    let mut text = format!(
        "@group(0) @binding(0) var<storage, read_write> sums: array<f32>;
@group(0) @binding(1) {binding};
const ROW = {width}u;
fn load(at: u32) -> vec4f {{ return {load}; }}
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {{
    let first = group.x * {each}u + lane;\n",
        each = width * height / GROUPS,
    );
    for sum in 0..at_once {
        let _ = writeln!(text, "    var a{sum} = vec4f(0.0);");
    }
    let turns = width * height / GROUPS / LANES / at_once;
    let _ = writeln!(text, "    for (var turn = 0u; turn < {turns}u; turn++) {{");
    for sum in 0..at_once {
        let _ = writeln!(
            text,
            "        a{sum} += load(first + (turn * {at_once}u + {sum}u) * {LANES}u);"
        );
    }
    let sum: Vec<String> = (0..at_once).map(|sum| format!("a{sum}")).collect();
    let _ = writeln!(
        text,
        "    }}\n    sums[group.x * {LANES}u + lane] = dot({}, vec4f(1.0));\n}}",
        sum.join(" + ")
    );
    text
}

struct Lab<'a> {
    device: &'a wgpu::Device,
    queue: &'a wgpu::Queue,
    values: wgpu::Buffer,
    texels: wgpu::TextureView,
    sums: wgpu::Buffer,
}

impl<'a> Lab<'a> {
    fn new(device: &'a wgpu::Device, queue: &'a wgpu::Queue) -> Self {
        use wgpu::{BufferUsages, TextureUsages};
        let [width, height] = TEXELS;
        let buffer = |size, usage| {
            let mapped_at_creation = false;
            let label = None;
            device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation })
        };
        let bytes = u64::from(width * height) * 16;
        let values = buffer(bytes, BufferUsages::STORAGE | BufferUsages::COPY_DST);
        let data: Vec<f32> = (0..bytes / 4).map(|at| (at % 97) as f32).collect();
        queue.write_buffer(&values, 0, bytemuck::cast_slice(&data));
        let size = wgpu::Extent3d { width, height, depth_or_array_layers: 1 };
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba32Float,
            usage: TextureUsages::TEXTURE_BINDING | TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(16 * width),
            rows_per_image: None,
        };
        queue.write_texture(texture.as_image_copy(), bytemuck::cast_slice(&data), layout, size);
        let texels = texture.create_view(&Default::default());
        let sums = buffer(u64::from(GROUPS * LANES) * 4, BufferUsages::STORAGE);
        Self { device, queue, values, texels, sums }
    }

    fn texels(&self) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::TextureView(&self.texels)
    }

    /// The least time of a shader, from its submission to its end.
    fn seconds(&self, text: &str, input: Option<wgpu::BindingResource<'_>>) -> f64 {
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        let resources = [Some(self.sums.as_entire_binding()), input];
        let entries: Vec<_> = (0..)
            .zip(resources.into_iter().flatten())
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        let bindings = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let run = || {
            let begun = Instant::now();
            let mut encoder = self.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                pass.set_pipeline(&pipeline);
                pass.set_bind_group(0, &bindings, &[]);
                pass.dispatch_workgroups(GROUPS, 1, 1);
            }
            self.queue.submit([encoder.finish()]);
            self.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device");
            begun.elapsed().as_secs_f64()
        };
        // The first compiles.
        run();
        (0..RUNS).map(|_| run()).fold(f64::INFINITY, f64::min)
    }
}
