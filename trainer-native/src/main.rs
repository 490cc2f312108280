//! The `avse` command.

use std::process::ExitCode;

use trainer_native::allocator::TensorAllocator;
use trainer_native::commands::Cli;

#[global_allocator]
static ALLOCATOR: TensorAllocator = TensorAllocator::new();

fn main() -> ExitCode {
    TensorAllocator::prepare();
    // While there is no other thread.
    #[cfg(feature = "cuda-backend")]
    trainer_native::device::nvidia::use_what_is_found();
    #[cfg(feature = "gpu")]
    trainer_native::device::kernels::keep();
    report_panics();
    let code = Cli::run().unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    });
    trainer_native::device::finish();
    code
}

/// Reports panics, except those that are no defects. When whoever reads the output has gone (`avse doctor | head`), ends
/// as programs do that the signal SIGPIPE ends.
fn report_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload_as_str().unwrap_or_default();
        if message.starts_with("failed printing to std") && message.to_lowercase().contains("pipe")
        {
            trainer_native::leave::leave(141);
        }
        // Training says in words what has no room on a GPU.
        if message.contains("out of device memory") && trainer_native::train::explains_panics() {
            return;
        }
        usual(panic);
    }));
}
