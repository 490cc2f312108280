//! What the first bytes of a picture's file say.

use avse_core::image::pixels::jpeg_is_complete;

use crate::failure::{Failure, Result};

/// Longest header that is looked at, in bytes.
const LONGEST: usize = 1 << 20;

/// The size that a file states; nothing is decoded, so that a page can refuse a picture before its browser
/// allocates gigabytes for it.
pub struct Header {
    /// In pixels, before any EXIF orientation.
    pub width: usize,
    /// In pixels, before any EXIF orientation.
    pub height: usize,
    /// `png`, `jpeg`, `webp`, `gif` or `bmp`.
    pub format: String,
}

impl Header {
    /// Reads it.
    ///
    /// # Errors
    /// `image` for another format, a broken header, or a JPEG that stops too early.
    pub fn of(file: &[u8]) -> Result<Self> {
        let image = |message: String| Failure::new("image", message);
        if file.is_empty() {
            return Err(image("the file is empty".into()));
        }
        let head = &file[..file.len().min(LONGEST)];
        let format = imagesize::image_type(head)
            .map_err(|_| image("neither PNG, JPEG, WebP, GIF nor BMP".into()))?;
        let size = imagesize::blob_size(head)
            .map_err(|error| image(format!("{format:?} with a broken header: {error}")))?;
        // Browsers show what is there of it.
        if matches!(format, imagesize::ImageType::Jpeg) && !jpeg_is_complete(file) {
            return Err(image("the JPEG file is truncated (no end marker)".into()));
        }
        let format = format!("{format:?}").to_lowercase();
        Ok(Self { width: size.width, height: size.height, format })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_others_refused() {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        png.extend(60_000u32.to_be_bytes());
        png.extend(3u32.to_be_bytes());
        png.extend([8, 6, 0, 0, 0]);
        let header = Header::of(&png).unwrap();
        assert_eq!((header.width, header.height, header.format.as_str()), (60_000, 3, "png"));
        for file in [&b""[..], b"<svg xmlns='x'/>", b"\x89PNG\r\n\x1a\n\0", b"\xff\xd8\xff\xe0"] {
            assert_eq!(Header::of(file).err().unwrap().code, "image", "{file:?}");
        }
    }
}
