//! Writing a gallery.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::publish::{publish, staged, tidy};
use super::spool::{self, Spool};
use crate::gallery::collection::Gallery;
use crate::gallery::content_hash::ContentHash;
use crate::gallery::item::Item;
use crate::gallery::layout;
use crate::gallery::manifest::{EMBEDDINGS, GalleryManifest, GallerySpec, ITEMS, MANIFEST, Source};
use crate::similarity::Blocks;
use crate::weights::FileEntry;
use crate::weights::file_entry::Hashing;
use crate::{Error, Result};

/// Held locked while a gallery is written; the lock goes with the process.
const LOCK: &str = ".lock";

/// Where an embedding of a new generation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// A row of the generation before.
    Kept(usize),
    /// The n-th of the embeddings pushed since, those that a killed writer left included.
    Added(usize),
}

/// The one writer of a gallery: takes embeddings, then replaces the gallery at once.
///
/// Embeddings go to disk as they come, so memory does not grow with the gallery. Until
/// [`GalleryWriter::commit`] the gallery is the old one.
pub struct GalleryWriter {
    folder: PathBuf,
    spec: GallerySpec,
    current: Option<Gallery>,
    generation: u64,
    spool: Spool,
    /// Unlocked when closed.
    _lock: File,
}

impl GalleryWriter {
    /// Opens a folder for writing, makes it if it is not there, and finishes or undoes what a
    /// killed writer left. With `replace` a gallery in it that does not fit, is damaged or has lost
    /// its manifest, counts as none.
    ///
    /// # Errors
    /// [`Error::Io`] when another program writes to it, or the folder holds other things
    /// than a gallery; without `replace` [`Error::Format`] when a gallery is there whose
    /// spec is another one, or that is damaged.
    pub fn open(folder: impl AsRef<Path>, spec: GallerySpec, replace: bool) -> Result<Self> {
        let folder = folder.as_ref().to_path_buf();
        spec.shape.validate()?;
        refuse_foreign(&folder, replace)?;
        fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, e))?;
        let lock = lock(&folder)?;
        let path = folder.join(MANIFEST);
        let found = if path.exists() {
            existing(&folder, &spec, replace)
        } else {
            tidy(&folder).map(|()| None)
        };
        let (current, generation) = match found {
            Ok(current) => {
                let generation = current.as_ref().map_or(0, |g| g.manifest().generation);
                (current, generation)
            }
            Err(_) if replace => (None, generation_of(&path).unwrap_or(0)),
            Err(error) => return Err(error),
        };
        let spool = Spool::open(&folder, &spec)?;
        Ok(Self { folder, spec, current, generation, spool, _lock: lock })
    }

    /// The gallery as it is, if there is one.
    pub fn current(&self) -> Option<&Gallery> {
        self.current.as_ref()
    }

    /// The contents of the embeddings pushed so far: [`Row::Added`] counts in this order. A
    /// writer that was killed may have left some.
    pub fn added(&self) -> &[ContentHash] {
        self.spool.contents()
    }

    /// Hashes the files of the gallery as it is, whatever their size: [`GalleryWriter::commit`] does so too, but at
    /// the end of long work.
    ///
    /// # Errors
    /// [`Error::Format`] when they are no longer what they were; [`Error::Io`].
    pub fn verify(&self) -> Result<()> {
        if self.current.is_some() {
            Gallery::open_verified(&self.folder)?;
        }
        Ok(())
    }

    /// Takes embeddings; `contents[i]` is the hash of what `blocks[i]` was made from.
    ///
    /// # Errors
    /// [`Error::Shape`] when they are not of the spec's shape, not as many as the contents, or
    /// hold a number too large for the precision; [`Error::Io`].
    pub fn push(&mut self, blocks: Blocks<'_>, contents: &[ContentHash]) -> Result<()> {
        if blocks.shape() != self.spec.shape || blocks.rows() != contents.len() {
            let message = format!(
                "{} embeddings of {:?} for {} contents of {:?}",
                blocks.rows(),
                blocks.shape(),
                contents.len(),
                self.spec.shape
            );
            return Err(Error::Shape(message));
        }
        self.spool.push(&layout::encode(blocks, self.spec.precision)?, contents)
    }

    /// Makes `rows` the gallery, in this order, and returns its manifest.
    ///
    /// # Errors
    /// The first error of `rows`; [`Error::Shape`] for a row that is not there; [`Error::Format`] when
    /// the old files are no longer what they were: their copy would get a good hash; [`Error::Io`].
    /// The gallery is the old one then.
    pub fn commit(
        mut self,
        sources: Vec<Source>,
        rows: impl IntoIterator<Item = Result<(Row, Item)>>,
    ) -> Result<GalleryManifest> {
        self.verify()?;
        let manifest = self.stage(sources, rows)?;
        // Some systems do not rename over a mapped file.
        self.current = None;
        publish(&self.folder)?;
        self.close()?;
        Ok(manifest)
    }

    /// Leaves the gallery as it is and forgets what was pushed.
    ///
    /// # Errors
    /// [`Error::Io`] when the spool cannot be removed.
    pub fn close(self) -> Result<()> {
        let Self { folder, spool, .. } = self;
        drop(spool);
        spool::remove(&folder)
    }

    /// Writes the next generation beside the current one.
    pub(super) fn stage(
        &self,
        sources: Vec<Source>,
        rows: impl IntoIterator<Item = Result<(Row, Item)>>,
    ) -> Result<GalleryManifest> {
        let mut places = Vec::new();
        let kept = self.current.as_ref().map_or(0, Gallery::len);
        let items = self.write(ITEMS, |file| {
            for row in rows {
                let (row, item) = row?;
                let (table, at, count) = match row {
                    Row::Kept(at) => (0, at, kept),
                    Row::Added(at) => (1, at, self.added().len()),
                };
                if at >= count {
                    return Err(Error::Shape(format!("{row:?} of {count} embeddings")));
                }
                places.push((table, at));
                file.write_all(&item.line()?).map_err(|e| Error::io(ITEMS, e))?;
            }
            Ok(())
        })?;
        let generation = self.generation + 1;
        let columns = layout::columns(self.spec.shape, self.spec.precision);
        let maps = self.spool.map()?;
        let none = || layout::Table { columns: vec![&[]; columns.len()] };
        let tables = [self.current.as_ref().map_or_else(none, Gallery::table), spool::table(&maps)];
        let embeddings = self.write(EMBEDDINGS, |file| {
            layout::write(file, &columns, &tables, &places, generation)
                .map_err(|e| Error::io(EMBEDDINGS, e))
        })?;
        let entries = [embeddings, items];
        let manifest =
            GalleryManifest::new(self.spec.clone(), sources, generation, places.len(), entries);
        let json = manifest.to_json()?;
        self.write(MANIFEST, |file| file.write_all(&json).map_err(|e| Error::io(MANIFEST, e)))?;
        Ok(manifest)
    }

    /// Writes a staged file and brings it to the disk.
    fn write(
        &self,
        name: &str,
        fill: impl FnOnce(&mut Hashing<BufWriter<File>>) -> Result<()>,
    ) -> Result<FileEntry> {
        let path = staged(&self.folder, name);
        let io = |e| Error::io(&path, e);
        let file = File::create(&path).map_err(io)?;
        let mut file = Hashing::new(BufWriter::with_capacity(1 << 20, file));
        fill(&mut file)?;
        let (file, entry) = file.finish();
        let file = file.into_inner().map_err(|e| io(e.into_error()))?;
        file.sync_all().map_err(io)?;
        Ok(entry)
    }
}

