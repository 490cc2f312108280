//! A block's coefficients in a progressive JPEG file, scan by scan (ITU-T T.81, annex G). Where a damaged scan leaves the
//! block, libjpeg writes to its last coefficient; so does this.

use libjpeg_turbo_rs::JpegError;
use libjpeg_turbo_rs::common::huffman_table::HuffmanTable;
use libjpeg_turbo_rs::common::quant_table::ZIGZAG_ORDER;
use libjpeg_turbo_rs::decode::bitstream::BitReader;

/// The coefficients `first` to `last` in zigzag order, of which a scan gives the bits from `low` on.
#[derive(Clone, Copy)]
pub(super) struct Band {
    pub(super) first: u8,
    pub(super) last: u8,
    pub(super) low: u8,
}

/// A block's coefficients, and the last one in zigzag order that is not zero.
pub(super) struct Block<'a> {
    pub(super) values: &'a mut [i16; 64],
    pub(super) extent: &'a mut u8,
}

impl Block<'_> {
    #[inline]
    fn at(&mut self, index: usize) -> &mut i16 {
        // The mask spares a check: no place is beyond 63.
        &mut self.values[ZIGZAG_ORDER[index & 63] & 63]
    }

    #[inline]
    fn set(&mut self, index: usize, value: i16) {
        let index = index.min(63);
        *self.at(index) = value;
        *self.extent = (*self.extent).max(index as u8);
    }
}

#[inline]
fn symbol(reader: &mut BitReader<'_>, table: &HuffmanTable, peek: u16) -> Result<u8, JpegError> {
    let (symbol, length) = match table.lookup_fast(peek) {
        (_, 0) => table.lookup(peek)?,
        found => found,
    };
    reader.skip_bits(length);
    Ok(symbol)
}

/// Reads a band for the first time. `run` becomes the number of blocks behind this one that have nothing in it.
#[inline]
pub(super) fn read_first(
    reader: &mut BitReader<'_>,
    table: &HuffmanTable,
    mut block: Block<'_>,
    band: Band,
    run: &mut u16,
) -> Result<(), JpegError> {
    let mut index = usize::from(band.first);
    while index <= usize::from(band.last) {
        let peek = reader.peek_bits(16);
        // The table knows the value, too, where code and value are short.
        let (entry, _, _) = table.lookup_combined(peek);
        let value = if entry != 0 {
            reader.skip_bits((entry & 15) as u8);
            index += usize::from((entry >> 4) as u16 & 15);
            entry >> 8
        } else {
            let symbol = symbol(reader, table, peek)?;
            let (zeros, size) = (symbol >> 4, symbol & 15);
            if size == 0 && zeros == 15 {
                index += 16;
                continue;
            }
            if size == 0 {
                *run = (1 << zeros) - 1 + reader.read_bits(zeros);
                return Ok(());
            }
            index += usize::from(zeros);
            let bits = i32::from(reader.read_bits(size));
            let negative = bits < 1 << (size - 1);
            (if negative { bits + 1 - (1 << size) } else { bits }) as i16
        };
        block.set(index, value << band.low);
        index += 1;
    }
    Ok(())
}

/// Reads one more bit of a band. `run` becomes the number of blocks behind this one in which nothing is new.
#[inline]
pub(super) fn read_more(
    reader: &mut BitReader<'_>,
    table: &HuffmanTable,
    mut block: Block<'_>,
    band: Band,
    run: &mut u16,
) -> Result<(), JpegError> {
    let (bit, last) = (1 << band.low, usize::from(band.last));
    let mut index = usize::from(band.first);
    while index <= last {
        let peek = reader.peek_bits(16);
        let symbol = symbol(reader, table, peek)?;
        let (mut zeros, size) = (symbol >> 4, symbol & 15);
        let fresh = if size != 0 {
            if reader.read_bits(1) != 0 { bit } else { -bit }
        } else if zeros < 15 {
            *run = (1 << zeros) - 1 + reader.read_bits(zeros);
            refine(reader, &mut block, index, last, bit);
            return Ok(());
        } else {
            0
        };
        // Over that many zeros, with a bit for each other value on the way.
        while index <= last {
            let value = block.at(index);
            if *value != 0 {
                add(reader, value, bit);
            } else if zeros == 0 {
                break;
            } else {
                zeros -= 1;
            }
            index += 1;
        }
        if fresh != 0 {
            block.set(index, fresh);
        }
        index += 1;
    }
    Ok(())
}

/// Reads one more bit of a band in a block in which nothing is new.
#[inline]
pub(super) fn read_known(reader: &mut BitReader<'_>, mut block: Block<'_>, band: Band) {
    refine(reader, &mut block, band.first.into(), band.last.into(), 1 << band.low);
}

#[inline]
fn refine(reader: &mut BitReader<'_>, block: &mut Block<'_>, first: usize, last: usize, bit: i16) {
    for index in first..=last.min(usize::from(*block.extent)) {
        let value = block.at(index);
        if *value != 0 {
            add(reader, value, bit);
        }
    }
}

#[inline]
fn add(reader: &mut BitReader<'_>, value: &mut i16, bit: i16) {
    if reader.read_bits(1) != 0 && *value & bit == 0 {
        *value = if *value > 0 { value.wrapping_add(bit) } else { value.wrapping_sub(bit) };
    }
}
