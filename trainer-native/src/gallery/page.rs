//! The hits of a search as a page.

use std::io::Cursor;
use std::path::Path;

use avse_core::gallery::{Found, GalleryKind};
use avse_core::image::pixels::DecodeLimits;
use image::codecs::jpeg::JpegEncoder;
use rayon::prelude::*;

use super::listing::picture_path;
use super::query::{Answer, Asked};
use crate::data::picture;
use crate::report::html::{CaptionHit, HitsPage, PictureHit, Question, render_hits};

/// Longer side of a thumbnail in pixels.
const SIDE: u32 = 320;
const JPEG_QUALITY: u8 = 85;

/// The page: question, hits and thumbnails in one HTML document. A picture that is gone by now
/// leaves its place empty.
pub fn hits_page(asked: &Asked, answer: &Answer, limits: &DecodeLimits) -> String {
    let gallery = &answer.gallery;
    let fact = |name: &str, value: String| (name.to_string(), value);
    let exact = if gallery.is_exact() { "exact" } else { "approximate" };
    let mut page = HitsPage {
        question: match asked {
            Asked::Text(text) => Question::Sentence(text.clone()),
            Asked::Image(path) => Question::Picture {
                png: thumbnail(path, limits).unwrap_or_default(),
                title: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            },
        },
        facts: vec![
            fact("Items", gallery.len().to_string()),
            fact("Scores", exact.to_string()),
            fact("Search", format!("{:.1} ms", answer.seconds.search * 1e3)),
        ],
        generated_by: format!("avse search {}", env!("CARGO_PKG_VERSION")),
        ..HitsPage::default()
    };
    let words = |found: &Found| found.item.caption.clone().unwrap_or(found.item.key.clone());
    match gallery.spec().kind {
        GalleryKind::Images => {
            let hit = |found: &Found| PictureHit {
                png: picture_path(&found.item, gallery.sources())
                    .and_then(|path| thumbnail(&path, limits))
                    .unwrap_or_default(),
                caption: words(found),
                score: found.score,
                correct: false,
            };
            page.pictures = answer.hits.par_iter().map(hit).collect();
        }
        GalleryKind::Captions => {
            let hit = |found: &Found| CaptionHit {
                caption: words(found),
                score: found.score,
                correct: false,
            };
            page.captions = answer.hits.iter().map(hit).collect();
        }
    }
    render_hits(&page)
}

/// A small JPEG of a picture as the model sees it: upright, on white.
pub(crate) fn thumbnail(path: &Path, limits: &DecodeLimits) -> Option<Vec<u8>> {
    let decoded = picture::decode(path, limits).ok()?;
    let (width, height) = (decoded.width() as u32, decoded.height() as u32);
    let pixels = image::RgbImage::from_raw(width, height, decoded.data().to_vec())?;
    let scale = (f64::from(SIDE) / f64::from(width.max(height))).min(1.0);
    let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    let small = image::imageops::thumbnail(&pixels, side(width), side(height));
    let mut jpeg = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY).encode_image(&small).ok()?;
    Some(jpeg.into_inner())
}
