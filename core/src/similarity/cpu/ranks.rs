//! Ranks of the right answers in both directions, without the matrix.

use std::sync::atomic::{AtomicU32, Ordering};

use super::matrix::{pack_all, same_width};
use super::panel::{Panels, Side};
use super::scorer::Scorer;
use super::words::{Estimates, WordPanels, WordRows};
use super::{Engine, parallel};
use crate::metrics::{Recall, RetrievalMetrics, check_pairs};
use crate::similarity::{Blocks, Stored};
use crate::{Error, Result};

/// Images that one task takes through all captions.
const IMAGES: usize = 16;

/// 0-based ranks of the best placed right answer of each query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranks {
    /// One an image: the rank of the best placed of its captions.
    pub image_to_text: Vec<usize>,
    /// One a caption: the rank of its image.
    pub text_to_image: Vec<usize>,
}

impl Ranks {
    /// Recall and ranks in both directions.
    pub fn evaluate(&self) -> RetrievalMetrics {
        RetrievalMetrics::new(
            Recall::from_ranks(&self.image_to_text),
            Recall::from_ranks(&self.text_to_image),
        )
    }
}

impl Engine {
    /// The ranks that a [`ScoreMatrix`](crate::metrics::ScoreMatrix) of
    /// [`score_matrix`](Engine::score_matrix) has, computed without it: memory grows with
    /// images plus captions. Caption `j` describes image `image_of_caption[j]`.
    ///
    /// Where the machine multiplies integers faster, a quantised pass decides all pairs
    /// whose approximate score is farther from the right answer's than its error bound, and
    /// only the others are scored in f32.
    ///
    /// # Errors
    /// [`Error::Shape`] when the sizes do not fit, an image has no caption, or the exact
    /// score of a pair that is looked at is not a number.
    pub fn ranks_exact(
        &self,
        images: Blocks<'_>,
        captions: Blocks<'_>,
        image_of_caption: &[usize],
    ) -> Result<Ranks> {
        same_width(images, captions)?;
        if captions.rows() != image_of_caption.len() {
            return Err(Error::Shape(format!(
                "{} captions of which {} have an image",
                captions.rows(),
                image_of_caption.len()
            )));
        }
        check_pairs(images.rows(), image_of_caption)?;
        let lanes = Panels::new(self.kernels, Side::Captions, captions.shape());
        let targets = Targets::new(&lanes, images, captions, image_of_caption)?;
        let work = Work { lanes, images, captions, targets };
        let words = WordPanels::new(&work.lanes, captions);
        let tasks = images.rows().div_ceil(IMAGES);
        let image_ranks = match &words {
            Some(words) => parallel::map(tasks, |task| work.bounded(task, words)),
            None => {
                let packed = pack_all(&work.lanes, captions);
                parallel::map(tasks, |task| work.plain(task, &packed))
            }
        };
        let mut image_to_text = Vec::with_capacity(images.rows());
        for ranks in image_ranks {
            image_to_text.extend(ranks?);
        }
        let text_to_image = work.targets.ahead.into_iter();
        let text_to_image = text_to_image.map(|rank| rank.into_inner() as usize).collect();
        Ok(Ranks { image_to_text, text_to_image })
    }
}

/// What every score is compared with.
struct Targets<'a> {
    image_of_caption: &'a [usize],
    /// Each caption's exact score with its own image.
    own: Vec<f32>,
    /// Each image's best own caption, of equal ones the first.
    best: Vec<usize>,
    /// How many images are placed before a caption's own.
    ahead: Vec<AtomicU32>,
}

impl<'a> Targets<'a> {
    fn new(
        lanes: &Panels,
        images: Blocks<'_>,
        captions: Blocks<'_>,
        image_of_caption: &'a [usize],
    ) -> Result<Self> {
        let mut captions_of = vec![Vec::new(); images.rows()];
        for (caption, &image) in image_of_caption.iter().enumerate() {
            captions_of[image].push(caption);
        }
        let tasks = images.rows().div_ceil(IMAGES);
        let scored = parallel::map(tasks, |task| {
            let mut scorer = Scorer::new(lanes, Stored::F32(captions.values()));
            let mut scored = Vec::new();
            let of_task = captions_of.iter().enumerate().skip(task * IMAGES).take(IMAGES);
            for (image, own) in of_task {
                for some in own.chunks(lanes.items) {
                    let scores = exact(&mut scorer, images, image, some)?;
                    scored.extend(some.iter().copied().zip(scores.iter().copied()));
                }
            }
            Ok(scored)
        });
        let mut own = vec![0.0; captions.rows()];
        for part in scored {
            for (caption, score) in part? {
                own[caption] = score;
            }
        }
        let first_best = |of: &Vec<usize>| {
            of.iter().copied().reduce(|a, b| if own[b] > own[a] { b } else { a }).unwrap_or(0)
        };
        let best = captions_of.iter().map(first_best).collect();
        let ahead = (0..captions.rows()).map(|_| AtomicU32::new(0)).collect();
        Ok(Self { image_of_caption, own, best, ahead })
    }

    /// Takes an exact score into account; tells whether the caption is placed before the
    /// image's best own one.
    fn see(&self, image: usize, caption: usize, score: f32) -> bool {
        let (own, own_image) = (self.own[caption], self.image_of_caption[caption]);
        if score > own || (score == own && image < own_image) {
            self.ahead[caption].fetch_add(1, Ordering::Relaxed);
        }
        let best = self.best[image];
        score > self.own[best] || (score == self.own[best] && caption < best)
    }
}

