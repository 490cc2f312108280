//! A pickle's bytes, and the values that are written in them as they are.

use super::Value;

#[derive(Default)]
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    /// The byte after the last one that was read.
    pub position: usize,
}

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// The value that an instruction stands for by itself.
    pub fn value(&mut self, instruction: u8) -> Result<Value, String> {
        Ok(match instruction {
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'J' => Value::Int(i32::from_le_bytes(self.array()?).into()),
            b'K' => Value::Int(self.byte()?.into()),
            b'M' => Value::Int(u16::from_le_bytes(self.array()?).into()),
            0x8a => {
                let length = self.length(1)?;
                long(self.take(length)?)
            }
            0x8b => {
                let length = self.length(4)?;
                long(self.take(length)?)
            }
            b'I' => match self.line()?.as_str() {
                "00" => Value::Bool(false),
                "01" => Value::Bool(true),
                number => decimal(number)?,
            },
            b'L' => decimal(self.line()?.trim_end_matches('L'))?,
            b'F' => Value::Float(self.line()?.parse().map_err(|_| "not a number")?),
            b'G' => Value::Float(f64::from_be_bytes(self.array()?)),
            0x8c => self.text(1)?,
            b'X' => self.text(4)?,
            0x8d => self.text(8)?,
            b'U' | b'C' => self.raw(1)?,
            b'T' | b'B' => self.raw(4)?,
            0x8e | 0x96 => self.raw(8)?,
            other => return Err(format!("unknown instruction {other:#04x}")),
        })
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.position.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or("ends early")?;
        let taken = &self.bytes[self.position..end];
        self.position = end;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "ends early".to_string())
    }

    pub fn byte(&mut self) -> Result<u8, String> {
        Ok(self.array::<1>()?[0])
    }

    pub fn line(&mut self) -> Result<String, String> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let length = rest.iter().position(|b| *b == b'\n').ok_or("ends early")?;
        let line = self.take(length + 1)?;
        Ok(String::from_utf8_lossy(&line[..length]).trim_end_matches('\r').to_string())
    }

    /// A length written in 1, 4 or 8 bytes.
    fn length(&mut self, width: usize) -> Result<usize, String> {
        let mut value = [0; 8];
        value[..width].copy_from_slice(self.take(width)?);
        usize::try_from(u64::from_le_bytes(value)).map_err(|_| "ends early".to_string())
    }

    fn text(&mut self, width: usize) -> Result<Value, String> {
        let length = self.length(width)?;
        Ok(Value::Text(String::from_utf8_lossy(self.take(length)?).into_owned()))
    }

    fn raw(&mut self, width: usize) -> Result<Value, String> {
        let length = self.length(width)?;
        Ok(Value::Bytes(self.take(length)?.into()))
    }
}

/// A little-endian two's-complement integer; one too wide becomes a float.
fn long(bytes: &[u8]) -> Value {
    let sign = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
    if bytes.len() <= 8 {
        let mut wide = [sign; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        return Value::Int(i64::from_le_bytes(wide));
    }
    let magnitude = bytes.iter().rev().fold(0.0, |sum, b| sum * 256.0 + f64::from(b ^ sign));
    Value::Float(if sign == 0 { magnitude } else { -magnitude - 1.0 })
}

/// An integer in digits; one too wide becomes a float.
fn decimal(digits: &str) -> Result<Value, String> {
    let wide = || digits.parse().map(Value::Float).map_err(|_| "not a number".to_string());
    digits.parse().map_or_else(|_| wide(), |value| Ok(Value::Int(value)))
}
