use std::io::Cursor;

use ::image::codecs::{gif::GifEncoder, jpeg::JpegEncoder, png::PngEncoder};
use ::image::{DynamicImage, ExtendedColorType, Frame, ImageEncoder, ImageFormat};

use super::*;

/// A colourful gradient without symmetry, so that orientation mistakes show.
fn gradient(width: usize, height: usize) -> RgbImage {
    let data = (0..width * height)
        .flat_map(|index| {
            let (x, y) = (index % width, index / width);
            [(x * 255 / width) as u8, (y * 255 / height) as u8, ((x + y) * 3 % 256) as u8]
        })
        .collect();
    RgbImage::from_raw(width, height, data).unwrap()
}

fn dynamic(image: &RgbImage) -> DynamicImage {
    ::image::RgbImage::from_raw(image.width as u32, image.height as u32, image.data.clone())
        .unwrap()
        .into()
}

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn decode(bytes: &[u8]) -> Result<RgbImage> {
    RgbImage::decode(bytes, &DecodeLimits::default())
}

fn largest_difference(a: &[u8], b: &[u8]) -> u8 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

const FORMATS: [ImageFormat; 6] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::WebP,
    ImageFormat::Gif,
    ImageFormat::Bmp,
    ImageFormat::Tiff,
];

#[test]
fn every_format_and_one_pixel_decode() {
    for format in FORMATS {
        // GIF has 256 colours only, JPEG loses a little.
        let tolerance = match format {
            ImageFormat::Gif | ImageFormat::Jpeg => 40,
            _ => 0,
        };
        for (width, height) in [(1, 1), (13, 7)] {
            let image = gradient(width, height);
            let decoded = decode(&encode(&dynamic(&image), format)).unwrap();
            assert_eq!((decoded.width, decoded.height), (width, height), "{format:?}");
            let difference = largest_difference(&decoded.data, &image.data);
            assert!(difference <= tolerance, "{format:?}: {difference}");
        }
    }
}

#[test]
fn truncated_files_are_errors() {
    for format in FORMATS {
        let bytes = encode(&dynamic(&gradient(61, 47)), format);
        for part in [0, 1, 3, 20, bytes.len() / 2, bytes.len() * 9 / 10] {
            let error = decode(&bytes[..part]).expect_err(&format!("{format:?} cut at {part}"));
            assert!(matches!(error, Error::Image(_)), "{format:?}: {error}");
        }
    }
    let message = decode(&[]).unwrap_err().to_string();
    assert!(message.contains("empty"), "{message}");
    let message = decode(b"not an image at all").unwrap_err().to_string();
    assert!(message.contains("signature"), "{message}");
}

#[test]
fn sixteen_bit_gray_and_palette_become_rgb() {
    let sixteen = ::image::ImageBuffer::from_fn(5, 4, |x, y| {
        ::image::Rgb([(x * 13_000) as u16, (y * 20_000) as u16, 65_535])
    });
    let decoded = decode(&encode(&sixteen.clone().into(), ImageFormat::Png)).unwrap();
    let wanted: Vec<u8> = sixteen.iter().map(|&v| (f32::from(v) / 257.0).round() as u8).collect();
    assert!(largest_difference(&decoded.data, &wanted) <= 1);

    let gray = ::image::GrayImage::from_fn(6, 3, |x, y| ::image::Luma([(x * 40 + y) as u8]));
    let decoded = decode(&encode(&gray.clone().into(), ImageFormat::Png)).unwrap();
    assert_eq!(decoded, RgbImage::from_gray(6, 3, gray.as_raw()).unwrap());
    let decoded = decode(&encode(&gray.clone().into(), ImageFormat::Tiff)).unwrap();
    assert_eq!(decoded.data[3..6], [40, 40, 40]);

    // A palette BMP: 1 bit a pixel would do, 8 bits is what the encoder writes.
    let palette: Vec<[u8; 3]> = (0..=255).map(|i| [i, 255 - i, i / 2]).collect();
    let mut bytes = Vec::new();
    ::image::codecs::bmp::BmpEncoder::new(&mut bytes)
        .encode_with_palette(gray.as_raw(), 6, 3, ExtendedColorType::L8, Some(&palette))
        .unwrap();
    assert_eq!(decode(&bytes).unwrap().data[3..6], [40, 215, 20]);
}

