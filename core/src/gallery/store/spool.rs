//! Embeddings on their way into a gallery: appended on disk, kept across a crash.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::gallery::bytes::Bytes;
use crate::gallery::content_hash::ContentHash;
use crate::gallery::layout::{self, Column, Table};
use crate::gallery::manifest::GallerySpec;
use crate::{Error, Result};

const FOLDER: &str = ".spool";
/// What the rows have in common; a spool of other rows is thrown away.
const SPEC: &str = "spec.json";
/// For each row the hash of its content and the hash of its bytes.
const INDEX: &str = "index";
const RECORD: usize = 64;

/// A file for each column, and an index.
pub(super) struct Spool {
    folder: PathBuf,
    columns: Vec<Column>,
    files: Vec<File>,
    index: File,
    contents: Vec<ContentHash>,
}

impl Spool {
    /// Opens the spool of a gallery and drops what is not complete or not of this spec.
    pub(super) fn open(gallery: &Path, spec: &GallerySpec) -> Result<Self> {
        let folder = gallery.join(FOLDER);
        let same = fs::read(folder.join(SPEC))
            .ok()
            .and_then(|json| serde_json::from_slice::<GallerySpec>(&json).ok())
            .is_some_and(|other| spec.expect(&other, &folder).is_ok());
        if !same {
            remove(gallery)?;
            fs::create_dir(&folder).map_err(|e| Error::io(&folder, e))?;
            let path = folder.join(SPEC);
            let json = serde_json::to_vec(spec).map_err(|e| Error::format(&path, e.to_string()))?;
            fs::write(&path, json).map_err(|e| Error::io(&path, e))?;
        }
        let columns = layout::columns(spec.shape, spec.precision);
        let open = |name: &str| {
            let path = folder.join(name);
            let mut options = OpenOptions::new();
            options.read(true).append(true).create(true);
            options.open(&path).map_err(|e| Error::io(&path, e))
        };
        let files = columns.iter().map(|column| open(column.name)).collect::<Result<_>>()?;
        let index = open(INDEX)?;
        let mut spool = Self { folder, columns, files, index, contents: Vec::new() };
        spool.recover().map_err(|e| Error::io(&spool.folder, e))?;
        Ok(spool)
    }

    /// The contents of the rows.
    pub(super) fn contents(&self) -> &[ContentHash] {
        &self.contents
    }

    /// Appends rows, given as bytes of each column.
    pub(super) fn push(&mut self, parts: &[Vec<u8>], contents: &[ContentHash]) -> Result<()> {
        let table = Table { columns: parts.iter().map(Vec::as_slice).collect() };
        let mut records = Vec::with_capacity(contents.len() * RECORD);
        for (row, content) in contents.iter().enumerate() {
            records.extend(content.0);
            records.extend(self.checksum(&table, row, content));
        }
        // The index comes last: a row counts when it is there as a whole.
        let written = self.files.iter_mut().zip(parts).map(|(file, part)| file.write_all(part));
        let written = written.collect::<std::io::Result<()>>();
        if let Err(error) = written.and_then(|()| self.index.write_all(&records)) {
            // Half a row, say on a full disk, must not shift those after it.
            let _ = self.cut(self.contents.len());
            return Err(Error::io(&self.folder, error));
        }
        self.contents.extend_from_slice(contents);
        Ok(())
    }

    /// The mapped columns, for [`table`].
    pub(super) fn map(&self) -> Result<Vec<Bytes>> {
        let maps = self.files.iter().map(Bytes::map).collect::<std::io::Result<_>>();
        maps.map_err(|e| Error::io(&self.folder, e))
    }

    /// The longest run of sound rows from the start; the rest is cut off.
    fn recover(&mut self) -> std::io::Result<()> {
        let index = Bytes::map(&self.index)?;
        let maps = self.files.iter().map(Bytes::map).collect::<std::io::Result<Vec<_>>>()?;
        let columns = self.columns.iter().zip(&maps);
        let complete = columns.map(|(column, map)| map.len() / column.row_bytes);
        let complete = complete.min().unwrap_or(0);
        let table = table(&maps);
        let mut contents = Vec::new();
        for (row, record) in index.chunks_exact(RECORD).take(complete).enumerate() {
            let mut content = ContentHash::default();
            content.0.copy_from_slice(&record[..32]);
            if self.checksum(&table, row, &content) != record[32..] {
                break;
            }
            contents.push(content);
        }
        // Some systems refuse to cut a file that is mapped.
        drop((index, maps));
        self.cut(contents.len())?;
        self.contents = contents;
        Ok(())
    }

    /// Drops all rows but the first ones.
    fn cut(&self, rows: usize) -> std::io::Result<()> {
        self.index.set_len((rows * RECORD) as u64)?;
        let mut columns = self.files.iter().zip(&self.columns);
        columns.try_for_each(|(file, column)| file.set_len((rows * column.row_bytes) as u64))
    }

    fn checksum(&self, table: &Table<'_>, row: usize, content: &ContentHash) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(content.0);
        for (column, bytes) in self.columns.iter().zip(&table.columns) {
            hash.update(&bytes[row * column.row_bytes..][..column.row_bytes]);
        }
        hash.finalize().into()
    }
}

/// Mapped columns as a table.
pub(super) fn table(maps: &[Bytes]) -> Table<'_> {
    Table { columns: maps.iter().map(|map| &map[..]).collect() }
}

/// Removes the spool of a gallery, if there is one.
pub(super) fn remove(gallery: &Path) -> Result<()> {
    let folder = gallery.join(FOLDER);
    match fs::remove_dir_all(&folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&folder, e)),
        _ => Ok(()),
    }
}
