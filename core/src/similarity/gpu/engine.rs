//! A device with its pipelines: owned, or shared with whoever made it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use super::format::Format;
use super::kernel::Kernel;
use super::pool::BufferPool;
use super::tuning::Tuning;
use crate::error::GpuFailure;
use crate::{Error, Result};

/// Which sizes of tiles and workgroups kernels are built with. The scores are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tiles {
    /// What suits the device.
    #[default]
    Auto,
    /// For GPUs.
    Gpu,
    /// For adapters that run on a CPU, as llvmpipe and SwiftShader.
    Software,
}

/// How to choose and use a GPU. The default takes the adapter that the system prefers.
#[derive(Clone, Debug)]
pub struct GpuOptions {
    /// Interfaces to look for; all first-class ones by default (no OpenGL).
    pub backends: wgpu::Backends,
    /// Battery or speed, where there are several adapters.
    pub power: wgpu::PowerPreference,
    /// Whether to insist on a software adapter.
    pub software: bool,
    /// Most bytes of a gallery in one binding; the device's own limit where that is less.
    pub shard_bytes: u64,
    /// Whether shaders may read 16-bit numbers natively, or on software adapters four as one 64-bit
    /// integer, where the device can; they unpack them from 32 bits otherwise. The scores are the
    /// same.
    pub native_f16: bool,
    /// Whether shaders may use the built-in dot product of packed bytes. Natively it is always there; in a
    /// browser it is a language feature, which [`GpuEngine::new`] looks up and
    /// [`GpuEngine::from_parts`] has to be told. The scores are the same.
    pub packed_dot: bool,
    /// Sizes of tiles and workgroups.
    pub tiles: Tiles,
}

impl Default for GpuOptions {
    fn default() -> Self {
        Self {
            backends: wgpu::Backends::PRIMARY,
            power: wgpu::PowerPreference::HighPerformance,
            software: false,
            shard_bytes: u64::MAX,
            native_f16: true,
            packed_dot: true,
            tiles: Tiles::Auto,
        }
    }
}

/// The similarity on a GPU, in plain wgpu.
///
/// Everything takes `&self` and may run on several threads at once. Natively a future waits
/// for the device on the thread that polls it; in a browser it yields to the event loop.
///
/// A lost device answers every call with [`Error::Gpu`] of [`GpuFailure::Lost`], and so do
/// its galleries; make a new engine and upload them again.
#[derive(Debug)]
pub struct GpuEngine {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) tuning: Tuning,
    pub(super) shard_bytes: u64,
    /// How 16-bit numbers are read.
    pub(super) half: Format,
    pub(super) packed_dot: bool,
    pub(super) pool: BufferPool,
    pipelines: Mutex<HashMap<Kernel, wgpu::ComputePipeline>>,
    /// What galleries of this device share: handles of different devices may compare equal.
    pub(super) token: Arc<()>,
    /// Why the device is gone.
    lost: Arc<Mutex<Option<String>>>,
}

