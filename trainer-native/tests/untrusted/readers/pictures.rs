//! Pictures.

use std::io::Cursor;

use avse_core::image::pixels::{DecodeLimits, RgbImage, jpeg_is_complete};
use image::{DynamicImage, ImageFormat};

/// A picture of at most a megapixel.
pub fn picture(bytes: &[u8]) -> bool {
    let limits = DecodeLimits { max_pixels: 1 << 20, max_bytes: 16 << 20 };
    jpeg_is_complete(bytes);
    let Ok(image) = RgbImage::decode(bytes, &limits) else { return false };
    assert!(image.width() * image.height() <= 1 << 20);
    assert_eq!(image.data().len(), image.width() * image.height() * 3);
    true
}

/// One of each format.
pub fn pictures() -> Vec<Vec<u8>> {
    let formats = [
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Gif,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
    ];
    let rgba = image::RgbaImage::from_fn(19, 13, |x, y| {
        image::Rgba([(x * 13) as u8, (y * 19) as u8, (x * y) as u8, (255 - x) as u8])
    });
    let colours = DynamicImage::from(rgba);
    let gray = DynamicImage::from(colours.to_luma8());
    let sixteen = DynamicImage::from(colours.to_rgb16());
    let mut files =
        vec![include_bytes!("../../../../tests/fixtures/pictures/picture.jxl").to_vec()];
    for format in formats {
        for picture in [&colours, &gray, &sixteen] {
            let mut bytes = Cursor::new(Vec::new());
            // Not every format takes 16 bits.
            if picture.write_to(&mut bytes, format).is_ok() {
                files.push(bytes.into_inner());
            }
        }
    }
    files
}

/// JPEG files: with chroma at half size, progressive, of two scans, and in gray.
pub fn jpegs() -> Vec<Vec<u8>> {
    let gray = image::GrayImage::from_fn(21, 11, |x, y| image::Luma([(x * y) as u8]));
    let mut bytes = Cursor::new(Vec::new());
    gray.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    vec![
        include_bytes!("../../../../tests/fixtures/turbo.jpg").to_vec(),
        include_bytes!("../../../../tests/fixtures/pictures/progressive.jpg").to_vec(),
        include_bytes!("../../../../tests/fixtures/pictures/two_scans.jpg").to_vec(),
        bytes.into_inner(),
    ]
}
