//! The colours of TIFF files, in libtiff's arithmetic.

use super::fields::Fields;
use super::tiff;
use crate::Result;

/// How samples become RGBA.
pub(super) struct Colours {
    kind: Kind,
    samples: usize,
    bits: usize,
    /// The place of the alpha sample.
    alpha: Option<usize>,
}

enum Kind {
    /// One sample, by a table of grays or a palette.
    Table(Vec<[u8; 3]>),
    Gray16 {
        inverted: bool,
    },
    Rgb,
    Cmyk,
    YCbCr(Box<YCbCr>),
    Lab(Box<Lab>),
}

impl Colours {
    /// # Errors
    /// [`crate::Error::Image`] for colours that are not read.
    pub(super) fn of(fields: &Fields<'_>) -> Result<Self> {
        let (bits, samples) = (fields.bits, fields.samples);
        let most = (1usize << bits.min(16)) - 1;
        let jpeg = fields.compression == 7;
        let kind = match fields.photometric {
            0 | 1 if bits == 16 => Kind::Gray16 { inverted: fields.photometric == 0 },
            0 | 1 => {
                let gray = |value: usize| match fields.photometric {
                    0 => ((most - value) * 255 / most) as u8,
                    _ => (value * 255 / most) as u8,
                };
                Kind::Table((0..=most).map(|value| [gray(value); 3]).collect())
            }
            3 if bits <= 8 => Kind::Table(palette(&fields.palette, most + 1)?),
            2 if samples >= 3 && bits >= 8 => Kind::Rgb,
            6 if samples >= 3 && bits == 8 && jpeg => Kind::Rgb,
            6 if samples == 3 && bits == 8 => Kind::YCbCr(Box::new(YCbCr::of(fields)?)),
            5 if samples >= 4 && bits == 8 && fields.ink_set == 1 => Kind::Cmyk,
            8 if samples == 3 && bits == 8 => Kind::Lab(Box::new(Lab::of(fields))),
            other => {
                let name = match other {
                    0 | 1 => "gray",
                    2 => "RGB",
                    3 => "palette",
                    4 => "a mask",
                    5 => "CMYK",
                    6 => "YCbCr",
                    8..=10 => "Lab",
                    32803 => "a camera's sensor",
                    34892 => "a camera's linear data",
                    32844 | 32845 => "LogLuv",
                    _ => "unknown",
                };
                return Err(tiff(format!(
                    "colours of this kind ({name}, {samples} samples of {bits} bits) are not read; save it as RGB"
                )));
            }
        };
        let colours = match kind {
            Kind::Table(_) | Kind::Gray16 { .. } => 1,
            Kind::Cmyk => 4,
            _ => 3,
        };
        Ok(Self { kind, samples, bits, alpha: fields.alpha.then_some(colours) })
    }

    /// A row of samples as RGBA.
    pub(super) fn convert(&self, samples: &[u16], out: &mut [u8]) {
        // As libtiff makes 8 bits of 16; gray values OpenCV reads itself, and takes their upper half.
        let eight = |value: u16| match self.bits {
            16 => ((u32::from(value) + 128) / 257) as u8,
            _ => value as u8,
        };
        let pixels = samples.chunks_exact(self.samples).zip(out.as_chunks_mut::<4>().0);
        for (pixel, out) in pixels {
            let rgb = match &self.kind {
                Kind::Table(table) => table[usize::from(pixel[0])],
                Kind::Gray16 { inverted: false } => [(pixel[0] >> 8) as u8; 3],
                Kind::Gray16 { inverted: true } => [255 - (pixel[0] >> 8) as u8; 3],
                Kind::Rgb => [eight(pixel[0]), eight(pixel[1]), eight(pixel[2])],
                Kind::Cmyk => {
                    let light = 255 - u32::from(pixel[3]);
                    [0, 1, 2].map(|ink| (light * (255 - u32::from(pixel[ink])) / 255) as u8)
                }
                Kind::YCbCr(tables) => tables.rgb([pixel[0], pixel[1], pixel[2]]),
                Kind::Lab(lab) => lab.rgb([pixel[0], pixel[1], pixel[2]]),
            };
            let alpha = self.alpha.map_or(255, |place| eight(pixel[place]));
            *out = [rgb[0], rgb[1], rgb[2], alpha];
        }
    }
}

/// A palette of `count` colours: all reds, then greens, then blues, in 16 bits. Some programs write 8.
fn palette(values: &[usize], count: usize) -> Result<Vec<[u8; 3]>> {
    if values.len() < 3 * count {
        return Err(tiff("the file is damaged: its palette is missing or too short"));
    }
    let wide = values[..3 * count].iter().any(|&value| value >= 256);
    let value = |index: usize| (if wide { values[index] >> 8 } else { values[index] }) as u8;
    Ok((0..count).map(|index| [0, count, 2 * count].map(|from| value(from + index))).collect())
}

