//! Examples, changed in the ways that break readers.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Numbers that lengths and counts are set to.
const EXTREMES: [u64; 8] =
    [0, 1, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, u64::MAX];
/// Words that texts are changed by.
const WORDS: [&[u8]; 12] = [
    b"\"",
    b"{",
    b"[",
    b"\n",
    b"\r",
    b"\0",
    b"/../",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
];

/// An endless list of changed examples, the same in every run.
pub struct Mutations<'a> {
    random: ChaCha8Rng,
    examples: &'a [Vec<u8>],
}

impl<'a> Mutations<'a> {
    pub fn new(name: &str, examples: &'a [Vec<u8>]) -> Self {
        let seed = name.bytes().fold(0, |seed, byte| seed * 31 + u64::from(byte));
        Self { random: ChaCha8Rng::seed_from_u64(seed), examples }
    }

    /// The next one: an example with one to six changes.
    pub fn next(&mut self) -> Vec<u8> {
        let mut bytes = self.examples.choose(&mut self.random).unwrap().clone();
        for _ in 0..self.random.random_range(1..=6) {
            self.change(&mut bytes);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let random = &mut self.random;
        let length = bytes.len();
        let at = random.random_range(0..=length);
        let end = (at + random.random_range(0..=16)).min(length);
        match random.random_range(0..9) {
            0 if at < length => bytes[at] ^= 1 << random.random_range(0..8),
            1 if at < length => bytes[at] = random.random(),
            // A number in a few bytes, in either order of them.
            2 => {
                let mut number = EXTREMES.choose(random).unwrap().to_le_bytes();
                if random.random() {
                    number.reverse();
                }
                let width = [1, 2, 4, 8].choose(random).copied().unwrap_or(1);
                let part = if random.random() { &number[..width] } else { &number[8 - width..] };
                let room = &mut bytes[at..];
                let count = width.min(room.len());
                room[..count].copy_from_slice(&part[..count]);
            }
            3 => drop(bytes.drain(at..end)),
            4 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            5 => bytes.truncate(at),
            6 => drop(bytes.splice(at..at, WORDS.choose(random).unwrap().iter().copied())),
            // A digit becomes a long number.
            7 => {
                if let Some(digit) = bytes[at..].iter().position(u8::is_ascii_digit) {
                    bytes.splice(at + digit..=at + digit, *b"4294967297");
                }
            }
            // The end of another example.
            _ => {
                let other = self.examples.choose(random).unwrap();
                bytes.truncate(at);
                bytes.extend_from_slice(&other[at.min(other.len())..]);
            }
        }
    }
}
