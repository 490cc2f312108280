//! What stands before the first scan of a JPEG file.

use std::ops::Range;

use crate::{Error, Result};

/// How often a component is sampled: in a row and in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) id: u8,
    pub(super) across: usize,
    pub(super) down: usize,
}

/// How the components are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    Gray,
    Rgb,
    YCbCr,
    Cmyk,
    Ycck,
}

/// The process by which the samples were coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Process {
    Sequential,
    Progressive,
    Lossless,
    Arithmetic,
}

/// The header of a JPEG file.
#[derive(Debug)]
pub(in super::super) struct Header {
    pub(super) process: Process,
    pub(super) precision: u8,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) components: Vec<Component>,
    pub(super) colours: Colours,
    /// MCUs (smallest coded units) between two restart markers; 0 for none.
    pub(super) restart_interval: usize,
    /// Components in the first scan, and where its data starts.
    pub(super) scan_components: usize,
    pub(super) scan: usize,
    /// The EXIF data, a TIFF file by itself.
    pub(in super::super) exif: Option<Range<usize>>,
}

pub(super) fn damaged(what: &str) -> Error {
    Error::Image(format!("the JPEG file is damaged: {what}"))
}

impl Header {
    /// Reads it.
    ///
    /// # Errors
    /// [`Error::Image`] for a damaged header, and for processes that nobody decodes.
    pub(in super::super) fn read(bytes: &[u8]) -> Result<Self> {
        let cut = || Error::Image("the JPEG file is truncated: it ends in its header".into());
        let (mut frame, mut restart_interval, mut exif) = (None, 0, None);
        let (mut jfif, mut adobe) = (false, None);
        let mut position = 2;
        loop {
            while bytes.get(position) == Some(&0xFF) && bytes.get(position + 1) == Some(&0xFF) {
                position += 1; // Fill before a marker.
            }
            let &[mark, kind, high, low] =
                bytes.get(position..position + 4).ok_or_else(cut)?.as_array().ok_or_else(cut)?;
            if mark != 0xFF {
                return Err(damaged("its header has no marker where one should be"));
            }
            let end = position + 2 + usize::from(u16::from_be_bytes([high, low]));
            let content = position + 4..end;
            let segment = bytes.get(content.clone()).ok_or_else(cut)?;
            match kind {
                0xC4 => check_tables(segment)?,
                0xC0..=0xCF if kind != 0xC8 && kind != 0xCC => {
                    let earlier = frame.replace(Frame::read(kind, segment)?);
                    if earlier.is_some() {
                        return Err(damaged("it has two frame headers"));
                    }
                }
                0xDD if segment.len() == 2 => {
                    restart_interval = usize::from(u16::from_be_bytes([segment[0], segment[1]]));
                }
                0xE0 if segment.starts_with(b"JFIF\0") && segment.len() >= 14 => jfif = true,
                0xE1 if segment.starts_with(b"Exif\0") && segment.len() > 6 && exif.is_none() => {
                    exif = Some(content.start + 6..end);
                }
                0xEE if segment.starts_with(b"Adobe") && segment.len() >= 12 => {
                    adobe = Some(segment[11]);
                }
                0xDA => {
                    let frame: Frame = frame.ok_or_else(|| damaged("no frame header"))?;
                    let scan_components = check_scan(segment)?;
                    let colours = colours(&frame.components, jfif, adobe)?;
                    let Frame { process, precision, width, height, components } = frame;
                    return Ok(Self {
                        process,
                        precision,
                        width,
                        height,
                        components,
                        colours,
                        restart_interval,
                        scan_components,
                        scan: end,
                        exif,
                    });
                }
                0xD8 | 0xD9 => return Err(damaged("it has no pixels")),
                _ => {}
            }
            position = end;
        }
    }

    /// Bytes that decoding takes at most: the coefficients of all scans where they are kept, then planes and pixels of
    /// the `scaled` pixels that are made of them.
    pub(super) fn memory(&self, scaled: u64) -> u64 {
        let (across, down) = self.largest();
        let samples: usize = self.components.iter().map(|part| part.across * part.down).sum();
        let samples = |pixels: u64| (pixels * samples as u64).div_ceil((across * down) as u64);
        // The arithmetic process can be progressive, too.
        let coefficient = match self.process {
            Process::Progressive | Process::Arithmetic => 2,
            Process::Sequential | Process::Lossless => 0,
        };
        let plane = if self.is_eight_bits() { 1 } else { 4 };
        let whole = self.width as u64 * self.height as u64;
        samples(whole) * coefficient + samples(scaled) * plane + scaled * 3
    }

