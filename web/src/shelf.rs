//! The galleries that are open, by number.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use avse_core::gallery::{Gallery, GallerySpec, Item};
use avse_core::similarity::Blocks;
#[cfg(feature = "gpu")]
use avse_core::similarity::QuantisedView;
#[cfg(feature = "gpu")]
use avse_core::similarity::gpu::{GpuEngine, GpuGallery};

use crate::failure::{Failure, Result};

/// Open galleries by handle.
#[derive(Default)]
pub struct Shelf {
    galleries: RefCell<BTreeMap<u32, Shelved>>,
    last: Cell<u32>,
}

/// A gallery: as its files say, or while it is changed, as its rows. Never both: each is as large as the gallery.
enum Shelved {
    Ready(Rc<OpenGallery>),
    Draft(Draft),
}

/// A gallery that can be searched.
pub struct OpenGallery {
    pub content: Gallery,
    #[cfg(feature = "gpu")]
    on_gpu: RefCell<Option<Rc<GpuGallery>>>,
}

impl OpenGallery {
    fn new(content: Gallery) -> Rc<Self> {
        Rc::new(Self {
            content,
            #[cfg(feature = "gpu")]
            on_gpu: RefCell::default(),
        })
    }

    /// Its 8-bit blocks on the device, there from the first call on.
    #[cfg(feature = "gpu")]
    pub async fn uploaded(
        &self,
        gpu: &GpuEngine,
        blocks: QuantisedView<'_>,
    ) -> Result<Rc<GpuGallery>> {
        let there = self.on_gpu.borrow().clone();
        if let Some(uploaded) = there {
            return Ok(uploaded);
        }
        let uploaded = Rc::new(gpu.upload_quantised(blocks).await?);
        *self.on_gpu.borrow_mut() = Some(uploaded.clone());
        Ok(uploaded)
    }
}

/// Rows that are not in a gallery's format yet: adding one there would write and hash all.
struct Draft {
    spec: GallerySpec,
    values: Vec<f32>,
    items: Vec<Item>,
}

impl Shelf {
    /// Puts a gallery there; its handle.
    pub fn put(&self, gallery: Gallery) -> u32 {
        let handle = self.last.get() + 1;
        self.last.set(handle);
        let shelved = Shelved::Ready(OpenGallery::new(gallery));
        self.galleries.borrow_mut().insert(handle, shelved);
        handle
    }

    /// Takes a gallery away.
    pub fn remove(&self, handle: u32) {
        self.galleries.borrow_mut().remove(&handle);
    }

    /// The gallery as it is now. After a change this writes and hashes all of its rows: only searching and saving need it.
    pub fn get(&self, handle: u32) -> Result<Rc<OpenGallery>> {
        self.with(handle, |shelved| {
            let gallery = match shelved {
                Shelved::Ready(ready) => return Ok(ready.clone()),
                Shelved::Draft(draft) => OpenGallery::new(draft.build()?),
            };
            *shelved = Shelved::Ready(gallery.clone());
            Ok(gallery)
        })
    }

    /// What all rows have in common, and their number.
    pub fn about(&self, handle: u32) -> Result<(GallerySpec, usize)> {
        self.with(handle, |shelved| {
            Ok(match shelved {
                Shelved::Ready(ready) => (ready.content.spec().clone(), ready.content.len()),
                Shelved::Draft(draft) => (draft.spec.clone(), draft.items.len()),
            })
        })
    }

    /// What a row is.
    pub fn item(&self, handle: u32, row: usize) -> Result<Item> {
        self.with(handle, |shelved| {
            check_row(row, shelved.rows())?;
            match shelved {
                Shelved::Ready(ready) => Ok(ready.content.items().get(row)?),
                Shelved::Draft(draft) => Ok(draft.items[row].clone()),
            }
        })
    }

    /// The embedding of a row.
    pub fn row_blocks(&self, handle: u32, row: usize) -> Result<Vec<f32>> {
        self.with(handle, |shelved| {
            check_row(row, shelved.rows())?;
            match shelved {
                Shelved::Ready(ready) => Ok(ready.content.embeddings(row..row + 1)?),
                Shelved::Draft(draft) => Ok(draft.values[draft.place(row)].to_vec()),
            }
        })
    }

    /// Adds a row behind the others.
    pub fn add(&self, handle: u32, values: &[f32], item: Item) -> Result<()> {
        self.change(handle, |draft| {
            let blocks = Blocks::new(values, draft.spec.shape)?;
            if blocks.rows() != 1 {
                let count = blocks.rows();
                return Err(Failure::new("shape", format!("{count} embeddings of one item")));
            }
            draft.values.extend_from_slice(values);
            draft.items.push(item);
            Ok(())
        })
    }

