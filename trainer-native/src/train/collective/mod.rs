//! What the replicas of a training run tell each other.
//!
//! Nothing here is differentiable: gradients cross from one replica to another where the graph
//! is cut (see [`super::gradients`]), so no replica ever waits inside of a backward pass.

#[cfg(feature = "cuda-backend")]
mod cuda;
mod host;

use burn::tensor::{Device, Tensor};

#[cfg(feature = "cuda-backend")]
use crate::device::nvidia::has_nccl;
use crate::{Error, Result};

#[cfg(feature = "cuda-backend")]
pub use cuda::CudaCollective;
pub use host::HostCollective;

/// A group of replicas. Every replica calls the same functions in the same order, each from a
/// thread of its own, and waits there for the others.
pub trait Collective: Send + Sync {
    /// Number of replicas.
    fn world(&self) -> usize;

    /// The sums over all replicas of each of the tensors, the same numbers on every replica.
    ///
    /// # Errors
    /// [`crate::Error::ReplicaGone`] when another replica has failed; [`crate::Error::Usage`] when one sent
    /// other shapes.
    fn sum(&self, rank: usize, tensors: Vec<Tensor<1>>) -> Result<Vec<Tensor<1>>>;

    /// The tensors of all replicas in the order of their ranks.
    ///
    /// # Errors
    /// As [`Collective::sum`].
    fn gather(&self, rank: usize, tensor: Tensor<1>) -> Result<Vec<Tensor<1>>>;

    /// Numbers of the host, of all replicas in the order of their ranks; no device waits for it.
    ///
    /// # Errors
    /// As [`Collective::sum`].
    fn numbers(&self, rank: usize, numbers: Vec<f32>) -> Result<Vec<Vec<f32>>>;

    /// Says that this replica will come no more: the others' calls fail instead of waiting.
    fn leave(&self, rank: usize, why: &str);
}

/// The group for replicas on these devices: NCCL where it is installed and all are NVIDIA GPUs of this build, else
/// the host's memory, as also for one alone.
pub fn between(devices: &[Device]) -> Box<dyn Collective> {
    let group = if devices.len() > 1 { nccl(devices) } else { None };
    group.unwrap_or_else(|| Box::new(HostCollective::new(devices.len())))
}

/// NCCL's group of these devices, also of a single one; none where not all are NVIDIA GPUs of this build.
pub fn nccl(devices: &[Device]) -> Option<Box<dyn Collective>> {
    #[cfg(feature = "cuda-backend")]
    if !devices.is_empty() && devices.iter().all(is_cuda) && has_nccl() {
        let devices = devices.iter().map(|device| device.clone().inner()).collect();
        return Some(Box::new(CudaCollective::new(devices)));
    }
    let _ = devices;
    None
}

#[cfg(feature = "cuda-backend")]
fn is_cuda(device: &Device) -> bool {
    crate::device::Backend::Cuda.devices().contains(&device.clone().inner())
}

/// Fails the group when a replica's thread ends otherwise than by [`Membership::done`].
pub struct Membership<'a> {
    collective: &'a dyn Collective,
    rank: usize,
    done: bool,
}

impl<'a> Membership<'a> {
    /// The membership of replica `rank`.
    pub fn new(collective: &'a dyn Collective, rank: usize) -> Self {
        Self { collective, rank, done: false }
    }

    /// The replica has finished its part.
    pub fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.collective.leave(self.rank, "it stopped");
        }
    }
}

/// What replicas that do not do the same find.
pub(super) fn differ() -> Error {
    Error::Usage("the replicas exchanged tensors of different shapes: this is a defect".into())
}
