//! The rules for tensor maps, the descriptors of copies in tiles (compute capability 9.0 on).

use crate::error::{Code, Outcome};

/// A `CUtensorMap`.
pub const BYTES: usize = 128;

/// What both kinds of tensor maps describe.
#[derive(Clone, Debug)]
pub struct Description<'a> {
    /// `CUtensorMapDataType`.
    pub kind: i32,
    /// Address of the first element.
    pub address: u64,
    /// Elements along each dimension, the innermost first.
    pub sizes: &'a [u64],
    /// Bytes from one element to the next, of all dimensions but the innermost.
    pub strides: &'a [u64],
    /// Elements of the box along each dimension; of image-to-column maps there is none.
    pub tile: Option<&'a [u32]>,
    /// Steps from one element of the box to the next.
    pub steps: &'a [u32],
    /// `CUtensorMapInterleave`.
    pub interleave: i32,
    /// `CUtensorMapSwizzle`.
    pub swizzle: i32,
}

/// Checks what `cuTensorMapEncodeTiled` says of its arguments.
///
/// # Errors
/// The rule that is broken.
pub fn check(map: &Description) -> Outcome {
    let rule = |holds: bool, text: &str| {
        if holds {
            Ok(())
        } else {
            Err(Code::InvalidValue.because(format!("tensor map: {text}: {map:?}")))
        }
    };
    let rank = map.sizes.len();
    let width = u64::from(width(map.kind).ok_or_else(|| {
        Code::InvalidValue.because(format!("tensor map: element type {}", map.kind))
    })?);
    rule((1..=5).contains(&rank), "1 to 5 dimensions")?;
    rule(map.interleave == 0 || rank >= 3, "interleaved maps have 3 dimensions or more")?;
    let alignment = if map.interleave == 2 { 32 } else { 16 };
    rule(map.address.is_multiple_of(alignment), "the address is aligned")?;
    rule(map.sizes.iter().all(|size| (1..=1 << 32).contains(size)), "sizes are 1 to 2^32")?;
    rule(
        map.strides.iter().all(|stride| stride.is_multiple_of(alignment) && *stride < 1 << 40),
        "strides are multiples of 16 bytes below 2^40",
    )?;
    rule(map.steps.iter().all(|step| (1..=8).contains(step)), "steps are 1 to 8")?;
    let Some(tile) = map.tile else { return Ok(()) };
    rule(tile.iter().all(|size| (1..=256).contains(size)), "a box has 1 to 256 elements a side")?;
    let inner = u64::from(tile[0]) * width;
    rule(
        map.interleave != 0 || inner.is_multiple_of(16),
        "a row of the box is a multiple of 16 bytes",
    )?;
    let most = match map.swizzle {
        0 => u64::MAX,
        1 => 32,
        2 => 64,
        _ => 128,
    };
    rule(map.interleave != 0 || inner <= most, "a row of the box is not longer than the swizzle")?;
    rule(map.interleave != 2 || map.swizzle == 1, "32-byte interleave takes the 32-byte swizzle")
}

/// Bytes of an element.
fn width(kind: i32) -> Option<u32> {
    Some(match kind {
        0 => 1,                   // u8
        1 | 6 | 9 => 2,           // u16, f16, bf16
        2 | 3 | 7 | 10..=12 => 4, // u32, i32, f32, flushed f32, tf32
        4 | 5 | 8 => 8,           // u64, i64, f64
        13..=15 => 1,             // packed 4 and 6 bits
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_those_of_the_driver() {
        let good = Description {
            kind: 6,
            address: 1 << 20,
            sizes: &[768, 128],
            strides: &[1536],
            tile: Some(&[64, 64]),
            steps: &[1, 1],
            interleave: 0,
            swizzle: 3,
        };
        assert!(check(&good).is_ok());
        let bad = |map: Description| check(&map).unwrap_err();
        assert!(bad(Description { address: 8, ..good.clone() }).reason.contains("aligned"));
        assert!(bad(Description { strides: &[1530], ..good.clone() }).reason.contains("strides"));
        assert!(
            bad(Description { tile: Some(&[128, 8]), ..good.clone() }).reason.contains("swizzle")
        );
        assert!(bad(Description { tile: Some(&[64, 512]), ..good.clone() }).reason.contains("256"));
        assert!(bad(Description { sizes: &[], ..good.clone() }).reason.contains("dimensions"));
        assert!(bad(Description { kind: 99, ..good }).reason.contains("element type"));
    }
}
