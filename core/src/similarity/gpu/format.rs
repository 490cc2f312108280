//! The forms of a gallery's numbers on a device.

/// How numbers of a gallery lie on the device, as shaders read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Format {
    /// `vec4f`.
    F32,
    /// `vec4<f16>`: the device has the feature.
    F16,
    /// Two halves in a `u32`, the same bits.
    F16Packed,
    /// Four halves in a `u64`, the same bits: the device has 64-bit integers and reads them as
    /// fast as others.
    F16Wide,
}

impl Format {
    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        if self == Self::F32 { 4 } else { 2 }
    }
}
