//! Optimisers' states that are read from a checkpoint into the host's memory.
//!
//! Burn reads them to the program's default device, which is a GPU wherever a backend for one is built in, and
//! moves them from there at the next step: a run on the CPU would need a driver, and the first of several GPUs
//! room for the states of all.

use burn::optim::{RecordState, StateSink, StateSource};
use burn::tensor::Device;

/// A state that is read there; otherwise, and in its record, the one it holds.
#[derive(Clone)]
pub struct ReadOnHost<S>(pub S);

impl<S: RecordState> RecordState for ReadOnHost<S> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        self.0.state_flatten(prefix, out);
    }

    fn state_unflatten(prefix: &str, from: &mut StateSource, _default: &Device) -> Option<Self> {
        S::state_unflatten(prefix, from, &Device::flex()).map(Self)
    }
}
