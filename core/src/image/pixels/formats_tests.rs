//! Whole files, as OpenCV 5.0 with libjpeg-turbo 3.1 and libtiff 4.7 reads them.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::{DecodeLimits, RgbImage};
use crate::Result;

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/fixtures/pictures/", $name))
    };
}

fn decode(bytes: &[u8]) -> Result<RgbImage> {
    RgbImage::decode(bytes, &DecodeLimits::default())
}

fn refusal(bytes: &[u8]) -> String {
    decode(bytes).expect_err("it has to be refused").to_string()
}

/// SHA-256 of the pixels.
fn sum(image: &RgbImage) -> String {
    Sha256::digest(image.data()).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[test]
fn jpeg_scans_and_samplings_are_what_opencv_decodes() {
    // Brightness and colours in scans of their own; brightness and one colour in one; brightness coarser than colour;
    // scan by scan finer; with restart markers.
    let files: [(&[u8], &str); 5] = [
        (
            file!("scans_y_then_cbcr.jpg"),
            "33cfe4ac7f5c1ea32c9a790cdcce405cd80e68c0b7431e74f8d44efea668e7a5",
        ),
        (
            file!("two_scans.jpg"),
            "49e01e2dcea8750c156a1dd02a986493736325d9d00e8bb264b3a529a01a44f0",
        ),
        (
            file!("coarse_luma.jpg"),
            "709a94626a127641b93213c81167f7ac9918da7b8416546a7be245dd09350394",
        ),
        (
            file!("progressive.jpg"),
            "3d3590458569e32a6e3f24ffe6f0124bc8863ae72e6b547935c19701482ef50f",
        ),
        (file!("restarts.jpg"), "713e6efecdd9d0ea06799f421c02bb437629b5471a6335db7b4c4a50abea4f3f"),
    ];
    for (index, (bytes, wanted)) in files.into_iter().enumerate() {
        assert_eq!(sum(&decode(bytes).unwrap()), wanted, "file {index}");
    }
}

#[test]
fn jpeg_without_an_end_marker_is_read_when_all_data_is_there() {
    let files: [&[u8]; 5] = [
        file!("scans_y_then_cbcr.jpg"),
        file!("coarse_luma.jpg"),
        file!("progressive.jpg"),
        file!("restarts.jpg"),
        file!("plain.jpg"),
    ];
    for &bytes in &files {
        let whole = decode(bytes).unwrap();
        assert_eq!(decode(&bytes[..bytes.len() - 2]).unwrap(), whole);
        for part in [bytes.len() / 2, bytes.len() * 3 / 4, bytes.len() - 20] {
            assert!(decode(&bytes[..part]).is_err(), "{part} of {}", bytes.len());
        }
    }
}

#[test]
fn an_end_marker_behind_half_of_the_data_does_not_make_it_a_whole() {
    let files: [&[u8]; 4] = [
        file!("scans_y_then_cbcr.jpg"),
        file!("coarse_luma.jpg"),
        file!("restarts.jpg"),
        file!("plain.jpg"),
    ];
    for bytes in files {
        for part in [bytes.len() / 2, bytes.len() * 3 / 4, bytes.len() - 20] {
            let ended = [&bytes[..part], &[0xFF, 0xD9]].concat();
            assert!(decode(&ended).is_err(), "{part} of {}", bytes.len());
        }
    }
}

#[test]
fn jpeg_whose_restart_markers_are_damaged_is_refused() {
    let bytes = file!("restarts.jpg");
    let at = |number: u8| bytes.windows(2).position(|pair| pair == [0xFF, 0xD0 + number]).unwrap();
    let (first, second) = (at(0), at(1));
    let missing = [&bytes[..first], &bytes[first + 2..]].concat();
    assert!(refusal(&missing).contains("restart marker"), "{}", refusal(&missing));
    let mut swapped = bytes.to_vec();
    (swapped[first + 1], swapped[second + 1]) = (0xD1, 0xD0);
    assert!(refusal(&swapped).contains("not in order"), "{}", refusal(&swapped));
    // A stretch that ends early: OpenCV goes on with gray, other decoders with noise.
    let short = [&bytes[..second - 4], &bytes[second..]].concat();
    assert!(refusal(&short).contains("damaged"), "{}", refusal(&short));
}

#[test]
fn tiff_is_what_libtiff_decodes() {
    let files: [(&[u8], &str); 7] = [
        (file!("palette.tif"), "736ab5f1548c44f83810af9c7918a6d7678d00c786845e8c1a8b462f81a4cf01"),
        (file!("t_big.tif"), "e3a86e927d86c48ccc163143166fe4ab49da520e746c6975187830dd092bd36d"),
        (
            file!("jpeg_ycbcr.tif"),
            "0f082e08f8a60216bcb0917e84adc1abd45a7e1b76045516c7e60b10a3c80b37",
        ),
        (file!("lab.tif"), "e287055f2bd00ca7be9dc5eba218a78e16c58a62fe26b6fe6ce31203eaf995f5"),
        (file!("fax4.tif"), "ac7a74286d5a9d26ca99e587b8b2f22bb462243ee0bab93afc2703dad6512c83"),
        (file!("cmyk.tif"), "e3df92ef303a22f42e3869b8e5934ff04cd1c40a71417e4f72ca42daad83773a"),
        // On white, with the alpha multiplied in once.
        (
            file!("premultiplied.tif"),
            "e42a05c9433df91ba1279165e89999bcdc13e4fff294e9bde8ec8aa10ed10e23",
        ),
    ];
    for (index, (bytes, wanted)) in files.into_iter().enumerate() {
        assert_eq!(sum(&decode(bytes).unwrap()), wanted, "file {index}");
        refusal(&bytes[..bytes.len() / 2]);
    }
}

/// A TIFF file with the given entries (tag, kind, count, value) and content from byte 8 on.
fn tiff(big_endian: bool, content: &[u8], entries: &[(u16, u16, u32, u32)]) -> Vec<u8> {
    let short = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let long = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut file = if big_endian { b"MM".to_vec() } else { b"II".to_vec() };
    file.extend(short(42));
    file.extend(long(8 + content.len() as u32));
    file.extend(content);
    file.extend(short(entries.len() as u16));
    for &(tag, kind, count, value) in entries {
        file.extend(short(tag));
        file.extend(short(kind));
        file.extend(long(count));
        match kind {
            3 | 8 if count == 1 => file.extend([short(value as u16), [0, 0]].concat()),
            1 if count == 1 => file.extend([value as u8, 0, 0, 0]),
            _ => file.extend(long(value)),
        }
    }
    file.extend([0; 4]);
    file
}

#[test]
fn an_orientation_of_any_number_type_turns() {
    for big_endian in [false, true] {
        for kind in [1, 3, 4, 8, 9] {
            let exif = tiff(big_endian, b"", &[(274, kind, 1, 6)]);
            let name = format!("type {kind}, big endian {big_endian}");
            let wanted = ::image::metadata::Orientation::Rotate90;
            assert_eq!(super::tags::orientation(&exif), wanted, "{name}");
            let with_mark = [b"Exif\0\0", &exif[..]].concat();
            assert_eq!(super::tags::orientation(&with_mark), wanted, "{name}");
        }
        // A TIFF picture of 2 x 1 pixels that says so itself becomes 1 x 2.
        let entries = [
            (256, 3, 1, 2),
            (257, 3, 1, 1),
            (258, 3, 1, 8),
            (262, 3, 1, 1),
            (273, 4, 1, 8),
            (274, 4, 1, 6),
            (279, 4, 1, 2),
        ];
        let image = decode(&tiff(big_endian, &[10, 20], &entries)).unwrap();
        assert_eq!((image.width(), image.height()), (1, 2));
        assert_eq!(image.data(), [10, 10, 10, 20, 20, 20]);
    }
    let damaged = tiff(false, b"", &[(274, 4, u32::MAX, 6)]);
    let none = ::image::metadata::Orientation::NoTransforms;
    assert_eq!(super::tags::orientation(&damaged), none);
}

#[test]
fn a_jpeg_with_an_orientation_as_a_long_is_turned() {
    let plain = file!("plain.jpg");
    for big_endian in [false, true] {
        let exif = tiff(big_endian, b"", &[(274, 4, 1, 6)]);
        let length = (exif.len() as u16 + 8).to_be_bytes();
        let turned =
            [&plain[..2], &[0xFF, 0xE1], &length, b"Exif\0\0", &exif, &plain[2..]].concat();
        let (image, wanted) = (decode(&turned).unwrap(), decode(plain).unwrap());
        assert_eq!((image.width(), image.height()), (wanted.height(), wanted.width()));
        // The first pixel of the last row comes first.
        let corner = wanted.width() * (wanted.height() - 1) * 3;
        assert_eq!(image.data()[..3], wanted.data()[corner..][..3]);
    }
}

#[test]
fn a_png_whose_exif_stands_behind_the_pixels_is_turned() {
    use ::image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
    let mut png = Vec::new();
    let pixels = [1, 2, 3, 4, 5, 6];
    PngEncoder::new(&mut png).write_image(&pixels, 2, 1, ExtendedColorType::Rgb8).unwrap();
    let mut chunk = b"eXIf".to_vec();
    chunk.extend(tiff(true, b"", &[(274, 3, 1, 6)]));
    let length = (chunk.len() as u32 - 4).to_be_bytes();
    let checksum = !chunk.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)))
    });
    let end = png.len() - 12;
    let late = [&png[..end], &length, &chunk, &checksum.to_be_bytes(), &png[end..]].concat();
    let image = decode(&late).unwrap();
    assert_eq!((image.width(), image.height(), image.data()), (1, 2, &pixels[..]));
}

