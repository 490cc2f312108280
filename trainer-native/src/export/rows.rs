//! What goes into an export, before anything is encoded.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use avse_core::gallery::{ContentHash, Gallery, GalleryKind, Item, Source};
use avse_core::input::encoding;
use serde_json::{Map, Value};

use super::options::{CaptionSource, PictureSource};
use crate::data::emoji::{self, data_folder};
use crate::data::{Dataset, DatasetSpec, picture};
use crate::demo::DRAWING_SIZE;
use crate::gallery::{Problem, UnreadFormat, list, open, picture_path, slashes};
use crate::{Error, Result};

/// A picture that is to be found.
#[derive(Clone, Debug)]
pub(super) struct PictureRow {
    /// What a page is told of it.
    pub(super) item: Item,
    /// Its file, where it can be reached.
    pub(super) file: Option<PathBuf>,
}

/// A caption that is to be found.
#[derive(Clone, Debug)]
pub(super) struct CaptionRow {
    pub(super) item: Item,
    /// The row of its picture, in a dataset.
    pub(super) picture: Option<usize>,
}

/// The captions of a dataset's split.
#[derive(Debug)]
pub(super) struct DatasetCaptions {
    pub(super) name: String,
    /// Where its text files are.
    pub(super) folder: PathBuf,
    pub(super) rows: Vec<CaptionRow>,
}

/// Pictures, and what came with them.
#[derive(Debug, Default)]
pub(super) struct Collection {
    pub(super) pictures: Vec<PictureRow>,
    pub(super) problems: Vec<Problem>,
    pub(super) unread_formats: Vec<UnreadFormat>,
    /// The gallery that they are from.
    pub(super) embedded: Option<Gallery>,
    pub(super) dataset: Option<DatasetCaptions>,
}

impl Collection {
    /// Lists the pictures of a source; makes the emoji set if it is not there.
    ///
    /// # Errors
    /// Whatever is wrong with the source; [`Error::Usage`] when it has no picture.
    pub(super) fn read(source: &PictureSource) -> Result<Self> {
        let (mut collection, place) = match source {
            PictureSource::Emoji => {
                let out = data_folder()?.join("emoji");
                let built = emoji::build(&emoji::Options { out, size: DRAWING_SIZE, seed: 0 })?;
                let data_path = built.folder.clone();
                let spec = DatasetSpec { name: "emoji".into(), data_path, images: None };
                (dataset(&spec, None)?, built.folder)
            }
            PictureSource::Folder(path) => (folder(path)?, path.clone()),
            PictureSource::Dataset { spec, split } => {
                (dataset(spec, split.as_deref())?, spec.data_path.clone())
            }
            PictureSource::Gallery(path) => (gallery(path)?, path.clone()),
        };
        if collection.pictures.is_empty() {
            let skipped: String =
                collection.unread_formats.iter().map(|skipped| format!("; {skipped}")).collect();
            return Err(Error::Usage(format!("no pictures in {}{skipped}", place.display())));
        }
        make_unique(&mut collection.pictures);
        Ok(collection)
    }

    /// The captions of a source; `None` for none.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub(super) fn captions(&self, source: &CaptionSource) -> Result<Option<Vec<CaptionRow>>> {
        match source {
            CaptionSource::None => Ok(None),
            CaptionSource::Dataset => match &self.dataset {
                Some(dataset) => Ok(Some(dataset.rows.clone())),
                None => Err(Error::Usage(
                    "--captions dataset: the pictures are from no dataset, give a file or a gallery"
                        .into(),
                )),
            },
            CaptionSource::File(path) => lines(path).map(Some),
            CaptionSource::Gallery(path) => sentences(path).map(Some),
        }
    }

    /// Pictures whose file is not there.
    pub(super) fn unreachable(&self) -> usize {
        self.pictures.iter().filter(|row| row.file.is_none()).count()
    }
}

/// The captions themselves.
pub(super) fn texts(rows: &[CaptionRow]) -> Vec<&str> {
    rows.iter().map(|row| row.item.caption.as_deref().unwrap_or_default()).collect()
}

