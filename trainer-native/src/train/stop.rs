//! Ctrl-C in a training run.

use std::sync::atomic::{AtomicBool, Ordering};

/// Asked for by Ctrl-C: the run saves its last state and ends.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C ends a run after its step; a second one ends the process at once.
pub fn stop_on_ctrl_c() {
    let handler = || {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("\nending after this step; again to end at once");
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        eprintln!("warning: Ctrl-C will not save the last state: {error}");
    }
}
