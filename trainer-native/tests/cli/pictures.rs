//! One picture in every form it may come in.

use std::fs::File;
use std::path::Path;

use image::codecs::gif::GifEncoder;
use image::{Frame, GrayImage, ImageBuffer, Luma, Rgb, RgbImage, Rgba, RgbaImage};

const WIDTH: u32 = 24;
const HEIGHT: u32 = 16;
const DARK: u8 = 0x33;
const WHITE: u8 = 0xff;

/// A checkerboard of dark gray and white.
fn level(x: u32, y: u32) -> u8 {
    if (x / 5 + y / 3).is_multiple_of(2) { DARK } else { WHITE }
}

/// 8-bit colour: what all others must look like.
pub fn plain(path: &Path) {
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| Rgb([level(x, y); 3])).save(path).unwrap();
}

pub fn gray(path: &Path) {
    GrayImage::from_fn(WIDTH, HEIGHT, |x, y| Luma([level(x, y)])).save(path).unwrap();
}

pub fn deep(path: &Path) {
    let pixel = |x, y| Rgb([u16::from(level(x, y)) * 257; 3]);
    ImageBuffer::from_fn(WIDTH, HEIGHT, pixel).save(path).unwrap();
}

/// The white squares are holes.
pub fn transparent(path: &Path) {
    let pixel = |x, y| if level(x, y) == WHITE { [0; 4] } else { [DARK, DARK, DARK, 255] };
    RgbaImage::from_fn(WIDTH, HEIGHT, |x, y| Rgba(pixel(x, y))).save(path).unwrap();
}

/// The first of two frames.
pub fn animated(path: &Path) {
    let first = RgbaImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let level = level(x, y);
        Rgba([level, level, level, 255])
    });
    let second = RgbaImage::from_pixel(WIDTH, HEIGHT, Rgba([200, 0, 0, 255]));
    let mut encoder = GifEncoder::new(File::create(path).unwrap());
    encoder.encode_frames([first, second].map(Frame::new)).unwrap();
}

/// A PNG of palette indices, which the image crate does not write.
pub fn palette(path: &Path) {
    let mut rows = Vec::new();
    for y in 0..HEIGHT {
        rows.push(0); // No filter.
        rows.extend((0..WIDTH).map(|x| u8::from(level(x, y) == WHITE)));
    }
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [&WIDTH.to_be_bytes()[..], &HEIGHT.to_be_bytes(), &[8, 3, 0, 0, 0]].concat();
    chunk(&mut png, b"IHDR", &header);
    chunk(&mut png, b"PLTE", &[DARK, DARK, DARK, WHITE, WHITE, WHITE]);
    chunk(&mut png, b"IDAT", &stored(&rows));
    chunk(&mut png, b"IEND", &[]);
    std::fs::write(path, png).unwrap();
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], content: &[u8]) {
    png.extend((content.len() as u32).to_be_bytes());
    let body = [kind.as_slice(), content].concat();
    let crc = body.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    });
    png.extend(body);
    png.extend((!crc).to_be_bytes());
}

/// A zlib stream of one block that is not compressed.
fn stored(data: &[u8]) -> Vec<u8> {
    let length = data.len() as u16;
    let (a, b) = data.iter().fold((1u32, 0u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    let header = [&[0x78, 0x01, 0x01][..], &length.to_le_bytes(), &(!length).to_le_bytes()];
    [&header.concat(), data, &(b << 16 | a).to_be_bytes()[..]].concat()
}
