//! Replicas on NVIDIA GPUs: NCCL, through Burn's `all_reduce`.

use burn::tensor::distributed::{ReduceOperation, all_reduce};
use burn::tensor::{Device, Tensor};

use super::{Collective, HostCollective};
use crate::Result;

/// Sums on the devices. Before each call the replicas meet on the host, where one that has failed
/// ends the others' wait; NCCL itself would wait for it for ever.
pub struct CudaCollective {
    devices: Vec<Device>,
    meeting: HostCollective,
}

impl CudaCollective {
    /// A group with one replica on each of `devices`.
    pub fn new(devices: Vec<Device>) -> Self {
        let meeting = HostCollective::new(devices.len());
        Self { devices, meeting }
    }

    fn reduce(&self, tensor: Tensor<1>) -> Tensor<1> {
        all_reduce(tensor, ReduceOperation::Sum, self.devices.clone()).resolve()
    }
}

impl Collective for CudaCollective {
    fn world(&self) -> usize {
        self.devices.len()
    }

    fn sum(&self, rank: usize, tensors: Vec<Tensor<1>>) -> Result<Vec<Tensor<1>>> {
        self.meeting.exchange(rank, Vec::new())?;
        Ok(tensors.into_iter().map(|tensor| self.reduce(tensor)).collect())
    }

    fn gather(&self, rank: usize, tensor: Tensor<1>) -> Result<Vec<Tensor<1>>> {
        self.meeting.exchange(rank, Vec::new())?;
        // Everybody's numbers in a row of their own, zeros elsewhere: the sum is the collection.
        let length = tensor.dims()[0];
        let zeros = |rows: usize| Tensor::<1>::zeros([rows * length], &tensor.device());
        let after = self.world() - rank - 1;
        let rows = Tensor::cat(vec![zeros(rank), tensor.clone(), zeros(after)], 0);
        let all = self.reduce(rows);
        Ok((0..self.world()).map(|at| all.clone().narrow(0, at * length, length)).collect())
    }

    fn numbers(&self, rank: usize, numbers: Vec<f32>) -> Result<Vec<Vec<f32>>> {
        self.meeting.numbers(rank, numbers)
    }

    fn leave(&self, rank: usize, why: &str) {
        self.meeting.leave(rank, why);
    }
}
