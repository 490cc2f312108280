//! A gallery that is open for reading.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::bytes::Bytes;
use super::item::{Item, Items};
use super::layout::{self, Table};
use super::manifest::{
    EMBEDDINGS, GalleryManifest, GallerySpec, ITEMS, MANIFEST, Source, StoredPrecision,
};
use crate::similarity::{Blocks, GalleryView, QuantisedView, Stored};
use crate::weights::FileEntry;
use crate::weights::file_entry::Hashing;
use crate::{Error, Result};

/// Embeddings of a collection and what they are of.
#[derive(Debug)]
pub struct Gallery {
    manifest: GalleryManifest,
    items: Items,
    embeddings: Bytes,
    /// Where each column of the spec's layout lies in `embeddings`.
    columns: Vec<Range<usize>>,
    /// Named in errors; the manifest's own path where there is a folder.
    path: PathBuf,
}

/// The content of a gallery's three files.
#[derive(Debug)]
pub struct GalleryFiles {
    /// `manifest.json`
    pub manifest: Vec<u8>,
    /// `embeddings.safetensors`
    pub embeddings: Vec<u8>,
    /// `items.jsonl`
    pub items: Vec<u8>,
}

impl Gallery {
    /// Makes a gallery in memory: `blocks[i]` is the embedding of `items[i]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when there is not one embedding an item, they are not of the spec's
    /// shape, or a number is too large for the precision.
    pub fn build(spec: GallerySpec, blocks: Blocks<'_>, items: &[Item]) -> Result<Self> {
        Self::compose(spec, None, blocks, items)
    }

    /// The gallery with more items behind its own, in memory.
    ///
    /// # Errors
    /// As [`Gallery::build`].
    pub fn append(&self, blocks: Blocks<'_>, items: &[Item]) -> Result<Self> {
        Self::compose(self.spec().clone(), Some(self), blocks, items)
    }

    fn compose(
        spec: GallerySpec,
        old: Option<&Self>,
        blocks: Blocks<'_>,
        items: &[Item],
    ) -> Result<Self> {
        if blocks.shape() != spec.shape || blocks.rows() != items.len() {
            let message = format!(
                "{} embeddings of {:?} for {} items of {:?}",
                blocks.rows(),
                blocks.shape(),
                items.len(),
                spec.shape
            );
            return Err(Error::Shape(message));
        }
        let parts = layout::encode(blocks, spec.precision)?;
        let mut tables = vec![Table { columns: parts.iter().map(Vec::as_slice).collect() }];
        let mut rows = Vec::new();
        if let Some(old) = old {
            tables.push(old.table());
            rows.extend((0..old.len()).map(|row| (1, row)));
        }
        rows.extend((0..items.len()).map(|row| (0, row)));
        let generation = old.map_or(0, |old| old.manifest.generation) + 1;
        let columns = layout::columns(spec.shape, spec.precision);
        let mut embeddings = Hashing::new(Vec::new());
        layout::write(&mut embeddings, &columns, &tables, &rows, generation)
            .map_err(|e| Error::io(EMBEDDINGS, e))?;
        let (embeddings, embeddings_entry) = embeddings.finish();
        let mut lines = old.map_or_else(Vec::new, |old| old.items.as_bytes().to_vec());
        for item in items {
            lines.extend(item.line()?);
        }
        let entries = [embeddings_entry, FileEntry::of_bytes(&lines)];
        let sources = old.map_or_else(Vec::new, |old| old.manifest.sources.clone());
        let manifest = GalleryManifest::new(spec, sources, generation, rows.len(), entries);
        Self::assemble(manifest, embeddings.into(), lines.into(), Path::new(MANIFEST))
    }

    /// Opens a gallery from the contents of its files.
    ///
    /// # Errors
    /// [`Error::Format`] naming the file that is not what the manifest says, or the manifest.
    pub fn from_bytes(files: GalleryFiles) -> Result<Self> {
        Self::from_checked(files, FileEntry::verify_bytes)
    }

    /// As [`Gallery::from_bytes`], where the caller has compared the hashes with the manifest's.
    ///
    /// # Errors
    /// As there.
    pub fn from_hashed_bytes(files: GalleryFiles) -> Result<Self> {
        Self::from_checked(files, |entry, path, content| {
            entry.expect_length(path, content.len() as u64)
        })
    }

