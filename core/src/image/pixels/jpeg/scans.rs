//! The scans of a JPEG file: checked, and decoded where they are out of the ordinary.
//!
//! A sequential file may have its components in several scans, in any grouping; a progressive file refines them scan by
//! scan. Each is decoded here with the parts of `libjpeg-turbo-rs`. Whether all data was there is known to the bit.

use std::borrow::Cow;

use libjpeg_turbo_rs::JpegError;
use libjpeg_turbo_rs::common::quant_table::QuantTable;
use libjpeg_turbo_rs::decode::bitstream::BitReader;
use libjpeg_turbo_rs::decode::entropy::McuDecoder;
use libjpeg_turbo_rs::decode::marker::{JpegMetadata, MarkerReader, ScanInfo};
use libjpeg_turbo_rs::decode::{progressive, toggles};

use super::super::RgbImage;
use super::bands::{self, Band, Block};
use super::header::{Header, Process, check_scan, check_tables, damaged};
use super::planes::{self, Plane};
use super::stretches::{END_OF_IMAGE, GUARD, Stretches, guard, truncated};
use crate::{Error, Result};

fn failed(error: JpegError) -> Error {
    damaged(&error.to_string())
}

/// One component: where its blocks stand, and what is known of them.
struct Grid {
    id: u8,
    /// Blocks in an MCU of several components.
    across: usize,
    down: usize,
    /// Blocks of the picture, and with those that fill up the last MCUs.
    real: (usize, usize),
    padded: (usize, usize),
    quantisers: QuantTable,
    /// Coefficients by block, of a progressive file.
    coefficients: Vec<[i16; 64]>,
    /// By block, the last coefficient that is not zero: none behind it has bits to refine.
    extents: Vec<u8>,
    plane: Plane,
    /// By coefficient, the bits that are still missing; `None` before its first scan.
    missing: [Option<u8>; 64],
}

/// Decodes a file of several scans, or of unusual sampling.
pub(super) fn decode(bytes: &[u8], header: &Header) -> Result<RgbImage> {
    // The reader wants an end marker; what is missing before it is found below.
    let mut closed = Cow::Borrowed(bytes);
    let has_end = super::jpeg_is_complete(bytes);
    if !has_end {
        closed.to_mut().extend(END_OF_IMAGE);
    }
    let metadata = MarkerReader::new(&closed).read_markers().map_err(failed)?;
    let mut grids = grids(&metadata, header)?;
    let progressive = header.process == Process::Progressive;
    let single = metadata.scans.len() == 1 && header.scan_components == grids.len();
    if !single {
        check_between(bytes, &metadata)?;
    }
    let mut copy = Vec::new();
    for scan in &metadata.scans {
        read_scan(&closed, scan, header, &mut grids, &mut copy)?;
    }
    let unknown = |grid: &Grid| grid.missing.iter().any(|bits| *bits != Some(0));
    if grids.iter().any(|grid| grid.missing[0].is_none()) || (!has_end && grids.iter().any(unknown))
    {
        return Err(truncated());
    }
    if progressive {
        smooth(&metadata, &mut grids);
        for grid in &mut grids {
            for (index, block) in std::mem::take(&mut grid.coefficients).iter().enumerate() {
                let (x, y) = (index % grid.padded.0, index / grid.padded.0);
                grid.plane.set_block(x, y, block, &grid.quantisers.values);
            }
        }
    }
    let planes: Vec<Plane> = grids.into_iter().map(|grid| grid.plane).collect();
    planes::join(planes, header)
}

fn grids(metadata: &JpegMetadata, header: &Header) -> Result<Vec<Grid>> {
    let (most_across, most_down) = header.largest();
    let mcus = (header.width.div_ceil(8 * most_across), header.height.div_ceil(8 * most_down));
    let progressive = header.process == Process::Progressive;
    let parts = metadata.frame.components.iter().zip(&header.components);
    parts
        .map(|(listed, part)| {
            let quantisers = metadata.quant_tables[usize::from(listed.quant_table_index)].clone();
            let padded = (mcus.0 * part.across, mcus.1 * part.down);
            let size = (
                (header.width * part.across).div_ceil(most_across),
                (header.height * part.down).div_ceil(most_down),
            );
            let blocks = if progressive { padded.0 * padded.1 } else { 0 };
            Ok(Grid {
                id: part.id,
                across: part.across,
                down: part.down,
                real: (size.0.div_ceil(8), size.1.div_ceil(8)),
                padded,
                quantisers: quantisers.ok_or_else(|| damaged("a quantisation table is missing"))?,
                coefficients: vec![[0; 64]; blocks],
                extents: vec![0; blocks],
                plane: Plane::new(padded, size),
                missing: [None; 64],
            })
        })
        .collect()
}