fn folder(path: &Path) -> Result<Collection> {
    if path.is_file() {
        return Err(Error::format(path, "is a file, not a folder of pictures"));
    }
    let text = path.to_str().ok_or_else(|| Error::format(path, "its path is not UTF-8"))?;
    let source = [Source::Folder { path: text.to_string() }];
    let listing = list(&source[0], GalleryKind::Images)?;
    let row = |item: Item| PictureRow { file: picture_path(&item, &source), item: public(item) };
    let pictures = listing.entries.iter().map(|entry| row(entry.item(0))).collect();
    let (problems, unread_formats) = (listing.problems, listing.unread_formats);
    Ok(Collection { pictures, problems, unread_formats, ..Collection::default() })
}

fn dataset(spec: &DatasetSpec, split: Option<&str>) -> Result<Collection> {
    let dataset = Dataset::open_skipping(spec)?;
    let split = split.unwrap_or(dataset.known.test);
    let problems = dataset.broken_in(Some(split)).chain(dataset.broken_in(None)).cloned().collect();
    let split = dataset.split(split)?;
    let mut first: Vec<Option<String>> = vec![None; split.images.len()];
    let captions = split.captions.iter().zip(&split.image_of_caption).enumerate();
    let rows = captions.map(|(at, (caption, image))| {
        first[*image].get_or_insert_with(|| caption.clone());
        let mut metadata: Map<String, Value> =
            Map::from_iter([("image".to_string(), split.images[*image].id.clone().into())]);
        if let Some(kinds) = &split.kinds {
            metadata.insert("kind".into(), kinds[at].clone().into());
        }
        CaptionRow { item: sentence(at + 1, caption, metadata), picture: Some(*image) }
    });
    let rows = rows.collect();
    let picture = |(image, caption): (&crate::data::ImageEntry, Option<String>)| {
        let path = slashes(image.path.strip_prefix(&dataset.images).unwrap_or(&image.path));
        let item = Item { key: image.id.clone(), path, caption, ..Item::default() };
        PictureRow { item: public(item), file: Some(image.path.clone()) }
    };
    let pictures = split.images.iter().zip(first).map(picture).collect();
    let (name, folder) = (dataset.known.name.to_string(), dataset.folder);
    let dataset = Some(DatasetCaptions { name, folder, rows });
    Ok(Collection { pictures, problems, dataset, ..Collection::default() })
}

fn gallery(folder: &Path) -> Result<Collection> {
    let gallery = open(folder)?;
    if gallery.spec().kind != GalleryKind::Images {
        return Err(Error::format(folder, "is a gallery of captions: give it with --captions"));
    }
    let row = |item: avse_core::Result<Item>| {
        let item = item?;
        // A relative path without a source would be looked for wherever this program runs.
        let rooted = item.source < gallery.sources().len()
            || item.path.as_deref().is_some_and(|path| Path::new(path).is_absolute());
        let file = picture_path(&item, gallery.sources())
            .filter(|file| rooted && picture::stat(file).is_ok());
        Ok(PictureRow { item: public(item), file })
    };
    let pictures = gallery.items().iter().map(row).collect::<Result<_>>()?;
    Ok(Collection { pictures, embedded: Some(gallery), ..Collection::default() })
}

/// A caption a line; lines of white space are passed over.
fn lines(path: &Path) -> Result<Vec<CaptionRow>> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let text = encoding::unmarked(&bytes).map_err(|message| Error::format(path, message))?;
    let mut rows = Vec::new();
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = std::str::from_utf8(line)
            .map_err(|_| Error::format(path, format!("line {}: not UTF-8", at + 1)))?
            .trim();
        if !line.is_empty() {
            rows.push(CaptionRow { item: sentence(at + 1, line, Map::new()), picture: None });
        }
    }
    if rows.is_empty() { Err(Error::format(path, "has no captions")) } else { Ok(rows) }
}