#[test]
fn a_raw_file_is_read_by_its_largest_jpeg_picture() {
    let (small, large): (&[u8], &[u8]) = (file!("plain.jpg"), file!("scans_y_then_cbcr.jpg"));
    let content = [small, large].concat();
    // The sensor's data, a preview, and below it a larger one: as in DNG files.
    let below = 8 + content.len() as u32;
    let entry =
        |place: usize, size: usize| [(513, 4, 1, 8 + place as u32), (514, 4, 1, size as u32)];
    let lower = tiff(false, &content, &entry(small.len(), large.len()));
    let mut file = lower.clone();
    let first = [
        &[(274, 3, 1, 8), (262, 3, 1, 32803), (330, 4, 1, below), (50706, 1, 4, 1)],
        &entry(0, small.len())[..],
    ]
    .concat();
    let head = file.len() as u32;
    file[4..8].copy_from_slice(&head.to_le_bytes());
    file.extend(&tiff(false, b"", &first)[8..]);
    let (image, wanted) = (decode(&file).unwrap(), decode(large).unwrap());
    assert_eq!((image.width(), image.height()), (wanted.height(), wanted.width()));
    // Without a picture in it there is nothing to show.
    let bare = tiff(false, b"", &[(262, 3, 1, 32803), (50706, 1, 4, 1)]);
    assert!(refusal(&bare).contains("raw file without a JPEG"), "{}", refusal(&bare));
}

