//! Ctrl-C in a training run.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::leave::leave;
use crate::terminal::note;

/// Asked for by Ctrl-C: the run saves its last state and ends.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// Whether a run is under way that would see [`STOP`].
static RUNNING: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C ends a run after its step. A second one, or one when no run is under way, ends the process
/// at once.
pub fn stop_on_ctrl_c() {
    let handler = || {
        if !RUNNING.load(Ordering::Relaxed) || STOP.swap(true, Ordering::Relaxed) {
            leave(130);
        }
        note!("\nending after this step; again to end at once");
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        note!("warning: Ctrl-C will not save the last state: {error}");
    }
}

/// Held while a run is under way.
pub(super) struct UnderWay;

impl UnderWay {
    pub(super) fn begin() -> Self {
        RUNNING.store(true, Ordering::Relaxed);
        Self
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        RUNNING.store(false, Ordering::Relaxed);
    }
}
