//! Sums over elements of a collective's types.

/// An element type of `ncclDataType_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    I8,
    U8,
    I32,
    U32,
    I64,
    U64,
    F16,
    F32,
    F64,
    Bf16,
}

impl Kind {
    /// By its number in `nccl.h`.
    pub fn of(number: i32) -> Option<Self> {
        use Kind::*;
        [I8, U8, I32, U32, I64, U64, F16, F32, F64, Bf16]
            .get(usize::try_from(number).ok()?)
            .copied()
    }

    /// Bytes of an element.
    pub fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::F16 | Self::Bf16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// The sum of all parts, divided by `divisor`.
    pub fn sum(self, parts: &[Vec<u8>], divisor: usize) -> Vec<u8> {
        let width = self.bytes();
        let length = parts.first().map_or(0, Vec::len);
        let mut sums = Vec::with_capacity(length);
        for at in (0..length).step_by(width) {
            let elements = parts.iter().map(|part| &part[at..at + width]);
            match self {
                Self::F16 | Self::F32 | Self::F64 | Self::Bf16 => {
                    let sum: f64 = elements.map(|bytes| self.float(bytes)).sum();
                    self.push_float(&mut sums, sum / divisor as f64);
                }
                _ => {
                    let sum: i128 = elements.map(|bytes| self.integer(bytes)).sum();
                    let sum = sum / divisor as i128;
                    sums.extend_from_slice(&sum.to_le_bytes()[..width]);
                }
            }
        }
        sums
    }

    fn integer(self, bytes: &[u8]) -> i128 {
        let mut wide = [0; 16];
        wide[..bytes.len()].copy_from_slice(bytes);
        let value = i128::from_le_bytes(wide);
        let bits = 8 * bytes.len() as u32;
        let signed = matches!(self, Self::I8 | Self::I32 | Self::I64);
        if signed && value >> (bits - 1) & 1 == 1 { value - (1 << bits) } else { value }
    }

    fn float(self, bytes: &[u8]) -> f64 {
        let short = || u16::from_le_bytes([bytes[0], bytes[1]]);
        match self {
            Self::F64 => f64::from_le_bytes(bytes.try_into().unwrap_or_default()),
            Self::F32 => f64::from(f32::from_le_bytes(bytes.try_into().unwrap_or_default())),
            Self::Bf16 => f64::from(f32::from_bits(u32::from(short()) << 16)),
            _ => from_half(short()),
        }
    }

    fn push_float(self, to: &mut Vec<u8>, value: f64) {
        match self {
            Self::F64 => to.extend_from_slice(&value.to_le_bytes()),
            Self::F32 => to.extend_from_slice(&(value as f32).to_le_bytes()),
            Self::Bf16 => {
                let bits = (value as f32).to_bits();
                let rounded = bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16;
                to.extend_from_slice(&(rounded as u16).to_le_bytes());
            }
            _ => to.extend_from_slice(&to_half(value).to_le_bytes()),
        }
    }
}

/// The value of an f16.
fn from_half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1F), f64::from(bits & 0x3FF));
    let size = match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2_f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// The nearest f16, of two equally near ones the even.
fn to_half(value: f64) -> u16 {
    let sign = u16::from(value.is_sign_negative()) << 15;
    let size = value.abs();
    if size.is_nan() {
        return sign | 0x7E00;
    }
    if size >= 65520.0 {
        return sign | 0x7C00;
    }
    // The distance of neighbours: 2^(exponent - 10), 2^-24 at the least.
    let exponent = (size.log2().floor() as i32).max(-14);
    let steps = (size / 2_f64.powi(exponent - 10)).round_ties_even() as u16;
    let bits = if steps < 1024 { steps } else { ((exponent + 14) as u16 * 1024) + steps };
    sign | bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(kind: Kind, values: &[f64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| kind.push_float(&mut bytes, *value));
        bytes
    }

    #[test]
    fn sums_and_means_of_every_float() {
        for kind in [Kind::F16, Kind::Bf16, Kind::F32, Kind::F64] {
            let parts = [floats(kind, &[1.5, -2.0, 0.0]), floats(kind, &[0.25, 4.0, -1.0])];
            assert_eq!(kind.sum(&parts, 1), floats(kind, &[1.75, 2.0, -1.0]), "{kind:?}");
            assert_eq!(kind.sum(&parts, 2), floats(kind, &[0.875, 1.0, -0.5]), "{kind:?}");
        }
    }

    #[test]
    fn sums_of_integers_keep_their_sign() {
        let part = |value: i32| value.to_le_bytes().to_vec();
        assert_eq!(Kind::I32.sum(&[part(-5), part(2)], 1), part(-3));
        let part = |value: u64| value.to_le_bytes().to_vec();
        assert_eq!(Kind::U64.sum(&[part(u64::MAX - 1), part(1)], 1), part(u64::MAX));
    }

    #[test]
    fn every_f16_survives() {
        for bits in 0..=u16::MAX {
            let value = from_half(bits);
            if !value.is_nan() {
                assert_eq!(to_half(value), bits, "{value}");
            }
        }
        assert_eq!(from_half(to_half(65519.0)), 65504.0);
        assert_eq!(from_half(to_half(1.0 + 2_f64.powi(-11))), 1.0);
    }
}