#[test]
fn transparency_is_composited_on_white() {
    let rgba = ::image::RgbaImage::from_fn(3, 1, |x, _| match x {
        0 => ::image::Rgba([10, 20, 30, 255]),
        1 => ::image::Rgba([10, 20, 30, 0]),
        _ => ::image::Rgba([0, 100, 200, 128]),
    });
    let decoded = decode(&encode(&rgba.into(), ImageFormat::Png)).unwrap();
    assert_eq!(decoded.data, [10, 20, 30, 255, 255, 255, 127, 177, 227]);
    assert_eq!(decoded.alpha(), Some(&[255, 0, 128][..]));
    // An alpha channel that hides nothing is not kept.
    let opaque = RgbImage::from_rgba(1, 1, &[1, 2, 3, 255]).unwrap();
    assert_eq!((opaque.data(), opaque.alpha()), (&[1, 2, 3][..], None));
}

#[test]
fn an_animation_gives_its_first_frame() {
    let frame =
        |colour: [u8; 4]| Frame::new(::image::RgbaImage::from_pixel(4, 3, ::image::Rgba(colour)));
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    encoder.encode_frames([frame([255, 0, 0, 255]), frame([0, 0, 255, 255])]).unwrap();
    drop(encoder);
    let decoded = decode(&bytes).unwrap();
    assert_eq!((decoded.width, decoded.height), (4, 3));
    assert_eq!(decoded.data[..3], [255, 0, 0]);
}

#[test]
fn exif_orientation_is_applied() {
    let image = gradient(9, 5);
    // A TIFF header and one directory entry: tag 0x0112, SHORT, count 1, value 6
    // (the camera was turned, so the picture is to be turned clockwise).
    let exif =
        [&b"II*\0\x08\0\0\0\x01\0"[..], &[0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0], &[0, 0, 0, 0]]
            .concat();
    let (mut png, mut jpeg) = (Vec::new(), Vec::new());
    let mut encoder = PngEncoder::new(&mut png);
    encoder.set_exif_metadata(exif.clone()).unwrap();
    encoder.write_image(&image.data, 9, 5, ExtendedColorType::Rgb8).unwrap();
    let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 100);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(&image.data, 9, 5, ExtendedColorType::Rgb8).unwrap();

    let turned: Vec<u8> = (0..9)
        .flat_map(|y| (0..5).map(move |x| (y, x)))
        .flat_map(|(y, x)| image.data[((4 - x) * 9 + y) * 3..][..3].to_vec())
        .collect();
    for (bytes, tolerance) in [(png, 0), (jpeg, 40)] {
        let decoded = decode(&bytes).unwrap();
        assert_eq!((decoded.width, decoded.height), (5, 9));
        assert!(largest_difference(&decoded.data, &turned) <= tolerance);
    }
}

/// A baseline JPEG of 8 x 8 pixels in one flat CMYK colour, stored inverted as
/// Adobe's programs write it.
fn flat_cmyk_jpeg(inks: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8];
    let mut segment = |marker: u8, content: &[u8]| {
        bytes.extend([0xFF, marker]);
        bytes.extend((content.len() as u16 + 2).to_be_bytes());
        bytes.extend(content);
    };
    segment(0xEE, b"Adobe\0\x64\0\0\0\0\0"); // transform 0: plain CMYK
    segment(0xDB, &[[0].as_slice(), &[8; 64]].concat()); // all quantisers 8: DC = 8 * value
    let components: Vec<u8> = (1..=4).flat_map(|id| [id, 0x11, 0]).collect();
    segment(0xC0, &[&[8, 0, 8, 0, 8, 4][..], &components].concat());
    // One 4-bit code for every DC size 0..=8, one 1-bit code for "end of block".
    let counts = [0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    segment(0xC4, &[&[0x00][..], &counts, &[0, 1, 2, 3, 4, 5, 6, 7, 8]].concat());
    segment(0xC4, &[&[0x10, 1][..], &[0; 15], &[0]].concat());
    segment(0xDA, &[4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0]);

    let mut bits = String::new();
    for ink in inks {
        let value = i32::from(255 - ink) - 128;
        let size = (32 - value.unsigned_abs().leading_zeros()) as usize;
        bits += &format!("{size:04b}");
        if size > 0 {
            let code = if value > 0 { value } else { value + (1 << size) - 1 };
            bits += &format!("{code:0size$b}");
        }
        bits += "0";
    }
    while !bits.len().is_multiple_of(8) {
        bits += "1";
    }
    for byte in bits.as_bytes().chunks(8) {
        let byte = byte.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0'));
        bytes.push(byte);
        if byte == 0xFF {
            bytes.push(0);
        }
    }
    bytes.extend([0xFF, 0xD9]);
    bytes
}

