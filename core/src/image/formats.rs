//! Formats of picture files: which are read, and which are known but not read.

use std::path::Path;

/// A format of picture files. Several cameras' raw files are one: they are read in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PictureFormat {
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    WebP,
    /// Graphics Interchange Format.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// Tagged Image File Format, BigTIFF included.
    Tiff,
    /// JPEG XL.
    JpegXl,
    /// High Efficiency Image File.
    Heic,
    /// AV1 Image File.
    Avif,
    /// What a camera's sensor saw; read by the JPEG picture in it.
    Raw,
    /// JPEG 2000.
    Jpeg2000,
    /// Adobe Photoshop's document.
    Photoshop,
    /// A drawing of lines and curves (SVG, EPS).
    Drawing,
    /// A picture of another format that some programs write (ICO, TGA, OpenEXR and others).
    Other,
}

use PictureFormat::{
    Avif, Bmp, Drawing, Gif, Heic, Jpeg, Jpeg2000, JpegXl, Other, Photoshop, Png, Raw, Tiff, WebP,
};

/// Endings of picture files in lower case, and what such a file should be.
pub const ENDINGS: &[(&str, PictureFormat)] = &[
    ("png", Png),
    ("apng", Png),
    ("jpg", Jpeg),
    ("jpeg", Jpeg),
    ("jpe", Jpeg),
    ("jfif", Jpeg),
    ("jif", Jpeg),
    ("pjpeg", Jpeg),
    ("mpo", Jpeg),
    ("webp", WebP),
    ("gif", Gif),
    ("bmp", Bmp),
    ("dib", Bmp),
    ("tif", Tiff),
    ("tiff", Tiff),
    ("btf", Tiff),
    ("tf8", Tiff),
    ("jxl", JpegXl),
    ("heic", Heic),
    ("heif", Heic),
    ("heics", Heic),
    ("heifs", Heic),
    ("hif", Heic),
    ("avif", Avif),
    ("avifs", Avif),
    ("3fr", Raw),
    ("arw", Raw),
    ("cr2", Raw),
    ("cr3", Raw),
    ("crw", Raw),
    ("dcr", Raw),
    ("dng", Raw),
    ("erf", Raw),
    ("fff", Raw),
    ("iiq", Raw),
    ("k25", Raw),
    ("kdc", Raw),
    ("mef", Raw),
    ("mos", Raw),
    ("mrw", Raw),
    ("nef", Raw),
    ("nrw", Raw),
    ("orf", Raw),
    ("ori", Raw),
    ("pef", Raw),
    ("raf", Raw),
    ("raw", Raw),
    ("rw2", Raw),
    ("rwl", Raw),
    ("sr2", Raw),
    ("srf", Raw),
    ("srw", Raw),
    ("x3f", Raw),
    ("jp2", Jpeg2000),
    ("j2k", Jpeg2000),
    ("j2c", Jpeg2000),
    ("jpc", Jpeg2000),
    ("jpf", Jpeg2000),
    ("jpx", Jpeg2000),
    ("psd", Photoshop),
    ("psb", Photoshop),
    ("svg", Drawing),
    ("svgz", Drawing),
    ("eps", Drawing),
    ("ai", Drawing),
    ("wmf", Drawing),
    ("emf", Drawing),
    ("dds", Other),
    ("exr", Other),
    ("hdr", Other),
    ("ico", Other),
    ("cur", Other),
    ("icns", Other),
    ("jls", Other),
    ("jxr", Other),
    ("wdp", Other),
    ("pbm", Other),
    ("pgm", Other),
    ("ppm", Other),
    ("pnm", Other),
    ("pam", Other),
    ("pfm", Other),
    ("pcx", Other),
    ("qoi", Other),
    ("ras", Other),
    ("tga", Other),
    ("xcf", Other),
    ("bpg", Other),
    ("flif", Other),
];

impl PictureFormat {
    /// What a file with this ending (without the dot, in any case) should be; `None` when pictures do not end so.
    pub fn from_ending(ending: &str) -> Option<Self> {
        let found = ENDINGS.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending));
        found.map(|&(_, format)| format)
    }

    /// What a file of this name should be, by its ending.
    pub fn from_path(path: &Path) -> Option<Self> {
        Self::from_ending(path.extension()?.to_str()?)
    }

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Png => "PNG",
            Jpeg => "JPEG",
            WebP => "WebP",
            Gif => "GIF",
            Bmp => "BMP",
            Tiff => "TIFF",
            JpegXl => "JPEG XL",
            Heic => "HEIC",
            Avif => "AVIF",
            Raw => "camera RAW",
            Jpeg2000 => "JPEG 2000",
            Photoshop => "Photoshop document",
            Drawing => "vector drawing",
            Other => "a less common format",
        }
    }

    /// Whether this build reads pictures of this format.
    pub fn is_read(self) -> bool {
        match self {
            Png | Jpeg | WebP | Gif | Bmp | Tiff | Raw => cfg!(feature = "decode"),
            JpegXl => cfg!(feature = "jxl"),
            Heic | Avif => cfg!(feature = "heic"),
            Jpeg2000 | Photoshop | Drawing | Other => false,
        }
    }

    /// What to do about a picture that is not read; empty for one that is.
    pub fn advice(self) -> &'static str {
        match self {
            _ if self.is_read() => "",
            Heic | Avif => {
                "build avse with `--features heic` (it needs the library libheif), or convert the pictures to JPEG or PNG"
            }
            JpegXl => "build avse with the feature `jxl`, or convert the pictures to JPEG or PNG",
            _ => "convert the pictures to JPEG or PNG",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_known_in_any_case_and_named_once() {
        let by_name = |name: &str| PictureFormat::from_path(Path::new(name));
        assert_eq!(by_name("a/IMG_1.HEIC"), Some(Heic));
        assert_eq!(by_name("a.b/photo.Jpg"), Some(Jpeg));
        assert_eq!(by_name("notes.txt"), None);
        assert_eq!(by_name("jpg"), None);
        let mut endings: Vec<_> = ENDINGS.iter().map(|(ending, _)| *ending).collect();
        endings.sort_unstable();
        endings.dedup();
        assert_eq!(endings.len(), ENDINGS.len());
        assert!(endings.iter().all(|ending| ending.to_lowercase() == **ending));
    }

    #[test]
    fn what_is_not_read_has_advice() {
        for &(ending, format) in ENDINGS {
            assert_eq!(format.advice().is_empty(), format.is_read(), "{ending}");
        }
    }
}