/// The captions of an existing gallery.
fn sentences(folder: &Path) -> Result<Vec<CaptionRow>> {
    let gallery = open(folder)?;
    if gallery.spec().kind != GalleryKind::Captions {
        return Err(Error::format(folder, "is a gallery of pictures: give it with --gallery"));
    }
    let row = |(at, item): (usize, avse_core::Result<Item>)| {
        let item = public(item?);
        if item.caption.is_none() {
            return Err(Error::format(folder, format!("row {at} has no caption")));
        }
        Ok(CaptionRow { item, picture: None })
    };
    gallery.items().iter().enumerate().map(row).collect()
}

fn sentence(key: usize, text: &str, metadata: Map<String, Value>) -> Item {
    Item {
        key: key.to_string(),
        caption: Some(text.to_string()),
        sha256: ContentHash::of(text.as_bytes()),
        metadata,
        ..Item::default()
    }
}

/// The item without what is only of use on this machine, or says where it is on it.
fn public(item: Item) -> Item {
    let is_absolute = |text: &str| Path::new(text).is_absolute() || text.starts_with(['/', '\\']);
    let key = match is_absolute(&item.key) {
        true => relative(&item.key).unwrap_or_default(),
        false => item.key,
    };
    let path = item.path.as_deref().and_then(relative);
    Item { key, path, source: 0, bytes: None, modified: None, ..item }
}

/// A path that stays below its folder; of any other the file's name alone.
fn relative(path: &str) -> Option<String> {
    let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if Path::new(path).components().all(inside) {
        return Some(path.to_string());
    }
    Some(Path::new(path).file_name()?.to_str()?.to_string())
}

/// Numbers keys that stand there more than once: a gallery of several sources may have such.
fn make_unique(rows: &mut [PictureRow]) {
    let mut seen = HashSet::new();
    for row in rows {
        let key = row.item.key.clone();
        let mut number = 1;
        while !seen.insert(row.item.key.clone()) {
            number += 1;
            row.item.key = format!("{key} ({number})");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_say_nothing_of_the_machine() {
        let item = |key: &str, path: &str| Item {
            key: key.into(),
            path: Some(path.into()),
            source: 3,
            bytes: Some(9),
            modified: Some(7),
            ..Item::default()
        };
        let cleaned = public(item("/home/me/a.png", "/home/me/a.png"));
        let expected = Item { key: "a.png".into(), path: Some("a.png".into()), ..Item::default() };
        assert_eq!(cleaned, expected);
        let cleaned = public(item("cats/1.jpg", "cats/1.jpg"));
        assert_eq!(
            (cleaned.key.as_str(), cleaned.path.as_deref()),
            ("cats/1.jpg", Some("cats/1.jpg"))
        );
        assert_eq!(public(item("p1", "../other/b.png")).path.as_deref(), Some("b.png"));
        assert_eq!(public(item("p1", "..")).path, None);
    }

    #[test]
    fn keys_become_unique() {
        let row = |key: &str| PictureRow {
            item: Item { key: key.into(), ..Item::default() },
            file: None,
        };
        let mut rows = ["a", "a (2)", "a", "b", "a"].map(row);
        make_unique(&mut rows);
        let keys: Vec<_> = rows.iter().map(|row| row.item.key.as_str()).collect();
        assert_eq!(keys, ["a", "a (2)", "a (3)", "b", "a (4)"]);
    }

    #[test]
    fn captions_are_lines() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "\u{feff}a cat\r\n\n  a dog ").unwrap();
        let rows = lines(file.path()).unwrap();
        let found: Vec<_> =
            rows.iter().map(|row| (row.item.key.as_str(), row.item.caption.as_deref())).collect();
        assert_eq!(found, [("1", Some("a cat")), ("3", Some("a dog"))]);
        std::fs::write(file.path(), b"good\n\xff\n").unwrap();
        assert!(lines(file.path()).unwrap_err().to_string().contains("line 2: not UTF-8"));
        std::fs::write(file.path(), " \n").unwrap();
        assert!(lines(file.path()).unwrap_err().to_string().contains("no captions"));
    }
}
