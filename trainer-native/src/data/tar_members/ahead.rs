//! What stands before a member's header: names that are too long for it, and POSIX's records.

use super::header::text;

/// What is said of the next member. Of several headers the first one holds.
#[derive(Default)]
pub(super) struct Ahead {
    pub name: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub bytes: Option<u64>,
    /// Whether it is stored without its empty parts.
    pub sparse: bool,
    /// Whether there was a header at all.
    pub any: bool,
}

impl Ahead {
    /// GNU tar's long name.
    pub fn long_name(&mut self, data: &[u8]) {
        self.any = true;
        self.name.get_or_insert_with(|| text(data).to_vec());
    }

    /// GNU tar's long name of what a link leads to.
    pub fn long_link(&mut self, data: &[u8]) {
        self.any = true;
        self.link.get_or_insert_with(|| text(data).to_vec());
    }

    /// POSIX's records of one member.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn records(&mut self, data: &[u8]) -> Result<(), String> {
        self.any = true;
        let (mut name, mut link, mut bytes) = (None, None, None);
        for (key, value) in records(data)? {
            match key {
                b"path" | b"GNU.sparse.name" => name = Some(value.to_vec()),
                b"linkpath" => link = Some(value.to_vec()),
                b"size" => {
                    let digits =
                        std::str::from_utf8(value).ok().filter(|text| is_number(text.as_bytes()));
                    let size = digits.and_then(|digits| digits.parse().ok());
                    bytes = Some(size.ok_or("the size in an extended header is no number")?);
                }
                _ => {}
            }
            self.sparse |= key.starts_with(b"GNU.sparse.");
        }
        self.name = self.name.take().or(name);
        self.link = self.link.take().or(link);
        self.bytes = self.bytes.or(bytes);
        Ok(())
    }
}

/// Checks POSIX's records of all members that follow: `git archive` leaves a comment there.
///
/// # Errors
/// When they are damaged, or give all these members one name or size.
pub(super) fn of_all(data: &[u8]) -> Result<(), String> {
    let of_one = |key: &[u8]| {
        matches!(key, b"path" | b"linkpath" | b"size") || key.starts_with(b"GNU.sparse.")
    };
    match records(data)?.into_iter().find(|(key, _)| of_one(key)) {
        Some((key, _)) => Err(format!(
            "a header gives all members that follow the same {}",
            String::from_utf8_lossy(key)
        )),
        None => Ok(()),
    }
}

/// A key and its value.
type Record<'a> = (&'a [u8], &'a [u8]);

/// Records are like `20 path=some/name\n`, with their own length before them.
fn records(data: &[u8]) -> Result<Vec<Record<'_>>, String> {
    let mut found = Vec::new();
    let mut rest = text_end(data);
    while !rest.is_empty() {
        let (record, after) = record(rest).ok_or("an extended header is damaged")?;
        found.push(record);
        rest = after;
    }
    Ok(found)
}

/// Without the zero bytes that some writers count in.
fn text_end(data: &[u8]) -> &[u8] {
    let zeros = data.iter().rev().take_while(|&&byte| byte == 0).count();
    &data[..data.len() - zeros]
}

/// The first record, and what follows it.
fn record(data: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let blank = data.iter().position(|&byte| byte == b' ')?;
    let digits = Some(&data[..blank]).filter(|digits| is_number(digits))?;
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let (record, after) = data.split_at_checked(length)?;
    let body = record.get(blank + 1..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|&byte| byte == b'=').filter(|&at| at > 0)?;
    Some(((&body[..equals], &body[equals + 1..]), after))
}

fn is_number(digits: &[u8]) -> bool {
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_say_name_and_size() {
        let mut ahead = Ahead::default();
        ahead.records(b"14 path=a=b/c\n9 size=7\n\0\0").unwrap();
        assert_eq!((ahead.name.as_deref(), ahead.bytes), (Some(b"a=b/c".as_slice()), Some(7)));
        ahead.records(b"10 path=z\n").unwrap();
        assert_eq!(ahead.name.as_deref(), Some(b"a=b/c".as_slice()));
        for broken in
            [b"99 path=a\n".as_slice(), b"0 a=b\n", b"x", b"10 path=ab", b"7 =abc\n", b"+9 a=bcd\n"]
        {
            assert!(Ahead::default().records(broken).is_err(), "{broken:?}");
        }
        assert!(Ahead::default().records(b"10 size=x\n").is_err());
        assert!(of_all(b"17 comment=abcde\n").is_ok());
        assert!(of_all(b"10 path=z\n").unwrap_err().contains("the same path"));
    }
}
