//! The `avse` program from its first step to its last.

use std::process::ExitCode;

use crate::Error;
use crate::allocator::TensorAllocator;
use crate::commands::Cli;
use crate::terminal::note;

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    prepare();
    report_panics();
    let code = Cli::run().unwrap_or_else(|error| match error {
        // As programs end that the signal SIGPIPE ends: `avse doctor | head -1` is no failure to tell of.
        Error::OutputClosed => ExitCode::from(141),
        error => {
            note!("error: {error}");
            ExitCode::FAILURE
        }
    });
    crate::device::finish();
    code
}

/// What has to be done while there is no other thread: memory, CUDA's files, where compiled kernels are kept.
pub fn prepare() {
    TensorAllocator::prepare();
    #[cfg(feature = "cuda-backend")]
    crate::device::nvidia::use_what_is_found();
    #[cfg(feature = "gpu")]
    crate::device::kernels::keep();
}

/// Reports panics, except those that are no defects.
fn report_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload_as_str().unwrap_or_default();
        // Training says in words what has no room on a GPU.
        if message.contains("out of device memory") && crate::train::explains_panics() {
            return;
        }
        usual(panic);
    }));
}
