//! What of an image is seen, and its samples.

use std::ops::Range;

use super::warp::Warp;
use crate::image::pixels::{RgbImage, Taps, resample};

/// The part of an image that is seen, in source pixels.
pub(super) struct View {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    /// Columns and rows that may be read; positions outside are clamped to them.
    pub columns: Range<usize>,
    pub rows: Range<usize>,
    pub mirrored: bool,
    /// Rotation about the centre of the view.
    pub radians: f64,
    /// Bends the view before it is turned.
    pub warp: Option<Warp>,
}

impl View {
    /// Samples `data` (`C` interleaved channels, of the size of `image`) into `C`
    /// planes of `side * side` values.
    pub fn sample<const C: usize>(&self, data: &[u8], image: &RgbImage, side: usize) -> Vec<f32> {
        if self.radians != 0.0 || self.warp.is_some() {
            return self.sample_freely::<C>(data, image.width(), side);
        }
        let count = side as f64;
        let step = self.width / count;
        let mut columns = Taps::affine(side, self.left, step, self.columns.clone());
        if self.mirrored {
            columns.reverse();
        }
        let step = self.height / count;
        let rows = Taps::affine(side, self.top, step, self.rows.clone());
        resample::<C>(data, image.width(), &columns, &rows)
    }

    pub fn sample_freely<const C: usize>(
        &self,
        data: &[u8],
        stride: usize,
        side: usize,
    ) -> Vec<f32> {
        let pixels = side * side;
        let mut planes = vec![0.0; C * pixels];
        let (sin, cos) = self.radians.sin_cos();
        let centre = [self.left + self.width / 2.0 - 0.5, self.top + self.height / 2.0 - 0.5];
        let limit = |range: &Range<usize>| (range.start as f32, range.end - 1);
        let ((first_x, last_x), (first_y, last_y)) = (limit(&self.columns), limit(&self.rows));
        let flip = if self.mirrored { -1.0 } else { 1.0 };
        let across = |index: usize| (index as f64 + 0.5) / side as f64 - 0.5;
        for row in 0..side {
            for column in 0..side {
                let [mut across, mut down] = [across(column), across(row)];
                if let Some(warp) = &self.warp {
                    let shift = warp.shift(across + 0.5, down + 0.5);
                    across += shift[0];
                    down += shift[1];
                }
                let (dx, dy) = (flip * across * self.width, down * self.height);
                let x = (centre[0] + cos * dx - sin * dy) as f32;
                let y = (centre[1] + sin * dx + cos * dy) as f32;
                let (x, y) = (x.clamp(first_x, last_x as f32), y.clamp(first_y, last_y as f32));
                let (left, top) = (x as usize, y as usize);
                let (right, bottom) = ((left + 1).min(last_x), (top + 1).min(last_y));
                let (wx, wy) = (x - left as f32, y - top as f32);
                let corners = [(top, left), (top, right), (bottom, left), (bottom, right)];
                let [a, b, c, d] = corners.map(|(y, x)| &data[(y * stride + x) * C..][..C]);
                for channel in 0..C {
                    let [a, b, c, d] = [a, b, c, d].map(|pixel| f32::from(pixel[channel]));
                    let (upper, lower) = (a + wx * (b - a), c + wx * (d - c));
                    planes[channel * pixels + row * side + column] = upper + wy * (lower - upper);
                }
            }
        }
        planes
    }
}
