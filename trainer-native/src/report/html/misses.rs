//! The worst misses of a model in both directions.

use avse_core::metrics::RetrievalMetrics;

use super::sections::{self, caption_hit, picture, section, text_query};
use super::{ImageQuery, TextQuery, document};
use crate::report::escape::escape;

/// Everything the page shows.
#[derive(Debug, Clone, Default)]
pub struct MissesPage {
    /// What was measured.
    pub title: String,
    /// Quality on the set, shown large.
    pub headline: Vec<(String, RetrievalMetrics)>,
    /// Names and values: models, images, captions...
    pub facts: Vec<(String, String)>,
    /// Sentences whose picture was not found first, the worst first.
    pub sentences: Vec<TextQuery>,
    /// Pictures none of whose sentences was found first, the worst first.
    pub pictures: Vec<PictureMiss>,
    /// Program, version and command that made it.
    pub generated_by: String,
}

/// A picture, what it found instead of its sentences, and the best placed of these.
#[derive(Debug, Clone, Default)]
pub struct PictureMiss {
    /// The picture and its first hits.
    pub query: ImageQuery,
    /// The best placed of its own sentences, where it is not among the hits.
    pub wanted: Option<WantedCaption>,
}

/// A sentence that should have been found.
#[derive(Debug, Clone, Default)]
pub struct WantedCaption {
    /// The sentence.
    pub caption: String,
    /// Its similarity to the picture.
    pub score: f32,
    /// Its rank; the first is 1.
    pub rank: usize,
}

/// The page as one HTML document.
pub fn render_misses(page: &MissesPage) -> String {
    let sentences = section(
        "Sentences that missed their picture",
        "What was preferred comes first, with its similarity; the picture that the sentence was \
         written for stands at the end with its rank, or has a tick among them.",
        page.sentences.iter().map(text_query),
    );
    let pictures = section(
        "Pictures that missed their sentences",
        "What was preferred comes first, with its similarity; the best placed of the picture's \
         own sentences stands at the end with its rank, or has a tick among them.",
        page.pictures.iter().map(picture_miss),
    );
    let mut body = sections::headline(&page.headline) + &sections::facts(&page.facts);
    if sentences.is_empty() && pictures.is_empty() {
        body += "<p class=\"note\">Every query found a right answer first.</p>\n";
    }
    body += &sentences;
    body += &pictures;
    let lead = "The queries whose right answer came last, and what came before it.";
    document(&page.title, lead, &body, &page.generated_by)
}

fn picture_miss(miss: &PictureMiss) -> String {
    let picture = picture(&miss.query.png, &miss.query.title);
    let title = escape(&miss.query.title);
    let hits: String = miss.query.hits.iter().map(caption_hit).collect();
    let wanted = miss.wanted.as_ref().map(wanted).unwrap_or_default();
    format!(
        "<article class=\"card picture\"><div class=\"asked\">{picture}<h3>{title}</h3></div>\n\
         <ol class=\"captions\">\n{hits}{wanted}</ol></article>\n"
    )
}

fn wanted(WantedCaption { caption, score, rank }: &WantedCaption) -> String {
    format!(
        "<li class=\"right last\"><span>{} <span class=\"mark\">✓ wanted, rank {rank}</span></span>\
         <span class=\"score\">{}</span></li>\n",
        escape(caption),
        sections::score(*score)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::html::{CaptionHit, PictureHit, Target};
    use roxmltree::{Document, ParsingOptions};

    const EVIL: &str = "\"'><script>alert(1)</script>&\u{0}";

    fn example(text: &str) -> MissesPage {
        let sentence = TextQuery {
            sentence: text.into(),
            hits: vec![PictureHit { caption: text.into(), score: 1.5, ..PictureHit::default() }],
            target: Some(Target { caption: text.into(), rank: 77, ..Target::default() }),
        };
        let query = ImageQuery {
            title: text.into(),
            hits: vec![CaptionHit { caption: text.into(), score: 2.25, correct: false }],
            ..ImageQuery::default()
        };
        let wanted = Some(WantedCaption { caption: text.into(), score: 0.125, rank: 431 });
        MissesPage {
            title: text.into(),
            facts: vec![(text.into(), text.into())],
            headline: vec![(text.into(), RetrievalMetrics::default())],
            sentences: vec![sentence],
            pictures: vec![PictureMiss { query, wanted }],
            generated_by: text.into(),
        }
    }

    fn parsed(page: &str) -> Document<'_> {
        let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
        Document::parse_with_options(page, options).unwrap()
    }

    #[test]
    fn ranks_and_scores_are_shown() {
        let page = render_misses(&example("a plain sentence"));
        parsed(&page);
        for part in ["rank 77", "1.500", "wanted, rank 431", "2.250", "0.125", "a plain sentence"] {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("found a right answer first"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let page = render_misses(&example(EVIL));
        let document = parsed(&page);
        assert!(!document.descendants().any(|node| node.tag_name().name() == "script"));
        assert!(!page.contains("<script") && !page.contains('\0'));
    }

    #[test]
    fn no_misses_are_said_in_words() {
        let page = render_misses(&MissesPage::default());
        assert!(page.contains("Every query found a right answer first."));
        assert_eq!(parsed(&page).descendants().filter(|n| n.has_tag_name("article")).count(), 0);
    }
}
