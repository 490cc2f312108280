//! Pooling weights that are computed once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The weights of every length that was asked for. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownWeights(Arc<Mutex<BTreeMap<usize, Arc<[f32]>>>>);

impl KnownWeights {
    /// The weights of `length` sorted tokens, from `compute` the first time.
    pub fn of(&self, length: usize, compute: impl FnOnce() -> Vec<f32>) -> Arc<[f32]> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(length).or_insert_with(|| compute().into()).clone()
    }
}
