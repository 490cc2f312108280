//! What decoders of JPEG leave unsaid.

/// Whether the end marker follows the pixel data. The JPEG decoder fills what
/// is missing with gray instead of failing, so that a half-downloaded photo
/// would pass unnoticed.
pub fn jpeg_is_complete(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xDA;
    const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];
    // Header segments may hold a thumbnail with an end marker of its own, so
    // they are stepped over; from the first scan on, 0xFF in data is escaped.
    let mut position = 2;
    while let Some(&[marker, kind, high, low]) = bytes.get(position..position + 4) {
        if marker != 0xFF {
            return true; // Not a segment: for the decoder to judge.
        }
        if kind == START_OF_SCAN {
            // It is nearly always the last thing; looking for it takes longer.
            let data = &bytes[position..];
            return data.ends_with(&END_OF_IMAGE)
                || data.windows(2).any(|pair| pair == END_OF_IMAGE);
        }
        // A run of 0xFF is fill before a marker; other segments give their length.
        position += match kind {
            0xFF => 1,
            _ => 2 + usize::from(u16::from_be_bytes([high, low])).max(2),
        };
    }
    false
}
