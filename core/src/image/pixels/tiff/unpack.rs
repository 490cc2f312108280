//! The strips and tiles of a TIFF file: unpacked, and their rows as samples.

use std::borrow::Cow;
use std::io::Read;

use super::super::{DecodeLimits, jpeg};
use super::fax;
use super::fields::Fields;
use super::tiff;
use crate::Result;

const NONE: usize = 1;
const FAX: std::ops::RangeInclusive<usize> = 2..=4;
const LZW: usize = 5;
const JPEG: usize = 7;
const DEFLATE: [usize; 2] = [8, 32946];
const PACKBITS: usize = 32773;

const YCBCR: usize = 6;

/// Checks that files of this kind are read, and states what the unpacked data will be.
pub(super) fn settle(fields: &mut Fields<'_>) -> Result<()> {
    let unknown = match fields.compression {
        NONE | LZW | PACKBITS => None,
        code if DEFLATE.contains(&code) => None,
        code if FAX.contains(&code) && fields.bits == 1 && fields.samples == 1 => None,
        JPEG if fields.bits == 8 && !fields.planar && matches!(fields.samples, 1 | 3) => {
            // The JPEG decoder gives red, green and blue.
            if fields.photometric == YCBCR {
                fields.subsampling = (1, 1);
            }
            None
        }
        6 => Some("the old form of JPEG"),
        JPEG => Some("JPEG of this kind"),
        34925 => Some("LZMA"),
        50000 => Some("Zstandard"),
        50001 => Some("WebP"),
        _ => Some("an unknown method"),
    };
    if let Some(name) = unknown {
        return Err(tiff(format!(
            "compressed by {name}, which is not read; save it with LZW or Deflate compression"
        )));
    }
    if !matches!(fields.bits, 1 | 2 | 4 | 8 | 16) || fields.sample_format != 1 {
        let kind = match fields.sample_format {
            1 => "whole numbers",
            2 => "signed numbers",
            3 => "floating-point numbers",
            _ => "an unknown kind",
        };
        return Err(tiff(format!(
            "samples of {} bits ({kind}) are not read; save the picture with 8 or 16 bits",
            fields.bits
        )));
    }
    match fields.predictor {
        1 => {}
        2 if fields.bits >= 8 => {}
        _ => return Err(tiff("a predictor of this kind is not read")),
    }
    if fields.photometric == YCBCR && fields.subsampling != (1, 1) {
        let (across, down) = fields.subsampling;
        let usual = [across, down].iter().all(|factor| matches!(factor, 1 | 2 | 4));
        if !usual || fields.planar || fields.bits != 8 || fields.samples != 3 {
            return Err(tiff("colours sampled in this way are not read"));
        }
    }
    Ok(())
}

/// The chunks that hold some rows of a picture, unpacked.
pub(super) struct Band<'a> {
    /// By plane, and across.
    chunks: Vec<Cow<'a, [u8]>>,
}

impl<'a> Band<'a> {
    /// Unpacks the chunks of band number `index`.
    pub(super) fn read(
        bytes: &'a [u8],
        fields: &Fields<'_>,
        index: usize,
        limits: &DecodeLimits,
    ) -> Result<Self> {
        let across = fields.chunks_across();
        let down = fields.height.div_ceil(fields.chunk.1);
        // Tiles are whole at the lower edge, too; the last strip is short.
        let rows = match fields.tiled {
            true => fields.chunk.1,
            false => fields.chunk.1.min(fields.height - index * fields.chunk.1),
        };
        let mut chunks = Vec::with_capacity(across * fields.planes());
        for plane in 0..fields.planes() {
            for x in 0..across {
                let (at, length) = fields.places[(plane * down + index) * across + x];
                let packed = at.checked_add(length).and_then(|end| bytes.get(at..end));
                let packed = packed
                    .ok_or_else(|| tiff("the file is truncated: a strip or tile is missing"))?;
                chunks.push(unpack(packed, fields, rows, limits)?);
            }
        }
        Ok(Self { chunks })
    }

