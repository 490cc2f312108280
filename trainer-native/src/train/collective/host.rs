//! Replicas that meet in the memory of the host: for any devices, and for one.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use burn::tensor::{Tensor, TensorData};

use super::{Collective, differ};
use crate::{Error, Result};

/// Exchanges through host memory; every sum is made in the order of the ranks, so that it is the
/// same to the last bit on every replica.
pub struct HostCollective {
    world: usize,
    state: Mutex<State>,
    complete: Condvar,
}

type Shared = Arc<Vec<Vec<TensorData>>>;

#[derive(Default)]
struct State {
    /// What has arrived for the exchange in progress.
    slots: Vec<Option<Vec<TensorData>>>,
    /// Number of completed exchanges.
    exchanges: u64,
    /// The last completed one. Nobody can complete the next before everybody has read it.
    last: Shared,
    /// Who left, and why.
    failed: Option<String>,
}

impl HostCollective {
    /// A group of `world` replicas.
    pub fn new(world: usize) -> Self {
        let slots = vec![None; world];
        Self {
            world,
            state: Mutex::new(State { slots, ..State::default() }),
            complete: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while it is held is reported by `leave`; the state itself stays whole.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Everybody's data, when everybody has given theirs.
    pub(super) fn exchange(&self, rank: usize, data: Vec<TensorData>) -> Result<Shared> {
        let mut state = self.lock();
        let number = state.exchanges;
        state.slots[rank] = Some(data);
        if state.slots.iter().all(Option::is_some) {
            state.last = Arc::new(state.slots.iter_mut().filter_map(Option::take).collect());
            state.exchanges += 1;
            self.complete.notify_all();
        }
        while state.exchanges == number {
            if let Some(why) = &state.failed {
                return Err(Error::ReplicaGone(why.clone()));
            }
            state = self.complete.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        Ok(state.last.clone())
    }
}

impl Collective for HostCollective {
    fn world(&self) -> usize {
        self.world
    }

    fn sum(&self, rank: usize, tensors: Vec<Tensor<1>>) -> Result<Vec<Tensor<1>>> {
        if self.world == 1 {
            return Ok(tensors);
        }
        let devices: Vec<_> = tensors.iter().map(Tensor::device).collect();
        let all = self.exchange(rank, tensors.into_iter().map(Tensor::into_data).collect())?;
        if all.iter().any(|other| other.len() != devices.len()) {
            return Err(differ());
        }
        let sum = |at: usize, device| {
            let mut total: Vec<f32> = Vec::new();
            for replica in all.iter() {
                let values = replica[at].as_slice::<f32>().map_err(|_| differ())?;
                if total.is_empty() {
                    total = values.to_vec();
                } else if total.len() == values.len() {
                    total.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                } else {
                    return Err(differ());
                }
            }
            let length = total.len();
            Ok(Tensor::from_data(TensorData::new(total, [length]), device))
        };
        devices.iter().enumerate().map(|(at, device)| sum(at, device)).collect()
    }

    fn gather(&self, rank: usize, tensor: Tensor<1>) -> Result<Vec<Tensor<1>>> {
        if self.world == 1 {
            return Ok(vec![tensor]);
        }
        let device = tensor.device();
        let all = self.exchange(rank, vec![tensor.into_data()])?;
        let receive = |replica: &Vec<TensorData>| {
            let data = replica.first().cloned().ok_or_else(differ)?;
            Ok(Tensor::from_data(data, &device))
        };
        all.iter().map(receive).collect()
    }

    fn numbers(&self, rank: usize, numbers: Vec<f32>) -> Result<Vec<Vec<f32>>> {
        if self.world == 1 {
            return Ok(vec![numbers]);
        }
        let length = numbers.len();
        let all = self.exchange(rank, vec![TensorData::new(numbers, [length])])?;
        let received = |replica: &Vec<TensorData>| {
            let data = replica.first().ok_or_else(differ)?;
            Ok(data.as_slice::<f32>().map_err(|_| differ())?.to_vec())
        };
        all.iter().map(received).collect()
    }

    fn leave(&self, rank: usize, why: &str) {
        let mut state = self.lock();
        if state.failed.is_none() {
            state.failed = Some(format!("replica {rank} is gone: {why}"));
        }
        self.complete.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: &[f32]) -> Tensor<1> {
        Tensor::from_data(TensorData::from(values), &burn::tensor::Device::flex())
    }

    fn values(tensor: Tensor<1>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn sums_and_gathers_over_many_rounds() {
        let group = HostCollective::new(4);
        std::thread::scope(|scope| {
            for rank in 0..4 {
                let group = &group;
                scope.spawn(move || {
                    for round in 0..50 {
                        let own = tensor(&[rank as f32, round as f32]);
                        let sums = group.sum(rank, vec![own.clone(), tensor(&[1.0])]).unwrap();
                        let sums: Vec<_> = sums.into_iter().map(values).collect();
                        assert_eq!(sums, [vec![6.0, 4.0 * round as f32], vec![4.0]]);
                        let all = group.gather(rank, own).unwrap().into_iter().map(values);
                        let expected = (0..4).map(|r| vec![r as f32, round as f32]);
                        assert!(all.eq(expected));
                        let numbers = vec![rank as f32; rank];
                        let all = group.numbers(rank, numbers).unwrap();
                        assert_eq!(all, [vec![], vec![1.0], vec![2.0; 2], vec![3.0; 3]]);
                    }
                });
            }
        });
    }

    #[test]
    fn nobody_waits_for_one_who_left() {
        let group = HostCollective::new(3);
        std::thread::scope(|scope| {
            let waiting = [0, 1].map(|rank| {
                let group = &group;
                scope.spawn(move || group.sum(rank, vec![tensor(&[1.0])]))
            });
            drop(super::super::Membership::new(&group, 2));
            for thread in waiting {
                let error = thread.join().unwrap().unwrap_err().to_string();
                assert!(error.contains("replica 2"), "{error}");
            }
        });
    }

    #[test]
    fn other_shapes_are_an_error() {
        let group = HostCollective::new(2);
        std::thread::scope(|scope| {
            let sent: [&[f32]; 2] = [&[1.0], &[1.0, 2.0]];
            let threads = [0, 1].map(|rank| {
                let group = &group;
                scope.spawn(move || group.sum(rank, vec![tensor(sent[rank])]))
            });
            assert!(threads.into_iter().all(|thread| thread.join().unwrap().is_err()));
        });
    }
}
