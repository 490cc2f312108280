//! Very large pictures made smaller while they are read, and pictures turned.

use ::image::metadata::Orientation;

use super::RgbImage;
use crate::Result;

/// Pictures of more pixels are read at a half, a quarter, an eighth… of their sides. Smaller ones, so nearly all, keep
/// every pixel, as in the official code.
const LARGEST_WHOLE: u64 = 100_000_000;

/// By how much a picture is made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reduction {
    /// 1, 2, 4…: the mean of so many pixels across and down becomes one.
    pub(super) factor: usize,
}

impl Reduction {
    /// The least one after which a picture is no longer very large.
    pub(super) fn of(width: usize, height: usize) -> Self {
        let mut found = Self { factor: 1 };
        while found.pixels(width, height) > LARGEST_WHOLE {
            found.factor *= 2;
        }
        found
    }

    /// Pixels of a picture after it.
    pub(super) fn pixels(self, width: usize, height: usize) -> u64 {
        width.div_ceil(self.factor) as u64 * height.div_ceil(self.factor) as u64
    }

    /// A picture of `width` x `height` gray values.
    pub(super) fn gray(self, width: usize, height: usize, data: Vec<u8>) -> Result<RgbImage> {
        let (width, height, data) = self.apply::<1>(width, height, data);
        RgbImage::from_gray(width, height, &data)
    }

    /// A picture of RGB values.
    pub(super) fn rgb(self, width: usize, height: usize, data: Vec<u8>) -> Result<RgbImage> {
        let (width, height, data) = self.apply::<3>(width, height, data);
        RgbImage::from_raw(width, height, data)
    }

    /// A picture of RGBA values, alpha not multiplied in.
    pub(super) fn rgba(self, width: usize, height: usize, data: Vec<u8>) -> Result<RgbImage> {
        let (width, height, data) = self.apply::<4>(width, height, data);
        RgbImage::from_rgba(width, height, &data)
    }

    fn apply<const C: usize>(
        self,
        width: usize,
        height: usize,
        data: Vec<u8>,
    ) -> (usize, usize, Vec<u8>) {
        if self.factor == 1 || data.len() != width * height * C {
            return (width, height, data);
        }
        let mut rows = Rows::<C>::new(self, width, height);
        data.chunks_exact(width * C).for_each(|row| rows.push(row));
        rows.finish()
    }
}

/// Makes a picture smaller row by row.
pub(super) struct Rows<const C: usize> {
    reduction: Reduction,
    width: usize,
    rows: usize,
    sums: Vec<[u32; C]>,
    out: Vec<u8>,
}

impl<const C: usize> Rows<C> {
    pub(super) fn new(reduction: Reduction, width: usize, height: usize) -> Self {
        let sums = vec![[0; C]; width.div_ceil(reduction.factor)];
        let out = Vec::with_capacity(reduction.pixels(width, height) as usize * C);
        Self { reduction, width, rows: 0, sums, out }
    }

    /// Takes the next row of the whole picture.
    pub(super) fn push(&mut self, row: &[u8]) {
        if self.reduction.factor == 1 {
            self.out.extend(row);
            return;
        }
        for (sum, pixels) in self.sums.iter_mut().zip(row.chunks(self.reduction.factor * C)) {
            for pixel in pixels.as_chunks::<C>().0 {
                sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u32::from(*value));
            }
        }
        self.rows += 1;
        if self.rows == self.reduction.factor {
            self.close();
        }
    }

    fn close(&mut self) {
        let factor = self.reduction.factor;
        for (index, sum) in self.sums.iter_mut().enumerate() {
            let count = (self.rows * factor.min(self.width - index * factor)) as u32;
            self.out.extend(sum.map(|sum| ((sum + count / 2) / count) as u8));
            *sum = [0; C];
        }
        self.rows = 0;
    }

    /// Width, height and pixels of the smaller picture.
    pub(super) fn finish(mut self) -> (usize, usize, Vec<u8>) {
        if self.rows > 0 {
            self.close();
        }
        let width = self.sums.len();
        (width, self.out.len() / (width * C).max(1), self.out)
    }
}

