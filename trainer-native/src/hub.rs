//! Models by name: local folders first, then the Hugging Face hub.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use avse_core::weights::{HUGGING_FACE_FILES, shards};
use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use crate::{Error, Result};

mod access;

/// A model's files: for each entry one of the alternatives, the first that
/// there is.
pub type Files<'a> = &'a [&'a [&'a str]];

/// What the name of an index of weight files ends with.
const INDEX: &str = ".index.json";

/// What a backbone needs. An index of weight files stands for the files that it lists.
pub const BACKBONE: Files<'static> = &[&["config.json"], &HUGGING_FACE_FILES];
/// What a tokenizer needs.
pub const TOKENIZER: Files<'static> = &[&["tokenizer.json", "vocab.txt"]];

/// The hub and its cache on this machine.
#[derive(Debug, Clone, Default)]
pub struct Hub {
    /// The hub's address; without one, `HF_ENDPOINT` or the public hub.
    pub endpoint: Option<String>,
    /// The cache folder; without one, `HF_HOME` or the usual place, which other
    /// Hugging Face programs share.
    pub cache: Option<PathBuf>,
}

impl Hub {
    /// The folder that holds `files` of the model called `name`: `name` itself
    /// if that is a folder, else the hub's model in the cache, where whatever is
    /// not there yet is downloaded to (with a progress bar in a terminal).
    ///
    /// # Errors
    /// [`Error::Usage`] saying which file, folder or model there is not, or that
    /// the hub cannot be reached, and how to do without.
    pub fn resolve(&self, name: &str, files: Files<'_>) -> Result<PathBuf> {
        let local = Path::new(name);
        if local.is_dir() {
            let missing = files.iter().find(|any| !any.iter().any(|f| local.join(f).is_file()));
            return match missing {
                Some(any) => Err(usage(format!("{name}: the folder has no {}", either(any)))),
                None => Ok(local.to_path_buf()),
            };
        }
        if looks_like_a_path(name) {
            return Err(usage(format!("{name}: there is no such file or folder")));
        }
        self.fetch(&with_owner(name), files)
    }

    fn fetch(&self, name: &str, files: Files<'_>) -> Result<PathBuf> {
        let repo = Repo::new(name.to_string(), RepoType::Model);
        let cache = self.cache.clone().map_or_else(Cache::from_env, Cache::new);
        if let Some(folder) = cached(&cache.repo(repo.clone()), files) {
            return Ok(folder);
        }
        let token = access::token(&cache)?;
        let failed = |error: ApiError| access::failure(name, files, token.is_some(), &error);
        let mut builder = ApiBuilder::from_env()
            .with_progress(std::io::stderr().is_terminal())
            .with_token(token.clone())
            .with_endpoint(self.endpoint.clone().unwrap_or_else(access::endpoint));
        if let Some(folder) = &self.cache {
            builder = builder.with_cache_dir(folder.clone());
        }
        let api = builder.build().map_err(failed)?.repo(repo.clone());
        let listed: Vec<_> =
            api.info().map_err(failed)?.siblings.into_iter().map(|file| file.rfilename).collect();
        let mut wanted = Vec::with_capacity(files.len());
        for any in files {
            let found = any.iter().find(|file| listed.iter().any(|name| name == *file));
            wanted.push(
                found.ok_or_else(|| {
                    usage(format!("model {name} has no {} on the hub", either(any)))
                })?,
            );
        }
        // Twice: what was cached before may be of an older revision than what
        // the first round fetches.
        for _ in 0..2 {
            for file in &wanted {
                let path = api.get(file).map_err(failed)?;
                for shard in listed_in(&path)? {
                    api.get(&shard).map_err(failed)?;
                }
            }
            if let Some(folder) = cached(&cache.repo(repo.clone()), files) {
                return Ok(folder);
            }
        }
        Err(usage(format!("model {name} is incomplete in {}", cache.path().display())))
    }
}

/// The folder of the cached revision, if it has all files.
fn cached(repo: &CacheRepo, files: Files<'_>) -> Option<PathBuf> {
    let mut folder = None;
    for any in files {
        let file = any.iter().find_map(|file| repo.get(file))?;
        // An index that cannot be read is fetched again.
        let shards = listed_in(&file).ok()?;
        if !shards.iter().all(|shard| repo.get(shard).is_some()) {
            return None;
        }
        folder = file.parent().map(Path::to_path_buf);
    }
    folder
}

/// Alternatives in words; an index of parts is another form of the file before it.
fn either(any: &[&str]) -> String {
    let whole = any.iter().filter(|file| !file.ends_with(INDEX)).copied();
    whole.collect::<Vec<_>>().join(" or ")
}

/// The files that an index lists; none for any other file.
fn listed_in(file: &Path) -> Result<Vec<String>> {
    if file.to_string_lossy().ends_with(INDEX) { Ok(shards(file)?) } else { Ok(Vec::new()) }
}

/// Names without an owner, as the official commands use them, mean the
/// owner who published them first.
fn with_owner(name: &str) -> String {
    let owner = match name.split('-').next() {
        _ if name.contains('/') => return name.to_string(),
        Some("vit") => "google",
        Some("swin" | "swinv2") => "microsoft",
        Some("bert") => "google-bert",
        _ => return name.to_string(),
    };
    format!("{owner}/{name}")
}

/// Whether `name` can only be meant as a folder: hub names are `name` or `owner/name`.
fn looks_like_a_path(name: &str) -> bool {
    let odd = |part: &str| part.is_empty() || part.starts_with('.');
    name.contains('\\')
        || name.starts_with('~')
        || name.split('/').count() > 2
        || name.split('/').any(odd)
}

fn usage(message: String) -> Error {
    Error::Usage(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_of_short_names() {
        assert_eq!(with_owner("vit-base-patch16-384"), "google/vit-base-patch16-384");
        let swin = "swin-base-patch4-window7-224";
        assert_eq!(with_owner(swin), format!("microsoft/{swin}"));
        assert_eq!(with_owner("bert-base-uncased"), "google-bert/bert-base-uncased");
        assert_eq!(with_owner("facebook/deit-base"), "facebook/deit-base");
    }

    #[test]
    fn paths_are_told_from_names() {
        for path in ["./bert", "../models/bert", "/srv/bert", "a/b/c", "bert/", "~/bert"] {
            assert!(looks_like_a_path(path), "{path}");
        }
        for name in ["bert-base-uncased", "google/vit-base-patch16-224.v2"] {
            assert!(!looks_like_a_path(name), "{name}");
        }
    }
}