/// Checks the segments between scans. libjpeg takes a component's quantisation table when its first scan begins, the
/// reader the last one of a file.
fn check_between(bytes: &[u8], metadata: &JpegMetadata) -> Result<()> {
    for scan in &metadata.scans {
        let mut position = Stretches::find(bytes, scan.data_offset).end;
        while let Some(&[0xFF, kind, high, low]) = bytes.get(position..position + 4) {
            let end = position + 2 + usize::from(u16::from_be_bytes([high, low]));
            match kind {
                0xDB => {
                    return Err(Error::Image(
                        "a JPEG file that changes its quantisation tables between scans is not read; save it anew"
                            .into(),
                    ));
                }
                0xC4 => check_tables(bytes.get(position + 4..end).ok_or_else(truncated)?)?,
                0xDA => {
                    check_scan(bytes.get(position + 4..end).ok_or_else(truncated)?)?;
                    break;
                }
                0xD9 => break,
                _ => {}
            }
            position = if kind == 0xFF { position + 1 } else { end };
        }
    }
    Ok(())
}

/// Reads the data of one scan into the `grids` of its components. `copy` is room for a stretch of it.
fn read_scan(
    bytes: &[u8],
    scan: &ScanInfo,
    header: &Header,
    grids: &mut [Grid],
    copy: &mut Vec<u8>,
) -> Result<()> {
    let progressive = header.process == Process::Progressive;
    let parts: Vec<usize> = (scan.header.components.iter())
        .map(|part| grids.iter().position(|grid| grid.id == part.component_id))
        .collect::<Option<_>>()
        .ok_or_else(|| damaged("a scan of a component that it has not"))?;
    let (first, last) = (scan.header.spec_start, scan.header.spec_end);
    let (high, low) = (scan.header.succ_high, scan.header.succ_low);
    let lawful = match progressive {
        false => true, // libjpeg passes over these.
        true if first == 0 => last == 0 && low < 14 && (high == 0 || high == low + 1),
        true => {
            parts.len() == 1
                && first <= last
                && last < 64
                && low < 14
                && (high == 0 || high == low + 1)
        }
    };
    if !lawful {
        return Err(damaged("a scan's parameters are impossible"));
    }
    for &part in &parts {
        let known = if progressive { first..=last } else { 0..=63 };
        for index in known {
            grids[part].missing[usize::from(index)] = Some(if progressive { low } else { 0 });
        }
    }
    // A scan of one component has its blocks one by one; of several, they come by MCU.
    let (wide, tall) = match parts[..] {
        [part] => grids[part].real,
        _ => (grids[0].padded.0 / grids[0].across, grids[0].padded.1 / grids[0].down),
    };
    let interval = usize::from(scan.restart_interval);
    let units = wide * tall;
    let stretches = Stretches::find(bytes, scan.data_offset).check(units, interval)?;
    let tables = Tables::of(scan, progressive)?;
    for (index, stretch) in stretches.list.iter().enumerate() {
        copy.clear();
        guard(copy, &bytes[stretch.clone()]);
        let mut reader = BitReader::new(copy);
        let mut decoder = Blocks { tables: &tables, mcu: McuDecoder::new(4), dc: [0; 4], run: 0 };
        let from = index * interval;
        let until = if interval == 0 { units } else { units.min(from + interval) };
        for unit in from..until {
            let (x, y) = (unit % wide, unit / wide);
            for (slot, &part) in parts.iter().enumerate() {
                let grid = &mut grids[part];
                let (across, down) = match parts.len() {
                    1 => (1, 1),
                    _ => (grid.across, grid.down),
                };
                for place in 0..across * down {
                    let at = (x * across + place % across, y * down + place / across);
                    decoder.read(&mut reader, slot, grid, at, scan, progressive)?;
                }
            }
        }
        // The ones that are left, looked at already or not: all of them, unless data was missing.
        let state = reader.state();
        let ahead = copy[state.pos.min(copy.len())..].len().div_ceil(2);
        let ahead = if ahead > GUARD { GUARD } else { ahead };
        if usize::from(state.bits_left) + 8 * ahead < 8 * GUARD {
            return Err(truncated());
        }
    }
    Ok(())
}