impl RgbImage {
    /// The picture made smaller.
    pub(super) fn reduced(self, reduction: Reduction) -> Self {
        if reduction.factor == 1 {
            return self;
        }
        let (width, height, data) = reduction.apply::<3>(self.width, self.height, self.data);
        let alpha = self.alpha.map(|alpha| reduction.apply::<1>(self.width, self.height, alpha).2);
        Self { width, height, data, alpha }
    }

    /// The picture turned as its orientation says.
    pub(super) fn turned(self, orientation: Orientation) -> Self {
        if orientation == Orientation::NoTransforms {
            return self;
        }
        let (width, height) = (self.width, self.height);
        let data = turn(self.data.as_chunks::<3>().0, width, height, orientation);
        let alpha = self.alpha.map(|alpha| turn(&alpha, width, height, orientation));
        let (width, height) = match orientation {
            Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH => (height, width),
            _ => (width, height),
        };
        Self { width, height, data: data.into_flattened(), alpha }
    }
}

/// The pixels of a picture of `width` x `height` in their new order.
fn turn<T: Copy>(pixels: &[T], width: usize, height: usize, orientation: Orientation) -> Vec<T> {
    // Where the first pixel comes from, and the steps along a new row and down a new column.
    let (right, bottom) = ((width - 1) as isize, ((height - 1) * width) as isize);
    let down = width as isize;
    let (start, step, line, count, lines) = match orientation {
        Orientation::NoTransforms => (0, 1, down, width, height),
        Orientation::FlipHorizontal => (right, -1, down, width, height),
        Orientation::FlipVertical => (bottom, 1, -down, width, height),
        Orientation::Rotate180 => (bottom + right, -1, -down, width, height),
        Orientation::Rotate90 => (bottom, -down, 1, height, width),
        Orientation::Rotate270 => (right, down, -1, height, width),
        Orientation::Rotate90FlipH => (0, down, 1, height, width),
        Orientation::Rotate270FlipH => (bottom + right, -down, -1, height, width),
    };
    let mut turned = Vec::with_capacity(pixels.len());
    for y in 0..lines as isize {
        let first = start + y * line;
        turned.extend((0..count as isize).map(|x| pixels[(first + x * step) as usize]));
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_very_large_pictures_are_made_smaller() {
        assert_eq!(Reduction::of(10_000, 10_000).factor, 1);
        assert_eq!(Reduction::of(12_000, 9_000).factor, 2); // 108 million
        assert_eq!(Reduction::of(16_320, 12_240).factor, 2); // 200 million
        assert_eq!(Reduction::of(60_000, 10_000).factor, 4);
    }

    #[test]
    fn smaller_means_the_mean_of_pixels() {
        let reduction = Reduction { factor: 2 };
        // Three columns and three rows: cells at the right and lower edge have fewer pixels.
        let image = reduction.gray(3, 3, vec![0, 10, 7, 20, 31, 8, 1, 2, 9]).unwrap();
        assert_eq!((image.width(), image.height()), (2, 2));
        let grays: Vec<u8> = image.data().chunks(3).map(|pixel| pixel[0]).collect();
        assert_eq!(grays, [15, 8, 2, 9]);
    }

    #[test]
    fn turning_agrees_with_the_image_crate() {
        let data: Vec<u8> = (0..3 * 5 * 4).collect();
        let rgb = RgbImage::from_raw(5, 4, data.clone()).unwrap();
        for number in 1..=8 {
            let orientation = Orientation::from_exif(number).unwrap();
            let mut wanted = ::image::DynamicImage::from(
                ::image::RgbImage::from_raw(5, 4, data.clone()).unwrap(),
            );
            wanted.apply_orientation(orientation);
            let turned = rgb.clone().turned(orientation);
            assert_eq!(turned.width as u32, wanted.width(), "{number}");
            assert_eq!(turned.data, wanted.into_rgb8().into_raw(), "{number}");
        }
    }
}