#[test]
fn a_canon_raw_file_is_turned_as_its_box_says() {
    let plain = file!("plain.jpg");
    let tags = tiff(false, b"", &[(274, 3, 1, 6)]);
    let file = [b"\0\0\0\x18ftypcrx \0\0\0\x01\0\0\0\x40CMT1", &tags[..], plain].concat();
    let (image, wanted) = (decode(&file).unwrap(), decode(plain).unwrap());
    assert_eq!((image.width(), image.height()), (wanted.height(), wanted.width()));
}

#[test]
fn a_raw_file_made_to_be_slow_is_given_up() {
    // Each of these could be a picture; none is.
    let file =
        [b"IIRO\x08\0\0\0", &[0xFF, 0xD8, 0xFF, 0xFE, 0xFF, 0xFF].repeat(1 << 20)[..]].concat();
    assert!(refusal(&file).contains("raw file without a JPEG"));
    // A directory that names itself a million times as one below.
    let count = 1u32 << 20;
    let below = (8 + 4 * count).to_le_bytes().repeat(count as usize);
    let file = tiff(false, &below, &[(262, 3, 1, 32803), (330, 4, count, 8), (50706, 1, 4, 1)]);
    assert!(refusal(&file).contains("raw file without a JPEG"));
}

#[test]
fn a_fax_without_a_word_about_its_colours_is_black_on_white() {
    let named = file!("fax4.tif").to_vec();
    let at = named.windows(4).position(|entry| entry == [6, 1, 3, 0]).unwrap();
    let mut unnamed = named.clone();
    unnamed[at..at + 2].copy_from_slice(&[0xFF, 0xFE]); // A private tag in its place.
    assert_eq!(named[at + 8], 0, "white is zero in this file");
    assert_eq!(decode(&unnamed).unwrap(), decode(&named).unwrap());
}