/// Tables for YCbCr. Source: libtiff's `TIFFYCbCrToRGBInit` and `TIFFYCbCrtoRGB`.
struct YCbCr {
    y: [i32; 256],
    red: [i32; 256],
    blue: [i32; 256],
    green_of_red: [i32; 256],
    green_of_blue: [i32; 256],
}

impl YCbCr {
    fn of(fields: &Fields<'_>) -> Result<Self> {
        let [luma_red, luma_green, luma_blue] = fields.coefficients.map(|part| part as f32);
        let shares = [luma_red, luma_green, luma_blue];
        if shares.iter().any(|share| !share.is_finite()) || luma_green == 0.0 {
            return Err(tiff(
                "the file is damaged: its shares of red, green and blue are impossible",
            ));
        }
        let limits = fields.black_white.clone();
        let limits = limits.unwrap_or_else(|| vec![0.0, 255.0, 128.0, 255.0, 128.0, 255.0]);
        let limit = |index: usize| limits[index] as f32;
        let fixed = |value: f32| (value * 65536.0 + 0.5) as i32;
        let f1 = 2.0 - 2.0 * luma_red;
        let f2 = luma_red * f1 / luma_green;
        let f3 = 2.0 - 2.0 * luma_blue;
        let f4 = luma_blue * f3 / luma_green;
        let (d1, d2, d3, d4) = (fixed(f1), -fixed(f2), fixed(f3), -fixed(f4));
        let code = |value: f32, black: f32, white: f32, range: f32| {
            let span = if white - black == 0.0 { 1.0 } else { white - black };
            ((value - black) * range / span).clamp(-32768.0, 32768.0)
        };
        let mut tables = Self {
            y: [0; 256],
            red: [0; 256],
            blue: [0; 256],
            green_of_red: [0; 256],
            green_of_blue: [0; 256],
        };
        for index in 0..256 {
            let value = index as f32 - 128.0;
            let red = code(value, limit(4) - 128.0, limit(5) - 128.0, 127.0) as i32;
            let blue = code(value, limit(2) - 128.0, limit(3) - 128.0, 127.0) as i32;
            tables.red[index] = d1.saturating_mul(red).saturating_add(32768) >> 16;
            tables.blue[index] = d3.saturating_mul(blue).saturating_add(32768) >> 16;
            tables.green_of_red[index] = d2.saturating_mul(red);
            tables.green_of_blue[index] = d4.saturating_mul(blue).saturating_add(32768);
            tables.y[index] = code(index as f32, limit(0), limit(1), 255.0) as i32;
        }
        Ok(tables)
    }

    fn rgb(&self, pixel: [u16; 3]) -> [u8; 3] {
        let [y, blue, red] = pixel.map(|value| usize::from(value & 255));
        let y = self.y[y];
        let green = self.green_of_blue[blue].saturating_add(self.green_of_red[red]) >> 16;
        [y + self.red[red], y + green, y + self.blue[blue]].map(|value| value.clamp(0, 255) as u8)
    }
}

/// CIE L*a*b* shown on a monitor. Source: libtiff's `TIFFCIELabToXYZ` and `TIFFXYZToRGB` with its `display_sRGB`.
struct Lab {
    white: [f32; 3],
    curve: Vec<f32>,
}

impl Lab {
    const STEPS: usize = 1500;

    fn of(fields: &Fields<'_>) -> Self {
        let [x, y] = fields.white_point.map(|value| value as f32);
        let white = [x / y * 100.0, 100.0, (1.0 - x - y) / y * 100.0];
        let steps = Self::STEPS as f64;
        let curve =
            (0..=Self::STEPS).map(|step| 255.0 * (step as f64 / steps).powf(1.0 / 2.4) as f32);
        Self { white, curve: curve.collect() }
    }

    fn rgb(&self, pixel: [u16; 3]) -> [u8; 3] {
        let lightness = f32::from(pixel[0]) * 100.0 / 255.0;
        let [a, b] = [pixel[1], pixel[2]].map(|value| f32::from(value as u8 as i8));
        let (y, cube) = if lightness < 8.856 {
            let y = lightness * self.white[1] / 903.292;
            (y, 7.787 * (y / self.white[1]) + 16.0 / 116.0)
        } else {
            let cube = (lightness + 16.0) / 116.0;
            (self.white[1] * cube * cube * cube, cube)
        };
        let back = |part: f32, white: f32| match part {
            part if part < 0.2069 => white * (part - 0.13793) / 7.787,
            part => white * part * part * part,
        };
        let x = back(a / 500.0 + cube, self.white[0]);
        let z = back(cube - b / 200.0, self.white[2]);
        let rows =
            [[3.2410f32, -1.5374, -0.4986], [-0.9692, 1.8760, 0.0416], [0.0556, -0.2040, 1.0570]];
        rows.map(|row| {
            let light = (row[0] * x + row[1] * y + row[2] * z).clamp(1.0, 100.0);
            let step = 99.0 / Self::STEPS as f32;
            let index = (((light - 1.0) / step) as usize).min(Self::STEPS);
            (self.curve[index] + 0.5).clamp(0.0, 255.0) as u8
        })
    }
}