/// The Huffman tables of a scan, by component.
struct Tables<'a> {
    dc: Vec<Option<&'a libjpeg_turbo_rs::common::huffman_table::HuffmanTable>>,
    ac: Vec<Option<&'a libjpeg_turbo_rs::common::huffman_table::HuffmanTable>>,
}

impl<'a> Tables<'a> {
    fn of(scan: &'a ScanInfo, progressive: bool) -> Result<Self> {
        let parts = &scan.header.components;
        let find = |which: &'a [Option<std::sync::Arc<_>>; 4], index: u8| {
            which[usize::from(index)].as_deref()
        };
        let (dc_tables, ac_tables) = (&scan.dc_huffman_tables, &scan.ac_huffman_tables);
        let dc: Vec<_> = parts.iter().map(|part| find(dc_tables, part.dc_table_index)).collect();
        let ac: Vec<_> = parts.iter().map(|part| find(ac_tables, part.ac_table_index)).collect();
        let (starts, refines) = (scan.header.spec_start == 0, scan.header.succ_high > 0);
        let needs_dc = !progressive || (starts && !refines);
        let needs_ac = !progressive || !starts;
        if (needs_dc && dc.iter().any(Option::is_none))
            || (needs_ac && ac.iter().any(Option::is_none))
        {
            return Err(damaged("a Huffman table is missing"));
        }
        Ok(Self { dc, ac })
    }
}

/// What is remembered from block to block, up to a restart marker.
struct Blocks<'a> {
    tables: &'a Tables<'a>,
    mcu: McuDecoder,
    dc: [i16; 4],
    run: u16,
}

impl Blocks<'_> {
    /// Reads what the scan says of one block.
    #[inline]
    fn read(
        &mut self,
        reader: &mut BitReader<'_>,
        slot: usize,
        grid: &mut Grid,
        (x, y): (usize, usize),
        scan: &ScanInfo,
        progressive: bool,
    ) -> Result<()> {
        let (dc, ac) = (self.tables.dc[slot], self.tables.ac[slot]);
        if !progressive {
            let (Some(dc), Some(ac)) = (dc, ac) else { return Ok(()) };
            let mut block = [0; 64];
            self.mcu.decode_block(reader, slot, dc, ac, &mut block).map_err(failed)?;
            grid.plane.set_block(x, y, &block, &grid.quantisers.values);
            return Ok(());
        }
        let index = y * grid.padded.0 + x;
        let values = &mut grid.coefficients[index];
        let scan = &scan.header;
        let band = Band { first: scan.spec_start, last: scan.spec_end, low: scan.succ_low };
        if band.first == 0 {
            return match dc {
                Some(dc) if scan.succ_high == 0 => {
                    progressive::decode_dc_first(reader, dc, &mut self.dc[slot], values, band.low)
                }
                _ => progressive::decode_dc_refine(reader, values, band.low),
            }
            .map_err(failed);
        }
        let block = Block { values, extent: &mut grid.extents[index] };
        let refines = scan.succ_high > 0;
        if self.run > 0 {
            self.run -= 1;
            if refines {
                bands::read_known(reader, block, band);
            }
            return Ok(());
        }
        let Some(ac) = ac else { return Ok(()) };
        match refines {
            false => bands::read_first(reader, ac, block, band, &mut self.run),
            true => bands::read_more(reader, ac, block, band, &mut self.run),
        }
        .map_err(failed)
    }
}

/// Guesses coefficients that no scan gives, as libjpeg does for a progressive file that stops at a coarse picture.
fn smooth(metadata: &JpegMetadata, grids: &mut [Grid]) {
    let known = toggles::compute_coef_bits(&metadata.scans, &metadata.frame);
    let possible = known.iter().zip(grids.iter()).all(|(bits, grid)| {
        toggles::smoothing_prerequisites_ok_for_component(bits, &grid.quantisers)
    });
    if !possible || !known.iter().any(toggles::smoothing_useful_for_component) {
        return;
    }
    for (bits, grid) in known.iter().zip(grids) {
        toggles::apply_block_smoothing_coeffs(
            &mut grid.coefficients,
            grid.padded.0,
            grid.real.0,
            grid.real.1,
            grid.down,
            bits,
            &grid.quantisers,
        );
    }
}