/// OpenCV leaves the bits zero that 5 and 6 bits do not say; other decoders fill them.
#[test]
fn a_bitmap_of_16_bits_is_as_opencv_reads_it() {
    let file = |method: u32, masks: &[u32], pixel: u16| {
        let masks: Vec<u8> = masks.iter().flat_map(|mask| mask.to_le_bytes()).collect();
        let start = 54 + masks.len() as u32;
        let mut file =
            [b"BM", &(start + 4).to_le_bytes()[..], &[0; 4], &start.to_le_bytes()].concat();
        file.extend([40u32, 1, 1].map(u32::to_le_bytes).concat());
        file.extend([1u16, 16].map(u16::to_le_bytes).concat());
        file.extend([method, 4, 0, 0, 0, 0].map(u32::to_le_bytes).concat());
        file.extend([&masks, &pixel.to_le_bytes()[..], &[0; 2]].concat());
        decode(&file).unwrap().data().to_vec()
    };
    assert_eq!(file(0, &[], 0x7FFF), [248, 248, 248]);
    assert_eq!(file(3, &[0x7C00, 0x3E0, 0x1F], 0x7FFF), [248, 248, 248]);
    assert_eq!(file(3, &[0xF800, 0x7E0, 0x1F], 0xFFFF), [248, 252, 248]);
    assert_eq!(file(3, &[0xF800, 0x7E0, 0x1F], 1 << 11 | 1 << 5 | 1), [8, 4, 8]);
}

/// A row of samples is memory, too, however few the file's bytes.
#[test]
fn a_tiff_row_beyond_the_memory_is_refused() {
    let entries = [
        (256, 4, 1, 100_000_000),
        (257, 3, 1, 1),
        (258, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 8),
        (279, 4, 1, 4),
    ];
    assert!(refusal(&tiff(false, &[0; 4], &entries)).contains("MB of memory"));
}

#[test]
fn shares_of_colours_that_cannot_be_are_refused() {
    let entries = [
        (256, 3, 1, 1),
        (257, 3, 1, 1),
        (258, 3, 1, 8),
        (262, 3, 1, 6),
        (273, 4, 1, 8),
        (277, 3, 1, 3),
        (279, 4, 1, 3),
        (529, 5, 3, 16),
        (530, 4, 1, 1),
    ];
    let content = |green: u32| {
        let shares = [299, 1000, green, 1000, 114, 1000].map(u32::to_le_bytes).concat();
        [&[9, 128, 128, 0, 0, 0, 0, 0][..], &shares].concat()
    };
    assert!(refusal(&tiff(false, &content(0), &entries)).contains("shares of red"));
}

#[test]
fn known_formats_that_are_not_read_are_named() {
    let heic = [&[0, 0, 0, 24], &b"ftypheic\0\0\0\0mif1heic"[..]].concat();
    let message = refusal(&heic);
    assert!(message.contains("HEIC"), "{message}");
    if !cfg!(feature = "heic") {
        assert!(message.contains("--features heic") && message.contains("convert"), "{message}");
    }
    assert!(refusal(b"8BPS\0\x01").contains("Photoshop"));
    assert!(refusal(b"<svg xmlns='x'/>").contains("drawing"));
}

#[test]
fn too_many_pixels_are_refused_with_the_option_that_helps() {
    let limits = DecodeLimits { max_pixels: 100, ..DecodeLimits::default() };
    let files: [&[u8]; 3] = [file!("plain.jpg"), file!("palette.tif"), file!("progressive.jpg")];
    for bytes in files {
        let message = RgbImage::decode(bytes, &limits).unwrap_err().to_string();
        assert!(message.contains("--max-pixels") && message.contains("61 x 47"), "{message}");
    }
}