    /// Whether samples of 8 bits are decoded from coefficients, as in nearly all files.
    pub(super) fn is_eight_bits(&self) -> bool {
        self.precision == 8 && self.process != Process::Lossless
    }

    /// The largest sampling factors, across and down.
    pub(super) fn largest(&self) -> (usize, usize) {
        let across = self.components.iter().map(|component| component.across).max();
        let down = self.components.iter().map(|component| component.down).max();
        (across.unwrap_or(1), down.unwrap_or(1))
    }
}

struct Frame {
    process: Process,
    precision: u8,
    width: usize,
    height: usize,
    components: Vec<Component>,
}

impl Frame {
    fn read(kind: u8, segment: &[u8]) -> Result<Self> {
        let process = match kind {
            0xC0 | 0xC1 => Process::Sequential,
            0xC2 => Process::Progressive,
            0xC3 => Process::Lossless,
            0xC9 | 0xCA => Process::Arithmetic,
            _ => return Err(Error::Image("JPEG of a kind that no common program reads".into())),
        };
        let bad = || damaged("its frame header is broken");
        let &[precision, top, bottom, left, right, count] =
            segment.get(..6).ok_or_else(bad)?.as_array().ok_or_else(bad)?;
        let height = usize::from(u16::from_be_bytes([top, bottom]));
        let width = usize::from(u16::from_be_bytes([left, right]));
        let listed = segment[6..].chunks_exact(3);
        let components: Vec<Component> = listed
            .map(|part| Component {
                id: part[0],
                across: usize::from(part[1] >> 4),
                down: usize::from(part[1] & 15),
            })
            .collect();
        let factors =
            |part: &Component| (1..=4).contains(&part.across) && (1..=4).contains(&part.down);
        if width == 0
            || height == 0
            || components.len() != usize::from(count)
            || !components.iter().all(factors)
        {
            return Err(bad());
        }
        Ok(Self { process, precision, width, height, components })
    }
}

/// Which colours the components are, as libjpeg decides it.
fn colours(components: &[Component], jfif: bool, adobe: Option<u8>) -> Result<Colours> {
    Ok(match components.len() {
        1 => Colours::Gray,
        3 if jfif => Colours::YCbCr,
        3 if adobe.is_some() => match adobe {
            Some(0) => Colours::Rgb,
            _ => Colours::YCbCr,
        },
        3 if components.iter().map(|component| component.id).eq(*b"RGB") => Colours::Rgb,
        3 => Colours::YCbCr,
        4 => match adobe {
            None | Some(0) => Colours::Cmyk,
            Some(_) => Colours::Ycck,
        },
        count => return Err(Error::Image(format!("a JPEG file with {count} colours is not read"))),
    })
}

/// The number of components in a scan, by the scan's header. Its length has to fit.
pub(super) fn check_scan(segment: &[u8]) -> Result<usize> {
    match segment {
        [count, rest @ ..] if rest.len() == 2 * usize::from(*count) + 3 => Ok(usize::from(*count)),
        _ => Err(damaged("a scan's header has a wrong length")),
    }
}

/// Refuses Huffman tables that no encoder writes: their codes leave no room for one of ones alone, which ends the data
/// (see `stretches::guarded`).
pub(super) fn check_tables(mut segment: &[u8]) -> Result<()> {
    while let Some((lengths, rest)) = segment.split_at_checked(17) {
        let (class, slot) = (lengths[0] >> 4, lengths[0] & 15);
        let mut code = 0;
        for (index, &count) in lengths[1..].iter().enumerate() {
            code += u32::from(count);
            if count > 0 && code >= 1 << (index + 1) {
                return Err(damaged("a Huffman table is impossible"));
            }
            code <<= 1;
        }
        let count = lengths[1..].iter().map(|&count| usize::from(count)).sum();
        let (symbols, rest) =
            rest.split_at_checked(count).ok_or_else(|| damaged("a Huffman table is cut short"))?;
        // The first coefficient of a block has at most 15 bits; there are four tables of each class.
        if class > 1 || slot > 3 || (class == 0 && symbols.iter().any(|&symbol| symbol > 15)) {
            return Err(damaged("a Huffman table is impossible"));
        }
        segment = rest;
    }
    match segment {
        [] => Ok(()),
        _ => Err(damaged("a Huffman table is cut short")),
    }
}
