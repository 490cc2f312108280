//! Inputs with which a fuzzer broke a reader, made small: the reader's name and the bytes.

/// All of them; `fuzz/README.md` tells what was wrong.
pub const FOUND: &[(&str, &[u8])] = &[];