    /// Takes a row out; later ones move up.
    pub fn remove_row(&self, handle: u32, row: usize) -> Result<()> {
        self.change(handle, |draft| {
            check_row(row, draft.items.len())?;
            draft.values.drain(draft.place(row));
            draft.items.remove(row);
            Ok(())
        })
    }

    fn change(&self, handle: u32, change: impl FnOnce(&mut Draft) -> Result<()>) -> Result<()> {
        self.with(handle, |shelved| {
            if let Shelved::Ready(gallery) = shelved {
                *shelved = Shelved::Draft(Draft::of(&gallery.content)?);
            }
            match shelved {
                Shelved::Draft(draft) => change(draft),
                Shelved::Ready(_) => Err(unknown(handle)),
            }
        })
    }

    fn with<T>(&self, handle: u32, work: impl FnOnce(&mut Shelved) -> Result<T>) -> Result<T> {
        let mut galleries = self.galleries.borrow_mut();
        work(galleries.get_mut(&handle).ok_or_else(|| unknown(handle))?)
    }
}

impl Shelved {
    fn rows(&self) -> usize {
        match self {
            Self::Ready(ready) => ready.content.len(),
            Self::Draft(draft) => draft.items.len(),
        }
    }
}

impl Draft {
    fn of(gallery: &Gallery) -> Result<Self> {
        if !gallery.is_exact() {
            let message = "a gallery of 8-bit blocks alone cannot be changed";
            return Err(Failure::new("refused", message));
        }
        let values = gallery.embeddings(0..gallery.len())?;
        let items = gallery.items().iter().collect::<avse_core::Result<_>>()?;
        Ok(Self { spec: gallery.spec().clone(), values, items })
    }

    fn build(&self) -> Result<Gallery> {
        let blocks = Blocks::new(&self.values, self.spec.shape)?;
        Ok(Gallery::build(self.spec.clone(), blocks, &self.items)?)
    }

    /// Where a row's numbers lie.
    fn place(&self, row: usize) -> std::ops::Range<usize> {
        let size = self.spec.shape.size();
        row * size..(row + 1) * size
    }
}

fn check_row(row: usize, rows: usize) -> Result<()> {
    if row < rows { Ok(()) } else { Err(Failure::new("shape", format!("no row {row} of {rows}"))) }
}

fn unknown(handle: u32) -> Failure {
    Failure::new("internal", format!("no open gallery has the handle {handle}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use avse_core::gallery::{GalleryKind, ModelTag, StoredPrecision};
    use avse_core::similarity::BlockShape;

    #[test]
    fn rows_come_and_go() {
        let shape = BlockShape { blocks: 2, width: 4 };
        let model = ModelTag { fingerprint: "ab".into(), path: None };
        let precision = StoredPrecision::F32;
        let spec = GallerySpec { kind: GalleryKind::Images, shape, precision, model };
        let empty = Gallery::build(spec, Blocks::new(&[], shape).unwrap(), &[]).unwrap();
        let (shelf, item) =
            (Shelf::default(), |key: &str| Item { key: key.into(), ..Item::default() });
        let handle = shelf.put(empty);
        for (at, key) in ["a", "b", "c"].into_iter().enumerate() {
            shelf.add(handle, &[at as f32; 8], item(key)).unwrap();
            assert_eq!(shelf.about(handle).unwrap().1, at + 1);
            assert_eq!(shelf.item(handle, at).unwrap().key, key);
            assert_eq!(shelf.row_blocks(handle, at).unwrap(), [at as f32; 8]);
        }
        // None of that has built the gallery, which takes a time that grows with it.
        assert!(matches!(shelf.galleries.borrow()[&handle], Shelved::Draft(_)));
        assert_eq!(shelf.get(handle).unwrap().content.embeddings(1..2).unwrap(), [1.0; 8]);
        shelf.remove_row(handle, 1).unwrap();
        let gallery = &shelf.get(handle).unwrap().content;
        assert_eq!((gallery.len(), gallery.embeddings(1..2).unwrap()), (2, vec![2.0; 8]));
        assert_eq!(gallery.items().get(1).unwrap().key, "c");
        assert_eq!(shelf.item(handle, 1).unwrap().key, "c");
        assert_eq!(shelf.row_blocks(handle, 1).unwrap(), [2.0; 8]);
        assert_eq!(shelf.item(handle, 2).unwrap_err().code, "shape");
        assert_eq!(shelf.remove_row(handle, 2).unwrap_err().code, "shape");
        assert_eq!(shelf.add(handle, &[0.0; 16], item("two")).unwrap_err().code, "shape");
        shelf.remove(handle);
        assert_eq!(shelf.get(handle).err().unwrap().code, "internal");
    }
}
