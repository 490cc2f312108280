//! Several contents in one input, each with its length in four bytes before it.

/// One input of several contents.
pub fn join(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend(u32::try_from(part.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// The contents again. A wrong length takes what is there, so that every input has `N` of them.
pub fn split<const N: usize>(mut bytes: &[u8]) -> [&[u8]; N] {
    std::array::from_fn(|_| {
        let (length, rest) = bytes.split_at(bytes.len().min(4));
        let mut wide = [0; 4];
        wide[..length.len()].copy_from_slice(length);
        let (part, rest) = rest.split_at(rest.len().min(u32::from_le_bytes(wide) as usize));
        bytes = rest;
        part
    })
}
