//! What `avse eval` prints.

use std::path::{Path, PathBuf};

use avse_core::metrics::{PositiveMetrics, RetrievalMetrics};
use serde::Serialize;

use super::super::json::print_json;
use crate::Result;
use crate::report::{metrics_table, positives_table};
use crate::terminal::say;

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    pub dataset: &'a str,
    pub split: &'a str,
    /// The model, or the saved matrix; none for an ensemble.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<&'a Path>,
    pub images: usize,
    pub captions: usize,
    /// What could not be read, where the figures are not of the whole split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// Of an ensemble, those of the member that cuts most.
    pub truncated_captions: usize,
    /// Where images were looked at more often than usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_views: Option<usize>,
    #[serde(flatten)]
    pub figures: Figures,
    /// The models of an ensemble alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member<'a>>,
}

/// What the figures are without.
#[derive(Debug, Serialize)]
pub struct LeftOut {
    /// Images that could not be read.
    pub images: usize,
    /// Their captions.
    pub captions: usize,
    /// Records of the split, or of none, that cannot be used.
    pub records: usize,
    /// The file that lists them.
    pub list: Option<PathBuf>,
}

/// One model of an ensemble.
#[derive(Debug, Serialize)]
pub struct Member<'a> {
    pub model: &'a Path,
    pub truncated_captions: usize,
    #[serde(flatten)]
    pub figures: Figures,
}

/// The figures of one model, or of an ensemble.
#[derive(Debug, Serialize)]
pub struct Figures {
    pub sets: Vec<Set>,
    /// With `--positives`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positives: Option<PositiveMetrics>,
}

/// One protocol's figures.
#[derive(Debug, Serialize)]
pub struct Set {
    pub name: String,
    pub metrics: RetrievalMetrics,
}

impl Figures {
    /// The figures of each protocol that the split has: the whole, and for COCO's test also
    /// the mean over its folds.
    pub fn of_protocols(
        whole: RetrievalMetrics,
        folds: Option<usize>,
        mean_of: impl FnOnce(usize) -> Result<RetrievalMetrics>,
    ) -> Result<Self> {
        let mut sets = Vec::new();
        if let Some(folds) = folds {
            sets.push(Set { name: format!("{folds}-fold"), metrics: mean_of(folds)? });
        }
        sets.push(Set { name: "all".into(), metrics: whole });
        Ok(Self { sets, positives: None })
    }
}

impl Report<'_> {
    pub fn print(&self, json: bool) -> Result<()> {
        if json {
            return print_json(self);
        }
        say!("{} images, {} captions", self.images, self.captions)?;
        if let Some(LeftOut { images, captions, records, list }) = &self.left_out {
            let records = match records {
                0 => String::new(),
                records => format!(", and {records} records that cannot be used"),
            };
            let listed = list.as_ref().map(|list| format!("; listed in {}", list.display()));
            say!(
                "not measured: {images} images that could not be read, with their {captions} captions{records}{}",
                listed.unwrap_or_default()
            )?;
        }
        let mut sets = Vec::new();
        let mut positives = Vec::new();
        for (name, figures) in self.rows() {
            for set in &figures.sets {
                let name = format!("{name} {}", set.name);
                sets.push((name.trim_start().to_owned(), &set.metrics));
            }
            let name = if name.is_empty() { "all" } else { name };
            positives.extend(figures.positives.as_ref().map(|figures| (name, figures)));
        }
        let sets: Vec<_> = sets.iter().map(|(name, set)| (name.as_str(), *set)).collect();
        say!("{}", metrics_table(&sets))?;
        if !positives.is_empty() {
            say!("{}", positives_table(&positives))?;
        }
        if self.truncated_captions > 0 {
            say!("{} captions were cut to the network's positions", self.truncated_captions)?;
        }
        Ok(())
    }

    /// Every model's figures by its name, the ensemble's last; a single model needs no name.
    fn rows(&self) -> impl Iterator<Item = (&str, &Figures)> {
        let members = self
            .members
            .iter()
            .map(|member| (member.model.to_str().unwrap_or("a model"), &member.figures));
        let whole = if self.members.is_empty() { "" } else { "ensemble" };
        members.chain([(whole, &self.figures)])
    }
}
