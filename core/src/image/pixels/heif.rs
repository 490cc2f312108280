//! HEIC and AVIF files, by the system's libheif: the main picture of a file, turned and mirrored as it says.
//!
//! libheif is in C, as every decoder of HEVC that people can have is; so this is behind a cargo feature.

#[cfg(not(feature = "heic"))]
mod without {
    use super::super::{DecodeLimits, RgbImage};
    use crate::{Error, Result};

    pub(in super::super) fn decode(_: &[u8], _: &DecodeLimits) -> Result<RgbImage> {
        Err(Error::Image("HEIC and AVIF are not read by this build".into()))
    }
}
#[cfg(not(feature = "heic"))]
pub(super) use without::decode;

#[cfg(feature = "heic")]
mod library;
#[cfg(feature = "heic")]
pub(super) use library::decode;
