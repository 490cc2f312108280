//! The header of a member: one block.

/// Length of a header and unit of everything else in a tar file.
pub(super) const BLOCK: usize = 512;

/// What a header says, as far as it is needed to find the member's bytes.
pub(super) struct Header {
    pub name: Vec<u8>,
    /// Length of what is stored.
    pub bytes: u64,
    /// The letter for what sort of thing it is.
    pub kind: u8,
    /// What a link leads to.
    pub link: Vec<u8>,
    /// Whether the map of a sparse file goes on in the next block.
    pub map_goes_on: bool,
    /// Whether programs disagree on its name: GNU tar's incremental archives have times where others have the start of a
    /// long name.
    pub doubtful_name: bool,
}

impl Header {
    /// `None` for a block that is no header: its sum or a number is wrong.
    pub fn parse(block: &[u8; BLOCK]) -> Option<Self> {
        let sum = number(&block[148..156])?;
        if !sums(block).contains(&i64::try_from(sum).ok()?) {
            return None;
        }
        let kind = block[156];
        let mut name = text(&block[..100]).to_vec();
        let prefix = text(&block[345..500]);
        let of_gnu = block[257..265] == *b"ustar  \0";
        // These have other things there.
        let has_prefix = !prefix.is_empty() && !matches!(kind, b'L' | b'K' | b'S');
        if has_prefix && !of_gnu {
            name = [prefix, b"/", name.as_slice()].concat();
        }
        Some(Self {
            name,
            bytes: number(&block[124..136])?,
            kind,
            link: text(&block[157..257]).to_vec(),
            map_goes_on: block[482] != 0,
            doubtful_name: has_prefix && of_gnu,
        })
    }

    /// Whether it is a folder: old writers only end its name in a slash.
    pub fn is_folder(&self) -> bool {
        self.kind == b'5' || self.kind == 0 && self.name.ends_with(b"/")
    }
}

/// A field up to its first zero byte.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// The sum of a header's bytes, its own field taken for blanks; some old programs add signed bytes.
fn sums(block: &[u8; BLOCK]) -> [i64; 2] {
    let others = || block[..148].iter().chain(&block[156..]);
    let blanks = 8 * i64::from(b' ');
    let unsigned: i64 = others().map(|&byte| i64::from(byte)).sum();
    let signed: i64 = others().map(|&byte| i64::from(byte as i8)).sum();
    [unsigned + blanks, signed + blanks]
}

/// A number: octal digits between blanks, or, where they do not suffice, bytes after a marked one.
fn number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if *first == 0x80 {
        let add = |sum: u64, byte: &u8| sum.checked_mul(256)?.checked_add(u64::from(*byte));
        return rest.iter().try_fold(0, add);
    }
    let digits = text(field).trim_ascii();
    if digits.is_empty() {
        return Some(0);
    }
    let add = |sum: u64, digit: &u8| match digit {
        b'0'..=b'7' => sum.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    };
    digits.iter().try_fold(0, add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_both_forms() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"  17 \0xx"), Some(0o17));
        assert_eq!(number(b"\0\0\0\0"), Some(0));
        assert_eq!(number(b"77777777"), Some(0o7777_7777));
        assert_eq!(number(b"\x80\0\0\x01\0"), Some(256));
        for wrong in [b"\xff\xff\xff\xff".as_slice(), b"8\0", b"-1\0", b"\x80\x01\0\0\0\0\0\0\0\0"]
        {
            assert_eq!(number(wrong), None, "{wrong:?}");
        }
    }
}
