//! TFRecord framing: length, its checksum, the data, its checksum; all numbers little-endian.

/// `data` as one record.
pub fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked(data).to_le_bytes());
    record
}

/// The format's checksum: CRC-32C, rotated and shifted, so that data which itself holds checksums is
/// checked well.
pub fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, B.4: 32 zero bytes have the CRC-32C 0x8a9136aa, which is masked here by hand.
    #[test]
    fn checksums_are_masked() {
        assert_eq!(masked(&[0; 32]), 0x0fd7_fffa);
        // What TensorFlow itself writes in front of every record of 24 bytes.
        assert_eq!(masked(&24u64.to_le_bytes()).to_le_bytes(), [0xa3, 0x7f, 0x4b, 0x22]);
    }

    #[test]
    fn a_record_has_sixteen_bytes_around_its_data() {
        let record = record(b"abc");
        assert_eq!(record.len(), 19);
        assert_eq!(record[..8], [3, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(&record[12..15], b"abc");
    }
}