impl GpuEngine {
    /// Opens a device of its own, with WebGPU's default limits.
    ///
    /// # Errors
    /// [`Error::Gpu`]: no adapter fits, or it gives no device.
    pub async fn new(options: &GpuOptions) -> Result<Self> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = options.backends;
        let instance = wgpu::Instance::new(descriptor);
        let none = |message: String| Error::gpu(GpuFailure::NoAdapter, message);
        let adapter = instance
            .request_adapter(&wgpu::RequestAdapterOptions {
                power_preference: options.power,
                force_fallback_adapter: options.software,
                ..Default::default()
            })
            .await
            .map_err(|error| none(error.to_string()))?;
        let mut wanted = wgpu::Features::empty();
        if options.native_f16 {
            wanted |= wgpu::Features::SHADER_F16;
            // Software adapters read four halves faster so.
            let software = adapter.get_info().device_type == wgpu::DeviceType::Cpu;
            wanted.set(wgpu::Features::SHADER_INT64, software);
        }
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("avse similarity"),
                required_features: adapter.features() & wanted,
                required_limits: wgpu::Limits::default(),
                ..Default::default()
            })
            .await
            .map_err(|error| none(error.to_string()))?;

        let packed_dot = options.packed_dot && Self::has_packed_dot(&instance);
        let engine = Self::from_parts(device, queue, &GpuOptions { packed_dot, ..options.clone() });
        engine.watch();
        Ok(engine)
    }

    /// Whether an instance's shader language has the built-in dot product of packed bytes: what
    /// [`packed_dot`](GpuOptions::packed_dot) has to say of a device that is shared.
    pub fn has_packed_dot(instance: &wgpu::Instance) -> bool {
        let packed = wgpu::WgslLanguageFeatures::Packed4x8IntegerDotProduct;
        instance.wgsl_language_features().contains(packed)
    }

    /// Takes over the device's callbacks, to know when it is lost. [`GpuEngine::new`] has done so.
    pub fn watch(&self) {
        // What concerns a call is caught by its scope; the default handler would panic.
        self.device.on_uncaptured_error(Arc::new(|_| {}));
        let lost = self.lost.clone();
        self.device.set_device_lost_callback(move |reason, message| {
            let text = if message.is_empty() { format!("{reason:?}") } else { message };
            *lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        });
    }

    /// Shares a device, for example Burn's (`init_with_setup_async` hands out both parts).
    /// Its callbacks stay as they are, unless [`watch`](Self::watch) is called. Work already submitted to `queue` runs first; flush what Burn has
    /// not submitted yet.
    ///
    /// `options` count for what an existing device leaves open: `shard_bytes`,
    /// `native_f16`, `packed_dot`, `tiles`.
    pub fn from_parts(device: wgpu::Device, queue: wgpu::Queue, options: &GpuOptions) -> Self {
        let software = device.adapter_info().device_type == wgpu::DeviceType::Cpu;
        let tuning = match options.tiles {
            Tiles::Auto if software => Tuning::SOFTWARE,
            Tiles::Software => Tuning::SOFTWARE,
            Tiles::Auto | Tiles::Gpu => Tuning::GPU,
        };
        let limits = device.limits();
        let most = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
        let has = |feature| options.native_f16 && device.features().contains(feature);
        let half = if tuning.native_f16 && has(wgpu::Features::SHADER_F16) {
            Format::F16
        } else if tuning.wide_f16 && has(wgpu::Features::SHADER_INT64) {
            Format::F16Wide
        } else {
            Format::F16Packed
        };
        Self {
            tuning,
            shard_bytes: most.min(options.shard_bytes),
            half,
            packed_dot: options.packed_dot,
            pool: BufferPool::default(),
            pipelines: Mutex::default(),
            token: Arc::default(),
            lost: Arc::default(),
            device,
            queue,
        }
    }

    /// Another engine on the same device: with other options, or pipelines of its own.
    pub fn share(&self, options: &GpuOptions) -> Self {
        let (token, lost) = (self.token.clone(), self.lost.clone());
        let parts = Self::from_parts(self.device.clone(), self.queue.clone(), options);
        Self { token, lost, ..parts }
    }

    /// The adapter's name, kind and driver.
    pub fn adapter(&self) -> wgpu::AdapterInfo {
        self.device.adapter_info()
    }

    /// The device, to share it or to destroy it.
    pub fn device(&self) -> &wgpu::Device {
        &self.device
    }

    /// The device's queue.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.queue
    }

    /// Why the device is gone, where it is known to be.
    pub fn lost(&self) -> Option<String> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The pipeline of a kernel, made at its first use.
    pub(super) fn pipeline(&self, kernel: Kernel) -> wgpu::ComputePipeline {
        let mut pipelines = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(kernel.name()),
                source: wgpu::ShaderSource::Wgsl(kernel.source().into()),
            });
            self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(kernel.name()),
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options: Default::default(),
                cache: None,
            })
        };
        pipelines.entry(kernel).or_insert_with(make).clone()
    }

    /// Does `work` with the device and says what the device said to it. All device calls stand
    /// in such a closure: errors outside one are nobody's.
    pub(super) fn guarded<T>(&self, work: impl FnOnce() -> T) -> impl Future<Output = Result<T>> {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        let scopes =
            [Internal, OutOfMemory, Validation].map(|kind| self.device.push_error_scope(kind));
        let result = work();
        // The last opened is closed first.
        let [internal, memory, validation] = scopes;
        let validation = validation.pop();
        let memory = memory.pop();
        let internal = internal.pop();
        async move {
            let errors = [memory.await, internal.await, validation.await];
            match errors.into_iter().flatten().next() {
                None if self.lost().is_none() => Ok(result),
                Some(error) if self.answers().await => {
                    // A pipeline may have been what failed: make it anew next time.
                    self.pipelines.lock().unwrap_or_else(PoisonError::into_inner).clear();
                    Err(failure_of(&error))
                }
                // What a lost device says of its buffers is of no use.
                _ => Err(self.failure("it does not answer")),
            }
        }
    }

    /// The error of a device that stopped answering, remembered for later calls.
    pub(super) fn failure(&self, message: &str) -> Error {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let message = lost.get_or_insert_with(|| message.to_owned());
        Error::gpu(GpuFailure::Lost, message.clone())
    }
}

fn failure_of(error: &wgpu::Error) -> Error {
    let kind = match error {
        wgpu::Error::OutOfMemory { .. } => GpuFailure::OutOfMemory,
        _ => GpuFailure::Refused,
    };
    Error::gpu(kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_device_keep_their_kind() {
        let kind = |error: wgpu::Error| match failure_of(&error) {
            Error::Gpu { failure, message } => (failure, message),
            other => panic!("{other}"),
        };
        let (failure, _) = kind(wgpu::Error::OutOfMemory { source: "".into() });
        assert_eq!(failure, GpuFailure::OutOfMemory);
        let description = "binding 3".to_owned();
        let (failure, message) = kind(wgpu::Error::Validation { source: "".into(), description });
        assert_eq!(failure, GpuFailure::Refused);
        assert!(message.contains("binding 3"));
    }
}
