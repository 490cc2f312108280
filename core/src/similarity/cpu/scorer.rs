//! Exact scores of a few stored embeddings at a time.

use super::panel::Panels;
use crate::similarity::Stored;
use crate::similarity::blocks::all_finite;
use crate::{Error, Result};

/// A panel that is filled again and again, and its scratch memory.
pub(super) struct Scorer<'a> {
    lanes: &'a Panels,
    stored: Stored<'a>,
    /// Rows that the panel holds.
    rows: Vec<usize>,
    panel: Vec<f32>,
    buffer: Vec<f32>,
    gathered: Vec<f32>,
    dots: Vec<f32>,
    scores: Vec<f32>,
}

impl<'a> Scorer<'a> {
    pub fn new(lanes: &'a Panels, stored: Stored<'a>) -> Self {
        Self {
            lanes,
            stored,
            rows: Vec::new(),
            panel: vec![0.0; lanes.size()],
            buffer: Vec::new(),
            gathered: Vec::new(),
            dots: Vec::new(),
            scores: vec![0.0; lanes.items],
        }
    }

    /// Fills the panel with consecutive rows, from 1 to [`Panels::items`].
    pub fn pack_range(&mut self, first: usize, count: usize) {
        let size = self.lanes.shape.size();
        let values = self.stored.read(first * size, count * size, &mut self.buffer);
        let item = |item: usize| &values[item * size..][..size];
        let next = (first + count) * size;
        let ahead = self.stored.bytes(next..(next + count * size).min(self.stored.len()));
        self.lanes.pack_ahead(count, item, &mut self.panel, ahead);
        self.rows.clear();
        self.rows.extend(first..first + count);
    }

    /// Fills the panel with any rows, from 1 to [`Panels::items`].
    pub fn pack(&mut self, rows: impl Iterator<Item = usize>) {
        let size = self.lanes.shape.size();
        self.rows.clear();
        self.rows.extend(rows);
        if let Stored::F32(values) = self.stored {
            let item = |item: usize| &values[self.rows[item] * size..][..size];
            return self.lanes.pack(self.rows.len(), item, &mut self.panel);
        }
        self.gathered.clear();
        for row in &self.rows {
            let values = self.stored.read(row * size, size, &mut self.buffer);
            self.gathered.extend_from_slice(values);
        }
        let item = |item: usize| &self.gathered[item * size..][..size];
        self.lanes.pack(self.rows.len(), item, &mut self.panel);
    }

    /// Scores of what was packed last with `other`, an embedding of the other side.
    ///
    /// # Errors
    /// [`Error::Shape`] when a packed number is not finite: a memory-mapped file may hold
    /// anything.
    pub fn scores(&mut self, other: &[f32]) -> Result<&[f32]> {
        let scores = &mut self.scores[..self.rows.len()];
        self.lanes.scores(other, &self.panel, &mut self.dots, scores);
        // Every product of a block with such a number is infinite or NaN, and so is the best
        // of them.
        if !all_finite(&self.dots) {
            self.find_bad_number()?;
        }
        Ok(&self.scores[..self.rows.len()])
    }

    #[cold]
    fn find_bad_number(&mut self) -> Result<()> {
        let size = self.lanes.shape.size();
        for row in &self.rows {
            let values = self.stored.read(row * size, size, &mut self.buffer);
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(Error::Shape(format!("embedding {row}: a number is {value}")));
            }
        }
        Ok(())
    }
}
