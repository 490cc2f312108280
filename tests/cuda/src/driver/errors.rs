//! Names and descriptions of errors.

use std::ffi::{CStr, c_char};

use super::give;
use crate::error::{Code, describe_or_none};

/// See `cuda.h`.
///
/// # Safety
/// As the driver asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorName(code: i32, text: *mut *const c_char) -> i32 {
    // SAFETY: the program's promise.
    unsafe { give_description(text, describe_or_none(code).map(|(name, _)| name)) }
}

/// See `cuda.h`.
///
/// # Safety
/// As the driver asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorString(code: i32, text: *mut *const c_char) -> i32 {
    // SAFETY: the program's promise.
    unsafe { give_description(text, describe_or_none(code).map(|(_, text)| text)) }
}

unsafe fn give_description(to: *mut *const c_char, text: Option<&'static CStr>) -> i32 {
    let pointer = text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: the caller's promise.
    let given = unsafe { give(to, pointer) };
    if given.is_ok() && text.is_some() { 0 } else { Code::InvalidValue as i32 }
}