/// Exact scores of an image with at most a panel of captions.
fn exact<'s>(
    scorer: &'s mut Scorer<'_>,
    images: Blocks<'_>,
    image: usize,
    captions: &[usize],
) -> Result<&'s [f32]> {
    scorer.pack(captions.iter().copied());
    let scores = scorer.scores(images.row(image))?;
    captions.iter().zip(scores).try_for_each(|(&caption, &score)| check(image, caption, score))?;
    Ok(scores)
}

fn check(image: usize, caption: usize, score: f32) -> Result<()> {
    if score.is_nan() {
        return Err(Error::Shape(format!(
            "the score of image {image} and caption {caption} is not a number"
        )));
    }
    Ok(())
}

/// What bounds say about the captions of a group.
#[derive(Default)]
struct Verdicts {
    /// How many of the images seen are placed before each caption's own.
    ahead: Vec<u32>,
    /// 1 where the last image could not be judged.
    open: Vec<u32>,
}

impl Verdicts {
    fn start(&mut self, captions: usize) {
        for counts in [&mut self.ahead, &mut self.open] {
            counts.clear();
            counts.resize(captions, 0);
        }
    }

    /// Compares an image's scores with those of each caption with its own image and of the
    /// image with its best own caption. Returns how many captions are placed before the
    /// latter.
    fn judge(&mut self, estimates: &Estimates, own: &[f32], best_own: f32) -> usize {
        let estimates = estimates.scores.iter().zip(&estimates.errors);
        let verdicts = self.ahead.iter_mut().zip(&mut self.open);
        let mut before_best = 0u32;
        // Without branches, for the sake of vector registers.
        for (((score, error), own), (ahead, open)) in estimates.zip(own).zip(verdicts) {
            let (lower, upper) = (score - error, score + error);
            // Bounds that are no numbers decide nothing.
            let (above_own, above_best) = (lower > *own, lower > best_own);
            let judged = (above_own | (upper < *own)) & (above_best | (upper < best_own));
            *ahead += u32::from(above_own & judged);
            before_best += u32::from(above_best & judged);
            *open = u32::from(!judged);
        }
        before_best as usize
    }
}

struct Work<'a> {
    lanes: Panels,
    images: Blocks<'a>,
    captions: Blocks<'a>,
    targets: Targets<'a>,
}

impl Work<'_> {
    fn task_images(&self, task: usize) -> std::ops::Range<usize> {
        task * IMAGES..self.images.rows().min((task + 1) * IMAGES)
    }

    fn panel_captions(&self, panel: usize) -> std::ops::Range<usize> {
        panel * self.lanes.items..self.captions.rows().min((panel + 1) * self.lanes.items)
    }

    /// Image ranks of a task; every pair is scored in f32.
    fn plain(&self, task: usize, packed: &[f32]) -> Result<Vec<usize>> {
        let images = self.task_images(task);
        let mut ranks = vec![0; images.len()];
        let mut dots = Vec::new();
        let mut scores = vec![0.0; self.lanes.items];
        for (at, panel) in packed.chunks_exact(self.lanes.size()).enumerate() {
            let captions = self.panel_captions(at);
            for (image, rank) in images.clone().zip(&mut ranks) {
                let scores = &mut scores[..captions.len()];
                self.lanes.scores(self.images.row(image), panel, &mut dots, scores);
                for (caption, &score) in captions.clone().zip(scores.iter()) {
                    check(image, caption, score)?;
                    *rank += usize::from(self.targets.see(image, caption, score));
                }
            }
        }
        Ok(ranks)
    }

    /// Image ranks of a task; pairs are scored in f32 where the bound cannot decide.
    fn bounded(&self, task: usize, words: &WordPanels) -> Result<Vec<usize>> {
        let images = self.task_images(task);
        let rows = WordRows::new(self.lanes.kernels, self.images.slice(images.clone()));
        let mut ranks = vec![0; images.len()];
        let mut undecided: Vec<Vec<usize>> = vec![Vec::new(); images.len()];
        let mut scorer = Scorer::new(&self.lanes, Stored::F32(self.captions.values()));
        let (mut best, mut estimates) = (Vec::new(), Estimates::default());
        let mut verdicts = Verdicts::default();
        for group in &words.groups {
            let own = &self.targets.own[group.captions.clone()];
            verdicts.start(own.len());
            group.multiply(&rows, &mut best);
            for (at, image) in images.clone().enumerate() {
                group.estimate(&rows, at, &mut best, &mut estimates);
                let best_own = self.targets.own[self.targets.best[image]];
                ranks[at] += verdicts.judge(&estimates, own, best_own);
                let open = group.captions.clone().zip(&verdicts.open);
                let open = open.filter(|(_, open)| **open != 0).map(|(caption, _)| caption);
                undecided[at].extend(open);
                // A panel's worth at a time, so that every lane is used.
                while undecided[at].len() >= self.lanes.items {
                    let rest = undecided[at].len() - self.lanes.items;
                    ranks[at] += self.decide(&mut scorer, image, &undecided[at][rest..])?;
                    undecided[at].truncate(rest);
                }
            }
            for (caption, &ahead) in group.captions.clone().zip(&verdicts.ahead) {
                self.targets.ahead[caption].fetch_add(ahead, Ordering::Relaxed);
            }
        }
        for ((image, undecided), rank) in images.zip(&undecided).zip(&mut ranks) {
            *rank += self.decide(&mut scorer, image, undecided)?;
        }
        Ok(ranks)
    }

    /// Scores some captions exactly; tells how many are placed before the image's best own.
    fn decide(&self, scorer: &mut Scorer<'_>, image: usize, captions: &[usize]) -> Result<usize> {
        if captions.is_empty() {
            return Ok(0);
        }
        let scores = exact(scorer, self.images, image, captions)?;
        let seen = captions.iter().zip(scores);
        Ok(seen.filter(|&(&caption, &score)| self.targets.see(image, caption, score)).count())
    }
}