    /// The samples of a row, pixel by pixel.
    pub(super) fn row(&self, y: usize, fields: &Fields<'_>, out: &mut [u16]) {
        let (across, together) = (fields.chunks_across(), fields.together());
        if fields.photometric == YCBCR && fields.subsampling != (1, 1) {
            return self.sampled_row(y, fields, out);
        }
        let row_bytes = fields.chunk_row_bytes();
        for (index, chunk) in self.chunks.iter().enumerate() {
            let (plane, first) = (index / across, index % across * fields.chunk.0);
            let count = fields.chunk.0.min(fields.width - first);
            let row = &chunk[y * row_bytes..][..row_bytes];
            for x in 0..count {
                for sample in 0..together {
                    let at = (first + x) * fields.samples + plane + sample;
                    out[at] = value(row, x * together + sample, fields.bits);
                }
            }
        }
    }

    /// The same where several pixels share a colour: a unit has their brightness, then the two colours.
    fn sampled_row(&self, y: usize, fields: &Fields<'_>, out: &mut [u16]) {
        let (wide, tall) = fields.subsampling;
        let unit = wide * tall + 2;
        let units = fields.chunk.0.div_ceil(wide);
        for (index, chunk) in self.chunks.iter().enumerate() {
            let first = index * fields.chunk.0;
            for x in 0..fields.chunk.0.min(fields.width - first) {
                let at = (y / tall * units + x / wide) * unit;
                let colour = at + wide * tall;
                let places = [at + y % tall * wide + x % wide, colour, colour + 1];
                let pixel = &mut out[(first + x) * 3..][..3];
                pixel.iter_mut().zip(places).for_each(|(value, at)| *value = u16::from(chunk[at]));
            }
        }
    }
}

/// Sample number `index` of a row.
#[inline]
fn value(row: &[u8], index: usize, bits: usize) -> u16 {
    match bits {
        8 => u16::from(row[index]),
        // Unpacking has put the lower byte first.
        16 => u16::from_le_bytes([row[2 * index], row[2 * index + 1]]),
        _ => {
            let bit = index * bits;
            let shift = 8 - bits - bit % 8;
            u16::from(row[bit / 8] >> shift) & ((1 << bits) - 1)
        }
    }
}

fn unpack<'a>(
    packed: &'a [u8],
    fields: &Fields<'_>,
    rows: usize,
    limits: &DecodeLimits,
) -> Result<Cow<'a, [u8]>> {
    if fields.compression == JPEG {
        return jpeg_chunk(packed, fields, rows, limits).map(Cow::Owned);
    }
    let wanted = match fields.photometric {
        YCBCR if fields.subsampling != (1, 1) => {
            let (wide, tall) = fields.subsampling;
            fields.chunk.0.div_ceil(wide) * rows.div_ceil(tall) * (wide * tall + 2)
        }
        _ => fields.chunk_row_bytes() * rows,
    };
    let mut packed = Cow::Borrowed(packed);
    if fields.reversed {
        packed.to_mut().iter_mut().for_each(|byte| *byte = byte.reverse_bits());
    }
    let damaged = |_| tiff("the file is damaged: a strip or tile cannot be unpacked");
    let mut data = match fields.compression {
        NONE => packed,
        LZW => Cow::Owned(lzw(&packed, wanted)?),
        PACKBITS => Cow::Owned(packbits(&packed, wanted)),
        code if FAX.contains(&code) => {
            let options = (code, fields.fax_options);
            Cow::Owned(fax::unpack(&packed, fields.chunk.0, rows, options)?)
        }
        _ => {
            let mut data = Vec::with_capacity(wanted);
            let reader = flate2::read::ZlibDecoder::new(&packed[..]);
            reader.take(wanted as u64).read_to_end(&mut data).map_err(damaged)?;
            Cow::Owned(data)
        }
    };
    if data.len() < wanted {
        return Err(tiff("the file is damaged or truncated: a strip or tile is too short"));
    }
    if fields.bits == 16 && fields.big_endian {
        data.to_mut().as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.reverse());
    }
    if fields.predictor == 2 {
        let step = fields.together();
        for row in data.to_mut()[..wanted].chunks_mut(fields.chunk_row_bytes()) {
            add_up(row, step, fields.bits);
        }
    }
    Ok(data)
}

