//! Asking a gallery.

use super::collection::Gallery;
use super::item::Item;
use super::manifest::GalleryKind;
use crate::Result;
use crate::similarity::{Blocks, Direction, Hit, cpu};

/// A row that a query found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its row.
    pub index: usize,
    /// The similarity: the higher the better.
    pub score: f32,
    /// What it is.
    pub item: Item,
}

impl Gallery {
    /// The best `limit` rows for each query, best first, ties by row. `asked` is what the queries
    /// are of; unit blocks give scores that are sums of cosines.
    ///
    /// | queries | gallery | score: the sum over ... of the best ... |
    /// |---|---|---|
    /// | captions | images | the caption's blocks, image block |
    /// | images | captions | the caption's blocks, image block (the same score) |
    /// | images | images | the query's blocks, block of the row |
    /// | captions | captions | the query's blocks, block of the row |
    ///
    /// The last two are none of the paper's: what a row must have to score high is a good match
    /// for everything that the query shows or says, whatever else it has itself. An item finds
    /// itself with the number of its blocks.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) when the queries' blocks are not as wide as the
    /// gallery's; [`Error::Format`](crate::Error::Format) for a line of `items.jsonl` that is no item.
    pub fn search(
        &self,
        asked: GalleryKind,
        queries: Blocks<'_>,
        limit: usize,
    ) -> Result<Vec<Vec<Found>>> {
        let hits = self.rank(asked, queries, limit)?;
        let found = |hit: Hit| {
            let item = self.items().get(hit.index)?;
            Ok(Found { index: hit.index, score: hit.score, item })
        };
        hits.into_iter().map(|hits| hits.into_iter().map(found).collect()).collect()
    }

    /// As [`Gallery::search`], rows and scores only.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) as there.
    pub fn rank(
        &self,
        asked: GalleryKind,
        queries: Blocks<'_>,
        limit: usize,
    ) -> Result<Vec<Vec<Hit>>> {
        cpu::search(queries, &self.view()?, self.direction(asked), limit.min(self.len()))
    }

    /// Whose blocks are summed over, and whose best is taken: see [`Gallery::search`].
    pub fn direction(&self, asked: GalleryKind) -> Direction {
        match (asked, self.spec().kind) {
            (GalleryKind::Images, GalleryKind::Captions) => Direction::CaptionsForImage,
            _ => Direction::ImagesForCaption,
        }
    }
}
