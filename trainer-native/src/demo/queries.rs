//! The demo's questions and the model's answers.

use avse_core::Avse;
use avse_core::similarity::{Blocks, Direction, GalleryView, Hit, Stored, TopK, cpu};

use super::{Scored, picture};
use crate::data::{Dataset, Split};
use crate::report::html::{CaptionHit, DemoReport, ImageQuery, PictureHit, Target, TextQuery};
use crate::{Result, evaluate};

/// Answers a query shows.
const HITS: usize = 6;
/// Misses shown.
const FAILURES: usize = 6;

/// Sentences of ours, none of them a caption of the set.
pub(crate) const SENTENCES: [&str; 12] = [
    "a slice of pizza with cheese",
    "a red fire truck",
    "a cat with hearts in its eyes",
    "something you wear on your head in winter",
    "yellow fruit",
    "a green animal that hops",
    "man riding a bicycle",
    "rain falling from a cloud",
    "a musical instrument with strings",
    "the flag of japan",
    "crying loudly",
    "a rocket flying to space",
];

/// Images of Emoji-1K that are asked for captions: every so many.
const IMAGE_STEP: usize = 167;

/// Answers everything; the facts are left for the caller.
pub fn answer(avse: &Avse, test: &Scored, dataset: &Dataset) -> Result<DemoReport> {
    let _ = dataset;
    Ok(DemoReport {
        title: "AVSE on emoji".into(),
        generated_by: format!("avse demo {}", env!("CARGO_PKG_VERSION")),
        headline: Vec::new(),
        facts: Vec::new(),
        text_queries: sentences(avse, test)?,
        image_queries: images(test)?,
        failures: failures(test)?,
        charts: Vec::new(),
        comparison: None,
        credits: Vec::new(),
    })
}

fn sentences(avse: &Avse, test: &Scored) -> Result<Vec<TextQuery>> {
    let values = evaluate::host_blocks(avse.encode_texts(&SENTENCES), avse)?;
    let queries = Blocks::new(&values, test.encoded.captions.blocks()?.shape())?;
    let gallery = test.encoded.images.blocks()?;
    let gallery = GalleryView {
        shape: gallery.shape(),
        rows: gallery.rows(),
        precise: Some(Stored::F32(gallery.values())),
        quantised: None,
    };
    let found = cpu::search(queries, &gallery, Direction::ImagesForCaption, HITS)?;
    SENTENCES
        .iter()
        .zip(found)
        .map(|(sentence, hits)| {
            let hits = picture_hits(&test.split, &hits, None)?;
            Ok(TextQuery { sentence: (*sentence).into(), hits, target: None })
        })
        .collect()
}

fn images(test: &Scored) -> Result<Vec<ImageQuery>> {
    let width = test.scores.captions();
    (0..test.scores.images())
        .step_by(IMAGE_STEP)
        .map(|image| {
            let row = &test.scores.scores()[image * width..(image + 1) * width];
            let hits = best(row.iter().copied())
                .into_iter()
                .map(|Hit { index, score }| CaptionHit {
                    caption: test.split.captions[index].clone(),
                    score,
                    correct: test.split.image_of_caption[index] == image,
                })
                .collect();
            Ok(ImageQuery {
                png: picture(&test.split.images[image].path)?,
                title: name_of(&test.split, image),
                hits,
            })
        })
        .collect()
}

/// The captions whose picture ranks lowest.
fn failures(test: &Scored) -> Result<Vec<TextQuery>> {
    let ranks = test.scores.text_to_image_ranks();
    let mut worst: Vec<usize> = (0..ranks.len()).collect();
    worst.sort_by_key(|caption| std::cmp::Reverse(ranks[*caption]));
    let width = test.scores.captions();
    worst
        .into_iter()
        .take(FAILURES)
        .map(|caption| {
            let column = test.scores.scores().iter().skip(caption).step_by(width);
            let image = test.split.image_of_caption[caption];
            Ok(TextQuery {
                sentence: test.split.captions[caption].clone(),
                hits: picture_hits(&test.split, &best(column.copied()), Some(image))?,
                target: Some(Target {
                    png: picture(&test.split.images[image].path)?,
                    caption: name_of(&test.split, image),
                    rank: ranks[caption] + 1,
                }),
            })
        })
        .collect()
}

fn picture_hits(split: &Split, hits: &[Hit], right: Option<usize>) -> Result<Vec<PictureHit>> {
    hits.iter()
        .map(|hit| {
            Ok(PictureHit {
                png: picture(&split.images[hit.index].path)?,
                caption: name_of(split, hit.index),
                score: hit.score,
                correct: right == Some(hit.index),
            })
        })
        .collect()
}

/// The first caption of an image: its name.
fn name_of(split: &Split, image: usize) -> String {
    let caption = split.image_of_caption.iter().position(|of| *of == image);
    caption.map_or_else(String::new, |at| split.captions[at].clone())
}

/// The best few of all scores.
fn best(scores: impl Iterator<Item = f32>) -> Vec<Hit> {
    let mut top = TopK::new(HITS);
    scores.enumerate().for_each(|(index, score)| top.push(Hit { index, score }));
    top.into_hits()
}
