//! The directory of a TIFF file: what its pixels are and where they stand.

use ::image::metadata::Orientation;

use super::super::tags::Tags;
use super::tiff;
use crate::Result;

/// What a directory says of its picture.
pub(super) struct Fields<'a> {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Bits of a sample, and samples of a pixel.
    pub(super) bits: usize,
    pub(super) samples: usize,
    /// 1 for whole numbers, 2 for signed ones, 3 for floating point.
    pub(super) sample_format: usize,
    pub(super) compression: usize,
    pub(super) photometric: usize,
    pub(super) predictor: usize,
    /// Whether each sample has chunks of its own.
    pub(super) planar: bool,
    /// Bits of a byte from the lowest one.
    pub(super) reversed: bool,
    /// Columns and rows of a strip or tile; where they stand, and how long they are.
    pub(super) chunk: (usize, usize),
    pub(super) tiled: bool,
    pub(super) places: Vec<(usize, usize)>,
    pub(super) palette: Vec<usize>,
    /// Whether there is an alpha channel behind the colours, and whether they are multiplied with it.
    pub(super) alpha: bool,
    pub(super) associated: bool,
    pub(super) orientation: Orientation,
    pub(super) jpeg_tables: Option<&'a [u8]>,
    pub(super) fax_options: usize,
    pub(super) ink_set: usize,
    /// Of YCbCr: columns and rows that share a colour; the share of red, green and blue; what black and white are.
    pub(super) subsampling: (usize, usize),
    pub(super) coefficients: [f64; 3],
    pub(super) black_white: Option<Vec<f64>>,
    pub(super) white_point: [f64; 2],
    pub(super) big_endian: bool,
}

impl<'a> Fields<'a> {
    /// Reads the first directory.
    ///
    /// # Errors
    /// [`crate::Error::Image`] for a damaged directory, and for what no picture has.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self> {
        let damaged = || tiff("the file is damaged or truncated: its directory cannot be read");
        let directory = Tags::first(bytes).ok_or_else(damaged)?;
        let needed = |tag: u16| directory.number(tag).ok_or_else(damaged);
        let or = |tag: u16, usual: usize| directory.number(tag).unwrap_or(usual);
        let (width, height) = (needed(256)?, needed(257)?);
        let samples = or(277, 1);
        let depths = directory.list(258).unwrap_or_else(|| vec![1]);
        let bits = depths[0];
        if depths.iter().any(|&depth| depth != bits) {
            return Err(tiff("samples of different widths are not read"));
        }
        let formats = directory.list(339).unwrap_or_else(|| vec![1]);
        if formats.iter().any(|format| *format != formats[0]) {
            return Err(tiff("samples of different kinds are not read"));
        }
        let tiled = directory.number(324).is_some();
        let (places, sizes) = if tiled { (324, 325) } else { (273, 279) };
        let chunk = match tiled {
            true => (needed(322)?, needed(323)?),
            false => (width, or(278, height).min(height)),
        };
        let places = directory.list(places).ok_or_else(damaged)?;
        let sizes = match directory.list(sizes) {
            Some(sizes) => sizes,
            // One strip without a length reaches to the end.
            None if places.len() == 1 => vec![bytes.len().saturating_sub(places[0])],
            None => return Err(damaged()),
        };
        let planar = or(284, 1) == 2 && samples > 1;
        let sane = [width, height, chunk.0, chunk.1, samples, bits]
            .iter()
            .all(|&number| (1..1 << 31).contains(&number));
        if !sane || samples > 64 || bits > 64 || places.len() != sizes.len() {
            return Err(damaged());
        }
        let chunks = width.div_ceil(chunk.0) * height.div_ceil(chunk.1);
        let wanted = if planar { chunks.saturating_mul(samples) } else { chunks };
        if places.len() < wanted {
            return Err(tiff("the file is damaged: strips or tiles are missing"));
        }
        let extra = directory.list(338).unwrap_or_default();
        let photometric = directory.number(262).unwrap_or(match (or(259, 1), samples) {
            // On paper that was faxed, white is zero.
            (2..=4, _) => 0,
            (_, 3..) => 2,
            _ => 1,
        });
        let colours = match photometric {
            2 | 6 | 8 | 9 => 3,
            5 => 4,
            _ => 1,
        };
        // Without a word about it, libtiff takes the fourth sample for alpha that is multiplied in.
        let kind = match extra.first() {
            Some(&kind) => kind,
            None if samples > colours && colours == 3 => 1,
            None => 0,
        };
        let alpha = samples > colours && matches!(kind, 1 | 2);
        let pair = |tag: u16, usual: [usize; 2]| match directory.list(tag).as_deref() {
            Some(&[a, b]) => (a, b),
            _ => (usual[0], usual[1]),
        };
        let real = |tag: u16| directory.numbers(tag).unwrap_or_default();
        Ok(Self {
            width,
            height,
            bits,
            samples,
            sample_format: formats[0],
            compression: or(259, 1),
            photometric,
            predictor: or(317, 1),
            planar,
            reversed: or(266, 1) == 2,
            chunk,
            tiled,
            places: places.into_iter().zip(sizes).collect(),
            palette: directory.list(320).unwrap_or_default(),
            alpha,
            associated: alpha && kind == 1,
            orientation: directory.orientation(),
            jpeg_tables: directory.raw(347),
            fax_options: or(292, 0),
            ink_set: or(332, 1),
            subsampling: pair(530, [2, 2]),
            coefficients: real(529).try_into().unwrap_or([0.299, 0.587, 0.114]),
            black_white: directory.numbers(532).filter(|list| list.len() == 6),
            white_point: real(318).try_into().unwrap_or([96.425 / 278.893, 100.0 / 278.893]),
            big_endian: directory.big_endian,
        })
    }

    /// Sets of chunks that each hold some of the samples.
    pub(super) fn planes(&self) -> usize {
        if self.planar { self.samples } else { 1 }
    }

    /// Samples of a pixel in one chunk.
    pub(super) fn together(&self) -> usize {
        if self.planar { 1 } else { self.samples }
    }

    /// Chunks beside each other.
    pub(super) fn chunks_across(&self) -> usize {
        self.width.div_ceil(self.chunk.0)
    }

    /// Bytes of a row of a chunk.
    pub(super) fn chunk_row_bytes(&self) -> usize {
        (self.chunk.0 * self.together() * self.bits).div_ceil(8)
    }

    /// Bytes of a row of all chunks beside each other.
    pub(super) fn row_bytes(&self) -> usize {
        self.chunk_row_bytes().saturating_mul(self.chunks_across())
    }
}