/// The gallery in a folder, tidied, if it is of this spec. Where a damaged one would be replaced, it is looked
/// at `thorough`ly: a former hash says nothing of a disk that rots.
fn existing(folder: &Path, spec: &GallerySpec, thorough: bool) -> Result<Option<Gallery>> {
    tidy(folder)?;
    let gallery = if thorough { Gallery::open_verified(folder)? } else { Gallery::open(folder)? };
    gallery.spec().expect(spec, &folder.join(MANIFEST))?;
    Ok(Some(gallery))
}

/// The generation that a manifest counts, whatever else is wrong with it.
fn generation_of(manifest: &Path) -> Option<u64> {
    let json: serde_json::Value = serde_json::from_slice(&fs::read(manifest).ok()?).ok()?;
    json.get("generation")?.as_u64()
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let file = options.open(&path).map_err(|e| Error::io(&path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let message = "another program is writing to this gallery";
            Err(Error::io(folder, std::io::Error::new(std::io::ErrorKind::WouldBlock, message)))
        }
        Err(TryLockError::Error(e)) => Err(Error::io(&path, e)),
    }
}

/// An error unless `folder` is absent, or holds a gallery or nothing but hidden files.
fn refuse_foreign(folder: &Path, replace: bool) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io(folder, error)),
    };
    let mut names = entries.flatten().map(|entry| entry.file_name());
    let visible = names.any(|name| !name.to_string_lossy().starts_with('.'));
    // Without a manifest the other file is all to know a gallery by, and other programs' may have its name.
    let gallery = Gallery::is_at(folder) || (replace && folder.join(EMBEDDINGS).is_file());
    if !visible || gallery {
        return Ok(());
    }
    let message = "exists and is no gallery, so it is not written to";
    Err(Error::io(folder, std::io::Error::new(std::io::ErrorKind::AlreadyExists, message)))
}
