//! Random views of a training image.
//!
//! The geometry (crop, mirror, rotation, zoom) is one map from output to source
//! coordinates, so that pixels are interpolated once however much is switched
//! on; the colour changes likewise are one affine map of red, green and blue.

mod colour;
mod view;
mod warp;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use self::colour::ColourMap;
use self::view::View;
use self::warp::Warp;
use crate::image::pixels::{Preprocess, RgbImage};
use crate::{Error, Result};

/// What may happen to a training image. The default is the official recipe:
/// crop and mirror; everything else is off (zero) and meant for small models
/// trained from scratch on few images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageAugmentation {
    /// Range `[low, high)` of the ratio by which height and width are both cropped.
    pub crop: [f64; 2],
    /// Probability of a mirror image.
    pub flip: f64,
    /// Largest rotation in degrees, to either side.
    pub rotation_degrees: f64,
    /// Largest factor by which the image is shrunk inside the output (1 or less:
    /// off). What lies outside of the image repeats its border.
    pub scale_out: f64,
    /// Largest shift of the nine-field grid's nodes as a share of the side: what is drawn is
    /// bent and its parts change their proportions.
    pub warp: f64,
    /// Brightness is multiplied by a factor within `1 ± brightness`.
    pub brightness: f64,
    /// Contrast is multiplied by a factor within `1 ± contrast`.
    pub contrast: f64,
    /// Saturation is multiplied by a factor within `1 ± saturation`.
    pub saturation: f64,
    /// Largest turn of the hue in degrees, to either side.
    pub hue_degrees: f64,
    /// Probability of losing all colour.
    pub grayscale: f64,
    /// Probability of a slight Gaussian blur (0.5 to 1.5 output pixels).
    pub blur: f64,
    /// Probability that a transparent image is shown on a random colour instead
    /// of white. Opaque images are left alone.
    pub background: f64,
    /// Probability that a random rectangle (2% to 20% of the area) is replaced by
    /// the mean colour.
    pub erase: f64,
}

impl Default for ImageAugmentation {
    fn default() -> Self {
        Self {
            crop: [0.6, 1.0],
            flip: 0.5,
            rotation_degrees: 0.0,
            scale_out: 1.0,
            warp: 0.0,
            brightness: 0.0,
            contrast: 0.0,
            saturation: 0.0,
            hue_degrees: 0.0,
            grayscale: 0.0,
            blur: 0.0,
            background: 0.0,
            erase: 0.0,
        }
    }
}

