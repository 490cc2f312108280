//! stub
use super::{DecodeLimits, RgbImage};
use crate::{Error, Result};

pub(super) fn decode(_bytes: &[u8], _limits: &DecodeLimits) -> Result<RgbImage> {
    Err(Error::Image("raw".into()))
}