/// Turns differences from the pixel before into values.
fn add_up(row: &mut [u8], step: usize, bits: usize) {
    if bits == 8 {
        for index in step..row.len() {
            row[index] = row[index].wrapping_add(row[index - step]);
        }
        return;
    }
    let row = row.as_chunks_mut::<2>().0;
    for index in step..row.len() {
        let sum =
            u16::from_le_bytes(row[index]).wrapping_add(u16::from_le_bytes(row[index - step]));
        row[index] = sum.to_le_bytes();
    }
}

fn lzw(packed: &[u8], wanted: usize) -> Result<Vec<u8>> {
    if packed.first() == Some(&0) && packed.get(1).is_some_and(|byte| byte & 1 == 1) {
        return Err(tiff("LZW compression of the form before 1990 is not read; save it anew"));
    }
    let mut data = vec![0; wanted];
    let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
    let (mut read, mut written) = (0, 0);
    while written < wanted {
        let result = decoder.decode_bytes(&packed[read..], &mut data[written..]);
        read += result.consumed_in;
        written += result.consumed_out;
        match result.status {
            Ok(weezl::LzwStatus::Ok) if result.consumed_in + result.consumed_out > 0 => {}
            Ok(_) => break,
            Err(_) => return Err(tiff("the file is damaged: a strip or tile cannot be unpacked")),
        }
    }
    data.truncate(written);
    Ok(data)
}

fn packbits(packed: &[u8], wanted: usize) -> Vec<u8> {
    let mut data = Vec::with_capacity(wanted);
    let mut rest = packed;
    while let [code, behind @ ..] = rest
        && data.len() < wanted
    {
        match usize::from(*code) {
            count @ 0..=127 => {
                let (taken, behind) = behind.split_at(behind.len().min(count + 1));
                data.extend(taken);
                rest = behind;
            }
            128 => rest = behind,
            code => {
                let Some((&byte, behind)) = behind.split_first() else { break };
                data.resize(data.len() + 257 - code, byte);
                rest = behind;
            }
        }
    }
    data
}

/// A chunk that is a JPEG file, whose tables may stand in the directory.
fn jpeg_chunk(
    packed: &[u8],
    fields: &Fields<'_>,
    rows: usize,
    limits: &DecodeLimits,
) -> Result<Vec<u8>> {
    let tables = fields.jpeg_tables.unwrap_or(&[]);
    let tables = tables.strip_prefix(&[0xFF, 0xD8]).unwrap_or(tables);
    let tables = tables.strip_suffix(&[0xFF, 0xD9]).unwrap_or(tables);
    let mut file = vec![0xFF, 0xD8];
    file.extend(tables);
    file.extend(packed.get(2..).unwrap_or(&[]));
    let image = jpeg::decode_part(&file, fields.photometric == YCBCR, limits)?;
    if image.width < fields.chunk.0 || image.height < rows {
        return Err(tiff("the file is damaged: a strip or tile is too small"));
    }
    let row = fields.samples * fields.chunk.0;
    let mut data = Vec::with_capacity(row * rows);
    for line in image.data.chunks_exact(image.width * 3).take(rows) {
        match fields.samples {
            1 => data.extend(line.as_chunks::<3>().0[..fields.chunk.0].iter().map(|rgb| rgb[0])),
            _ => data.extend(&line[..row]),
        }
    }
    Ok(data)
}
