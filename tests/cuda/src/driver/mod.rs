//! The functions of `libcuda.so`, as `cuda.h` declares them: arguments in, arguments out, nothing else. Here is
//! what all of them share; each file beside holds the functions of one subject.

mod copies;
mod devices;
mod errors;
mod kernels;
mod memory;
mod streams;

use std::io::Write;
use std::cell::Cell;

use crate::error::{Code, Failure, Outcome};
use crate::machine::{Machine, machine};

thread_local! {
    /// The context of the thread: 0 is none, else a device's number and [`CONTEXTS`].
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// Added to a device's number, contexts are not mistaken for anything else.
const CONTEXTS: usize = 0xC0DE_0000;

/// Runs the body of a function that exists since CUDA `since`; the number that the program gets.
fn call(name: &'static str, since: i32, body: impl FnOnce(&mut Machine) -> Outcome) -> i32 {
    let mut machine = match machine() {
        Ok(machine) => machine,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "cuda stand-in: {error}");
            return Code::Unknown as i32;
        }
    };
    machine.record.call(name, since);
    let without_init = ["cuInit", "cuDriverGetVersion"].contains(&name);
    let outcome = if machine.settings.driver < since {
        let text = format!("since CUDA {since}, the driver's is {}", machine.settings.driver);
        Err(Code::CallRequiresNewerDriver.because(text))
    } else if !machine.initialised && !without_init {
        Err(Code::NotInitialized.because("before cuInit"))
    } else {
        body(&mut machine)
    };
    finish(&mut machine, name, outcome)
}

/// Notes a failure; the number that the program gets.
fn finish(machine: &mut Machine, name: &'static str, outcome: Outcome) -> i32 {
    match outcome {
        Ok(()) => 0,
        Err(failure) => {
            machine.record.failure(name, &failure);
            failure.code as i32
        }
    }
}

/// The device of the thread's context.
fn device() -> Result<usize, Failure> {
    CURRENT.get().checked_sub(CONTEXTS).ok_or_else(|| Code::InvalidContext.because("no context"))
}

/// The device of the thread's context, where it has one.
pub(crate) fn current_device() -> usize {
    device().unwrap_or(0)
}

/// Gives the program a value.
///
/// # Safety
/// `to` is null or valid.
unsafe fn give<T>(to: *mut T, value: T) -> Outcome {
    if to.is_null() {
        return Err(Code::InvalidValue.because("null pointer"));
    }
    // SAFETY: the caller's promise.
    unsafe { to.write(value) };
    Ok(())
}

/// Declares functions of the driver; the number is the release that has it first, where that is newer than
/// 11.4.
macro_rules! driver {
    ($($(since $since:literal)? fn $name:ident($($argument:ident: $kind:ty),* $(,)?) = |$machine:ident| $body:expr;)*) => {
        $(
            /// See `cuda.h`.
            ///
            /// # Safety
            /// As the driver asks.
            #[unsafe(no_mangle)]
            #[allow(non_snake_case, unused_unsafe, clippy::too_many_arguments)]
            pub unsafe extern "C" fn $name($($argument: $kind),*) -> i32 {
                #[allow(unused_variables)]
                let since = 0;
                $(let since = $since;)?
                // SAFETY: pointers are the program's, valid as the driver asks.
                $crate::driver::call(stringify!($name), since, |$machine| unsafe { $body })
            }
        )*
    };
}
use driver;