    fn from_checked(
        files: GalleryFiles,
        check: impl Fn(&FileEntry, &Path, &[u8]) -> Result<()>,
    ) -> Result<Self> {
        let path = Path::new(MANIFEST);
        let manifest = GalleryManifest::from_json(&files.manifest, path)?;
        check(&manifest.files[EMBEDDINGS], Path::new(EMBEDDINGS), &files.embeddings)?;
        check(&manifest.files[ITEMS], Path::new(ITEMS), &files.items)?;
        Self::assemble(manifest, files.embeddings.into(), files.items.into(), path)
    }

    /// Puts together what has been verified; `path` is the manifest's.
    pub(super) fn assemble(
        manifest: GalleryManifest,
        embeddings: Bytes,
        items: Bytes,
        path: &Path,
    ) -> Result<Self> {
        let columns = layout::columns(manifest.spec.shape, manifest.spec.precision);
        let columns = layout::parse(&embeddings, &columns, manifest.items)
            .map_err(|message| Error::format(path.with_file_name(EMBEDDINGS), message))?;
        let items = Items::new(items, manifest.items, &path.with_file_name(ITEMS))?;
        Ok(Self { manifest, items, embeddings, columns, path: path.to_path_buf() })
    }

    /// The contents of the three files, to be stored or sent.
    ///
    /// # Errors
    /// [`Error::Format`] when the manifest cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<GalleryFiles> {
        Ok(GalleryFiles {
            manifest: self.manifest.to_json()?,
            embeddings: self.embeddings.to_vec(),
            items: self.items.as_bytes().to_vec(),
        })
    }

    /// What the manifest says.
    pub fn manifest(&self) -> &GalleryManifest {
        &self.manifest
    }

    /// What all rows have in common.
    pub fn spec(&self) -> &GallerySpec {
        &self.manifest.spec
    }

    /// Where its items came from.
    pub fn sources(&self) -> &[Source] {
        &self.manifest.sources
    }

    /// Size and hash of the other files, by name.
    pub fn files(&self) -> &BTreeMap<String, FileEntry> {
        &self.manifest.files
    }

    /// What the rows are.
    pub fn items(&self) -> &Items {
        &self.items
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.manifest.items
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether scores are those of precise blocks.
    pub fn is_exact(&self) -> bool {
        self.spec().precision != StoredPrecision::Int8
    }

    /// Checks that a model is the one that made the embeddings.
    ///
    /// # Errors
    /// [`Error::Format`] with both fingerprints.
    pub fn expect_model(&self, fingerprint: &str) -> Result<()> {
        self.spec().model.expect(fingerprint, &self.path)
    }

    /// The bytes of each column.
    pub(super) fn table(&self) -> Table<'_> {
        let columns = self.columns.iter().map(|range| &self.embeddings[range.clone()]);
        Table { columns: columns.collect() }
    }

    /// The embeddings of some rows as they are stored, `[rows, blocks, width]`; from the 8-bit blocks
    /// in a gallery without precise ones. Panics when there are no such rows, as a slice does.
    ///
    /// # Errors
    /// As [`Gallery::view`].
    pub fn embeddings(&self, rows: Range<usize>) -> Result<Vec<f32>> {
        let (view, size) = (self.view()?, self.spec().shape.size());
        if let Some(precise) = view.precise {
            let mut buffer = Vec::new();
            let values = precise.read(rows.start * size, rows.len() * size, &mut buffer);
            return Ok(values.to_vec());
        }
        Ok(view
            .quantised
            .map(|blocks| rows.flat_map(|row| blocks.row(row)).collect())
            .unwrap_or_default())
    }

    /// The rows as the engines read them.
    ///
    /// # Errors
    /// [`Error::Shape`] for a scale or residual that no writer of galleries makes.
    pub fn view(&self) -> Result<GalleryView<'_>> {
        let (shape, precision) = (self.spec().shape, self.spec().precision);
        let columns = self.table().columns;
        // The layout was checked for alignment, so these casts cannot fail.
        let precise = columns.get(3).map(|bytes| match precision {
            StoredPrecision::F16 => Stored::F16(cast_halves(bytes)),
            _ => Stored::F32(bytemuck::cast_slice(bytes)),
        });
        let [values, scales, residuals] = [columns[0], columns[1], columns[2]];
        let quantised = QuantisedView::new(
            shape,
            bytemuck::cast_slice(values),
            bytemuck::cast_slice(scales),
            bytemuck::cast_slice(residuals),
        )?;
        Ok(GalleryView { shape, rows: self.len(), precise, quantised: Some(quantised) })
    }
}

fn cast_halves(bytes: &[u8]) -> &[half::f16] {
    use half::slice::HalfBitsSliceExt;
    bytemuck::cast_slice::<u8, u16>(bytes).reinterpret_cast()
}