#[test]
fn cmyk_jpeg_becomes_rgb() {
    let image = decode(&flat_cmyk_jpeg([0, 100, 255, 0])).unwrap();
    assert_eq!((image.width, image.height), (8, 8));
    for pixel in image.data.chunks(3) {
        assert!(largest_difference(pixel, &[255, 155, 0]) <= 2, "{pixel:?}");
    }
    let black = decode(&flat_cmyk_jpeg([10, 20, 30, 255])).unwrap();
    assert!(black.data.iter().all(|&value| value <= 2));
}

#[test]
fn decompression_bombs_are_refused() {
    // A valid PNG header that declares 60,000 x 60,000 pixels.
    let mut bytes = encode(&dynamic(&gradient(4, 4)), ImageFormat::Png);
    bytes[16..20].copy_from_slice(&60_000u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&60_000u32.to_be_bytes());
    let checksum = bytes[12..29].iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)))
    });
    bytes[29..33].copy_from_slice(&(!checksum).to_be_bytes());
    let message = decode(&bytes).unwrap_err().to_string();
    assert!(message.contains("60000 x 60000"), "{message}");

    let small = encode(&dynamic(&gradient(40, 30)), ImageFormat::Png);
    let limit = |max_pixels, max_bytes| DecodeLimits { max_pixels, max_bytes };
    assert!(RgbImage::decode(&small, &limit(1200, 100_000)).is_ok());
    assert!(RgbImage::decode(&small, &limit(1199, 100_000)).is_err());
    assert!(RgbImage::decode(&small, &limit(1200, 3599)).is_err());
}

/// `fixtures/turbo.jpg` (chroma halved both ways) as OpenCV 5.0 with libjpeg-turbo 3.1 decodes it; other
/// decoders differ by a few levels.
#[test]
fn jpeg_is_what_opencv_decodes() {
    let image = decode(include_bytes!("../../../../tests/fixtures/turbo.jpg")).unwrap();
    assert_eq!((image.width, image.height), (37, 27));
    let mut sums = [0u64; 3];
    for pixel in image.data.chunks(3) {
        sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u64::from(*value));
    }
    assert_eq!(sums, [123_685, 117_003, 116_972]);
    let pixels = [
        (0, [4, 9, 3]),
        (36, [165, 30, 247]),
        (499, [126, 124, 125]),
        (500, [124, 116, 127]),
        (998, [245, 240, 236]),
    ];
    for (at, pixel) in pixels {
        assert_eq!(image.data[at * 3..][..3], pixel, "pixel {at}");
    }
}

#[test]
fn parts_make_the_image_again() {
    let image = RgbImage::from_rgba(2, 1, &[1, 2, 3, 255, 4, 5, 6, 7]).unwrap();
    let (data, alpha) = (image.data().to_vec(), image.alpha().map(<[u8]>::to_vec));
    assert_eq!(RgbImage::from_parts(2, 1, data.clone(), alpha).unwrap(), image);
    assert!(RgbImage::from_parts(2, 1, data, Some(vec![0; 3])).is_err());
}

#[test]
fn wrong_lengths_are_errors() {
    assert!(RgbImage::from_raw(2, 2, vec![0; 11]).is_err());
    assert!(RgbImage::from_raw(0, 2, vec![]).is_err());
    assert!(RgbImage::from_gray(3, 1, &[0; 4]).is_err());
    assert!(RgbImage::from_rgba(usize::MAX, 2, &[0; 8]).is_err());
}

#[test]
fn resize_agrees_with_the_definition() {
    let image = gradient(23, 11);
    let preprocess = Preprocess { resolution: 17, mean: [0.0; 3], std: [1.0 / 255.0; 3] };
    let planes = preprocess.evaluate(&image);
    let pixel = |x: f64, y: f64, channel: usize| {
        let (x, y) = (x.clamp(0.0, 22.0) as usize, y.clamp(0.0, 10.0) as usize);
        f64::from(image.data[(y * 23 + x) * 3 + channel])
    };
    for (index, &value) in planes.iter().enumerate() {
        let (channel, row, column) = (index / 289, index / 17 % 17, index % 17);
        let x = (column as f64 + 0.5) * 23.0 / 17.0 - 0.5;
        let y = (row as f64 + 0.5) * 11.0 / 17.0 - 0.5;
        let (left, top) = (x.floor(), y.floor());
        let mut wanted = 0.0;
        for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
            let weight = (1.0 - (x - left - dx).abs()) * (1.0 - (y - top - dy).abs());
            wanted += weight * pixel(left + dx, top + dy, channel);
        }
        assert!((f64::from(value) - wanted).abs() < 1e-3, "{index}: {value} {wanted}");
    }
}
