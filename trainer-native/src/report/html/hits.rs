//! A question to a gallery and what it found.

use super::sections::{self, MOST_COLUMNS, caption_hit, picture, picture_hit};
use super::{CaptionHit, PictureHit, document};
use crate::report::escape::escape;

/// Everything the page shows.
#[derive(Debug, Clone, Default)]
pub struct HitsPage {
    /// What was asked.
    pub question: Question,
    /// Names and values: gallery, items, milliseconds...
    pub facts: Vec<(String, String)>,
    /// Pictures found, best first.
    pub pictures: Vec<PictureHit>,
    /// Captions found, best first.
    pub captions: Vec<CaptionHit>,
    /// Program, version and command that made it.
    pub generated_by: String,
}

/// What was asked.
#[derive(Debug, Clone)]
pub enum Question {
    /// With a sentence.
    Sentence(String),
    /// With a picture.
    Picture {
        /// The encoded picture, as in [`PictureHit`].
        png: Vec<u8>,
        /// Its name.
        title: String,
    },
}

impl Default for Question {
    fn default() -> Self {
        Self::Sentence(String::new())
    }
}

/// The page as one HTML document.
pub fn render_hits(page: &HitsPage) -> String {
    let (class, question) = match &page.question {
        Question::Sentence(text) => {
            ("card", format!("<h3 class=\"sentence\">{}</h3>", escape(text)))
        }
        Question::Picture { png, title } => {
            let (picture, title) = (picture(png, title), escape(title));
            ("card picture", format!("<div class=\"asked\">{picture}<h3>{title}</h3></div>"))
        }
    };
    let columns = page.pictures.len().clamp(1, MOST_COLUMNS);
    let pictures: String = page.pictures.iter().enumerate().map(picture_hit).collect();
    let captions: String = page.captions.iter().map(caption_hit).collect();
    let mut hits = String::new();
    if !pictures.is_empty() {
        hits += &format!("<ol class=\"strip\" style=\"--columns: {columns}\">\n{pictures}</ol>\n");
    }
    if !captions.is_empty() {
        hits += &format!("<ol class=\"captions\">\n{captions}</ol>\n");
    }
    if hits.is_empty() {
        hits += "<p class=\"note\">The gallery is empty.</p>\n";
    }
    let body = format!(
        "{}<section>\n<article class=\"{class}\">{question}\n{hits}</article>\n</section>\n",
        sections::facts(&page.facts)
    );
    document("What was found", "Best first, each with its similarity.", &body, &page.generated_by)
}
