//! What a member of a tar file is called.

/// The name as text. Bytes that are not UTF-8 are written as `\xE9`, as Python's `backslashreplace` does, so that the
/// member can still be named and found.
pub(super) fn text(raw: &[u8]) -> String {
    let mut text = String::with_capacity(raw.len());
    for part in raw.utf8_chunks() {
        text.push_str(part.valid());
        part.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

/// The name as every part of the program knows it: relative, one `/` between two parts, no `.` and no `..`. So it never
/// names a file outside of the tar file; `./a//b`, `/a/b` and `x/../a/b` are all `a/b`, as they are the same file once
/// unpacked.
///
/// # Errors
/// Why there is no such name.
pub(super) fn normalised(name: &str) -> Result<String, &'static str> {
    if name.contains('\0') {
        return Err("its name holds a zero byte");
    }
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop().ok_or("its name leads out of the tar file")?),
            part => parts.push(part),
        }
    }
    match parts.is_empty() {
        true => Err("it has no name"),
        false => Ok(parts.join("/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        for name in
            ["a/b", "./a/b", "/a/b", "a//b", "a/./b", "x/../a/b", "//a/b/", "./x/y/../../a/b"]
        {
            assert_eq!(normalised(name), Ok("a/b".into()), "{name}");
        }
        for name in ["..", "../a", "a/../../b", "/../a"] {
            assert_eq!(normalised(name), Err("its name leads out of the tar file"), "{name}");
        }
        for name in ["", "/", "./.", "a/.."] {
            assert_eq!(normalised(name), Err("it has no name"), "{name}");
        }
        assert!(normalised("a\0b").is_err());
    }

    #[test]
    fn bytes_that_are_no_text_are_spelt_out() {
        assert_eq!(text(b"caf\xe9/\xc3\xa9.jpg"), "caf\\xe9/é.jpg");
    }
}
