//! Waiting for a collective that not all devices have joined yet.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Code, Outcome};

/// After this time a device is said to hang, seconds. A real one would hang for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// Something that happens once.
#[derive(Clone, Debug, Default)]
pub struct Ticket(Arc<(Mutex<bool>, Condvar)>);

impl Ticket {
    /// Whether it has happened.
    pub fn is_done(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It has happened.
    pub fn done(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Waits until it has.
    ///
    /// # Errors
    /// After two minutes.
    pub fn wait(&self) -> Outcome {
        let end = Instant::now() + PATIENCE;
        let mut done = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !*done {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(
                    Code::Unknown.because("a collective waits for a device that never joined it")
                );
            }
            (done, _) = self.0.1.wait_timeout(done, left).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }
}
