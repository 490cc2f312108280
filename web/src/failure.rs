//! Errors as JavaScript sees them.

use avse_core::{Error, GpuFailure};
use wasm_bindgen::JsValue;

/// An error with a code that a program can decide by; thrown as an `Error` with both.
#[derive(Debug)]
pub struct Failure {
    /// `format`, `config`, `weights`, `image`, `text`, `shape`, `no-device`, `device-lost`,
    /// `out-of-memory`, `refused` or `internal`.
    pub code: &'static str,
    /// For people; names the file, key or tensor.
    pub message: String,
}

/// The result type of this crate.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure of this kind.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// What no input should lead to.
    pub fn internal(message: impl std::fmt::Display) -> Self {
        Self::new("internal", message.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Format { .. } => "format",
            Error::Config { .. } => "config",
            Error::Weights(_) => "weights",
            Error::Image(_) => "image",
            Error::Text(_) => "text",
            Error::Shape(_) => "shape",
            Error::Gpu { failure, .. } => match failure {
                GpuFailure::NoAdapter => "no-device",
                GpuFailure::Lost => "device-lost",
                GpuFailure::OutOfMemory => "out-of-memory",
                _ => "refused",
            },
            _ => "internal",
        };
        Self::new(code, error.to_string())
    }
}

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> Self {
        let error = js_sys::Error::new(&failure.message);
        // Setting a property of a fresh object cannot fail.
        let _ = js_sys::Reflect::set(&error, &"code".into(), &failure.code.into());
        error.into()
    }
}
