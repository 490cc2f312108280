//! What `avse eval` prints.

use std::path::Path;

use avse_core::metrics::{PositiveMetrics, RetrievalMetrics};
use serde::Serialize;

use crate::report::{metrics_table, positives_table};
use crate::{Error, Result};

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
            let text = serde_json::to_string_pretty(self)
                .map_err(|e| Error::Usage(format!("results: {e}")))?;
            println!("{text}");
            return Ok(());
        }
        println!("{} images, {} captions", self.images, self.captions);
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
        println!("{}", metrics_table(&sets));
        if !positives.is_empty() {
            println!("{}", positives_table(&positives));
        }
        if self.truncated_captions > 0 {
            println!("{} captions were cut to the network's positions", self.truncated_captions);
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
