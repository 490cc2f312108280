//! HEIC and AVIF files, by the system's libheif: the main picture of a file, turned and mirrored as it says.
//!
//! libheif is in C, as every decoder of HEVC is that people can have; so this is behind a cargo feature. The few
//! functions that one picture needs are named here: the crate for libheif asks for a version that servers lack (1.17),
//! and these have been the same since 1.7.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

use super::reduce::{Reduction, Rows};
use super::{DecodeLimits, RgbImage};
use crate::{Error, Result};

/// `struct heif_error`.
#[repr(C)]
struct Status {
    code: c_int,
    subcode: c_int,
    message: *const c_char,
}

/// `heif_colorspace_RGB`, `heif_chroma_interleaved_RGBA` and `heif_channel_interleaved`.
const RGB: c_int = 1;
const RGBA: c_int = 11;
const INTERLEAVED: c_int = 10;

#[link(name = "heif")]
unsafe extern "C" {
    fn heif_context_alloc() -> *mut c_void;
    fn heif_context_free(context: *mut c_void);
    fn heif_context_set_maximum_image_size_limit(context: *mut c_void, side: c_int);
    fn heif_context_read_from_memory_without_copy(
        context: *mut c_void,
        bytes: *const c_void,
        length: usize,
        options: *const c_void,
    ) -> Status;
    fn heif_context_get_primary_image_handle(
        context: *mut c_void,
        handle: *mut *mut c_void,
    ) -> Status;
    fn heif_image_handle_release(handle: *const c_void);
    fn heif_image_handle_get_width(handle: *const c_void) -> c_int;
    fn heif_image_handle_get_height(handle: *const c_void) -> c_int;
    fn heif_image_handle_is_premultiplied_alpha(handle: *const c_void) -> c_int;
    fn heif_decode_image(
        handle: *const c_void,
        image: *mut *mut c_void,
        colours: c_int,
        chroma: c_int,
        options: *const c_void,
    ) -> Status;
    fn heif_image_release(image: *const c_void);
    fn heif_image_get_width(image: *const c_void, channel: c_int) -> c_int;
    fn heif_image_get_height(image: *const c_void, channel: c_int) -> c_int;
    fn heif_image_get_plane_readonly(
        image: *const c_void,
        channel: c_int,
        stride: *mut c_int,
    ) -> *const u8;
}

/// Something of libheif's, and what gives it back.
struct Owned(*mut c_void, unsafe fn(*mut c_void));

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the pointer is what libheif gave, and is given back once.
        unsafe { (self.1)(self.0) }
    }
}

unsafe fn release_handle(handle: *mut c_void) {
    // SAFETY: as the caller's.
    unsafe { heif_image_handle_release(handle) }
}

unsafe fn release_image(image: *mut c_void) {
    // SAFETY: as the caller's.
    unsafe { heif_image_release(image) }
}

unsafe fn release_context(context: *mut c_void) {
    // SAFETY: as the caller's.
    unsafe { heif_context_free(context) }
}

fn checked(status: Status) -> Result<()> {
    if status.code == 0 {
        return Ok(());
    }
    let message = match status.message.is_null() {
        true => "the file cannot be read".into(),
        // SAFETY: libheif's messages are texts that end in a zero and stay.
        false => unsafe { CStr::from_ptr(status.message) }.to_string_lossy(),
    };
    Err(Error::Image(format!("HEIC or AVIF: {message}")))
}

/// The main picture in 8 bits.
///
/// # Errors
/// [`Error::Image`] for a damaged file, for one whose codec this system's libheif lacks, and for one beyond `limits`.
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage> {
    let broken = || Error::Image("HEIC or AVIF: the file states an impossible size".into());
    // SAFETY: each function is called as its documentation says: with what libheif gave, which lives in an `Owned`, and
    // with places for its results. `bytes` outlives the context. A plane has `height` rows of `stride` bytes each.
    unsafe {
        let context = Owned(heif_context_alloc(), release_context);
        heif_context_set_maximum_image_size_limit(context.0, 1 << 17);
        let (start, length) = (bytes.as_ptr().cast(), bytes.len());
        checked(heif_context_read_from_memory_without_copy(context.0, start, length, null()))?;
        let mut handle = null_mut();
        checked(heif_context_get_primary_image_handle(context.0, &mut handle))?;
        let handle = Owned(handle, release_handle);
        let side = |side: c_int| u64::try_from(side).map_err(|_| broken());
        let width = side(heif_image_handle_get_width(handle.0))?;
        let height = side(heif_image_handle_get_height(handle.0))?;
        limits.check(width, height, width.saturating_mul(height).saturating_mul(7))?;
        let mut image = null_mut();
        checked(heif_decode_image(handle.0, &mut image, RGB, RGBA, null()))?;
        let image = Owned(image, release_image);
        let width = heif_image_get_width(image.0, INTERLEAVED);
        let height = heif_image_get_height(image.0, INTERLEAVED);
        let mut stride = 0;
        let plane = heif_image_get_plane_readonly(image.0, INTERLEAVED, &mut stride);
        let sides = [width, height, stride].map(usize::try_from);
        let [Ok(width), Ok(height), Ok(stride)] = sides else { return Err(broken()) };
        if plane.is_null() || width == 0 || height == 0 || stride < width * 4 {
            return Err(broken());
        }
        let mut rows = Rows::<4>::new(Reduction::of(width, height), width, height);
        for y in 0..height {
            rows.push(std::slice::from_raw_parts(plane.add(y * stride), width * 4));
        }
        let (width, height, pixels) = rows.finish();
        match heif_image_handle_is_premultiplied_alpha(handle.0) {
            0 => RgbImage::from_rgba(width, height, &pixels),
            _ => RgbImage::from_multiplied(width, height, &pixels),
        }
    }
}