impl ImageAugmentation {
    /// Checks that every value can be meant.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key of the first value out of range.
    pub fn validate(&self) -> Result<()> {
        let [low, high] = self.crop;
        if !(0.0 < low && low <= high && high <= 1.0) {
            return Err(Error::config("crop", format!("[{low}, {high}] is not within 0..1")));
        }
        let probabilities = [
            ("flip", self.flip),
            ("grayscale", self.grayscale),
            ("blur", self.blur),
            ("background", self.background),
            ("erase", self.erase),
        ];
        let strengths = [
            ("warp", self.warp),
            ("brightness", self.brightness),
            ("contrast", self.contrast),
            ("saturation", self.saturation),
        ];
        for (key, value) in probabilities.into_iter().chain(strengths) {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::config(key, format!("{value} is not within 0..1")));
            }
        }
        for (key, value) in
            [("rotation_degrees", self.rotation_degrees), ("hue_degrees", self.hue_degrees)]
        {
            if !(0.0..=180.0).contains(&value) {
                return Err(Error::config(key, format!("{value} is not within 0..180")));
            }
        }
        if !(0.0..=100.0).contains(&self.scale_out) {
            let message = format!("{} is not within 0..100", self.scale_out);
            return Err(Error::config("scale_out", message));
        }
        Ok(())
    }

    /// One random view of `image` as the network's input: `3 * R * R` values,
    /// channel by channel, normalised as [`Preprocess::evaluate`] does.
    ///
    /// With crop and mirror alone this is exactly crop, plain bilinear resize,
    /// mirror, as in the official code. The same generator state gives the same
    /// view; what is switched off draws nothing.
    pub fn train(&self, pre: &Preprocess, image: &RgbImage, rng: &mut impl Rng) -> Vec<f32> {
        let view = self.draw_view(image, rng);
        let mut planes = view.sample::<3>(image.data(), image, pre.resolution);
        if let Some(alpha) = image.alpha()
            && happens(self.background, rng)
        {
            let opacity = view.sample::<1>(alpha, image, pre.resolution);
            let colour = [(); 3].map(|()| uniform(0.0, 255.0, rng) as f32);
            replace_white(&mut planes, &opacity, colour);
        }
        if let Some(map) = self.draw_colours(&planes, rng) {
            map.apply(&mut planes);
        }
        if happens(self.blur, rng) {
            let sigma = uniform(0.5, 1.5, rng);
            colour::blur(&mut planes, pre.resolution, sigma);
        }
        pre.normalise(&mut planes);
        if happens(self.erase, rng) {
            erase(&mut planes, pre.resolution, rng);
        }
        planes
    }

    fn draw_view(&self, image: &RgbImage, rng: &mut impl Rng) -> View {
        let ratio = uniform(self.crop[0], self.crop[1], rng);
        let (top, height) = crop_side(image.height(), ratio, rng);
        let (left, width) = crop_side(image.width(), ratio, rng);
        let mirrored = happens(self.flip, rng);
        let mut view = View {
            left: left as f64,
            top: top as f64,
            width: width as f64,
            height: height as f64,
            columns: left..left + width,
            rows: top..top + height,
            mirrored,
            radians: 0.0,
            warp: None,
        };
        if self.scale_out > 1.0 {
            let zoom = uniform(1.0, self.scale_out, rng);
            view.left -= uniform(0.0, (zoom - 1.0) * view.width, rng);
            view.top -= uniform(0.0, (zoom - 1.0) * view.height, rng);
            view.width *= zoom;
            view.height *= zoom;
        }
        if self.rotation_degrees > 0.0 {
            let limit = self.rotation_degrees.to_radians();
            view.radians = uniform(-limit, limit, rng);
        }
        if self.warp > 0.0 {
            view.warp = Some(Warp::draw(self.warp, rng));
        }
        if self.scale_out > 1.0 || self.rotation_degrees > 0.0 || self.warp > 0.0 {
            // The view now reaches beyond the crop: show what really is there.
            view.columns = 0..image.width();
            view.rows = 0..image.height();
        }
        view
    }

    fn draw_colours(&self, planes: &[f32], rng: &mut impl Rng) -> Option<ColourMap> {
        let mut factor = |strength: f64| {
            (strength > 0.0).then(|| uniform(1.0 - strength, 1.0 + strength, rng).max(0.0) as f32)
        };
        let brightness = factor(self.brightness);
        let contrast = factor(self.contrast);
        let saturation = factor(self.saturation);
        let hue = (self.hue_degrees > 0.0)
            .then(|| uniform(-self.hue_degrees, self.hue_degrees, rng).to_radians() as f32);
        let gray = happens(self.grayscale, rng);
        if !gray && [brightness, contrast, saturation, hue].iter().all(Option::is_none) {
            return None;
        }
        let mut map = ColourMap::identity(planes);
        brightness.inspect(|&factor| map.brightness(factor));
        contrast.inspect(|&factor| map.contrast(factor));
        saturation.inspect(|&factor| map.saturation(factor));
        hue.inspect(|&radians| map.hue(radians));
        if gray {
            map.saturation(0.0);
        }
        Some(map)
    }
}

/// Start and length of a crop along one side: whole pixels, at least one, the
/// start uniform in `[0, side - crop)`.
fn crop_side(side: usize, ratio: f64, rng: &mut impl Rng) -> (usize, usize) {
    let crop = ((side as f64 * ratio) as usize).clamp(1, side);
    ((rng.random::<f64>() * (side - crop) as f64) as usize, crop)
}

/// Shows on `colour` what was composited on white.
fn replace_white(planes: &mut [f32], opacity: &[f32], colour: [f32; 3]) {
    for (plane, colour) in planes.chunks_exact_mut(opacity.len().max(1)).zip(colour) {
        for (value, opacity) in plane.iter_mut().zip(opacity) {
            *value += (1.0 - opacity / 255.0) * (colour - 255.0);
        }
    }
}

/// Zeroes (the mean, after normalisation) a rectangle of 2% to 20% of the area
/// with an aspect ratio between 1:3 and 3:1.
fn erase(planes: &mut [f32], side: usize, rng: &mut impl Rng) {
    let area = uniform(0.02, 0.2, rng);
    let aspect = uniform(-1.0, 1.0, rng) * 3f64.ln();
    let length = |share: f64| ((share.sqrt() * side as f64).round() as usize).min(side);
    let (height, width) = (length(area * aspect.exp()), length(area / aspect.exp()));
    let mut start = |length| (rng.random::<f64>() * (side - length + 1) as f64) as usize;
    let (top, left) = (start(height), start(width));
    for plane in planes.chunks_exact_mut((side * side).max(1)) {
        for row in plane.chunks_exact_mut(side).skip(top).take(height) {
            row[left..left + width].fill(0.0);
        }
    }
}

/// Uniform in `[low, high)`; unlike `random_range` it takes an empty range.
fn uniform(low: f64, high: f64, rng: &mut impl Rng) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// True with the given probability; draws nothing when that is zero.
fn happens(probability: f64, rng: &mut impl Rng) -> bool {
    probability > 0.0 && rng.random::<f64>() < probability
}

#[cfg(test)]
mod tests;
