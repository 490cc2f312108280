//! The readers that the tests of `trainer-native/tests/untrusted` try, for a fuzzer.

#[path = "../../trainer-native/tests/untrusted/readers/mod.rs"]
pub mod readers;