/// A picture that libjxl wrote without loss; the sum is that of its pixels.
#[cfg(feature = "jxl")]
#[test]
fn jpeg_xl_is_what_libjxl_decodes() {
    let bytes = file!("picture.jxl");
    assert_eq!(
        sum(&decode(bytes).unwrap()),
        "f4f141107f48caee99e148865feb8c3b944fd5e1e2cd510ed052a2e5787d3bc3"
    );
    assert!(refusal(&bytes[..bytes.len() * 2 / 3]).contains("truncated"));
    let limits = DecodeLimits { max_pixels: 100, ..DecodeLimits::default() };
    let message = RgbImage::decode(bytes, &limits).unwrap_err().to_string();
    assert!(message.contains("--max-pixels"), "{message}");
}

#[cfg(feature = "heic")]
#[test]
fn heic_and_avif_are_read_by_libheif() {
    // The same picture as the JPEG file's; both lose a little.
    let wanted = decode(file!("plain.jpg")).unwrap();
    for bytes in [&file!("one.heic")[..], file!("one.avif")] {
        let image = decode(bytes).unwrap();
        assert_eq!((image.width(), image.height()), (wanted.width(), wanted.height()));
        let pairs = image.data().iter().zip(wanted.data());
        let difference: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(difference < 10 * wanted.data().len() as u64, "{difference}");
        refusal(&bytes[..bytes.len() / 2]);
    }
}

/// A gray JPEG whose blocks are all 128: both tables have one code of one bit, and every block is two zeros.
fn flat_jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut file = vec![0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0];
    file.extend([1; 64]);
    file.extend([0xFF, 0xC0, 0, 11, 8]);
    file.extend([height.to_be_bytes(), width.to_be_bytes()].concat());
    file.extend([1, 1, 0x11, 0]);
    for class in [0, 0x10] {
        file.extend([0xFF, 0xC4, 0, 20, class, 1]);
        file.extend([0; 16]); // No longer codes, and the symbol 0.
    }
    file.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0]);
    let blocks = usize::from(width).div_ceil(8) * usize::from(height).div_ceil(8);
    file.extend(vec![0; blocks / 4]);
    // What is left of the last byte is ones.
    file.extend((blocks % 4 > 0).then_some(0xFF >> (2 * (blocks % 4))));
    file.extend([0xFF, 0xD9]);
    file
}

#[test]
fn photographs_and_scans_of_200_million_pixels_are_read_smaller() {
    for (width, height) in [(12_000, 9_000), (16_320, 12_240)] {
        let image = decode(&flat_jpeg(width, height)).unwrap();
        let half = (usize::from(width) / 2, usize::from(height) / 2);
        assert_eq!((image.width(), image.height()), half);
        assert!(image.data().iter().all(|value| *value == 128));
    }
    // A scan of one bit a pixel: rows of 2,040 bytes of ones, in PackBits runs.
    let rows = [[0x81, 0xFF].repeat(15), vec![0x89, 0xFF]].concat().repeat(12_240);
    let entries = [
        (256, 3, 1, 16_320),
        (257, 3, 1, 12_240),
        (259, 3, 1, 32_773),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (279, 4, 1, rows.len() as u32),
    ];
    let image = decode(&tiff(false, &rows, &entries)).unwrap();
    assert_eq!((image.width(), image.height()), (8_160, 6_120));
    assert!(image.data().iter().all(|value| *value == 255));
    let limits = DecodeLimits { max_pixels: 100_000_000, ..DecodeLimits::default() };
    let message = RgbImage::decode(&flat_jpeg(12_000, 9_000), &limits).unwrap_err().to_string();
    assert!(message.contains("--max-pixels"), "{message}");
}

#[test]
fn an_entry_without_values_is_as_one_that_is_not_there() {
    // Samples of no widths: one bit is what libtiff takes then.
    let file = tiff(false, b"", &[(256, 3, 1, 4), (257, 3, 1, 4), (258, 3, 0, 0)]);
    assert!(refusal(&file).contains("TIFF"), "{}", refusal(&file));
}
