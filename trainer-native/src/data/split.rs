//! What all forms of a dataset come down to.

use std::path::PathBuf;

/// A picture of a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageEntry {
    /// Its id.
    pub id: String,
    /// Its file, which need not exist.
    pub path: PathBuf,
}

/// The pictures and captions of a split; every picture stands there once.
#[derive(Debug, Clone)]
pub struct Split {
    /// `train`, `test`, ...
    pub name: String,
    /// In the order of their first captions.
    pub images: Vec<ImageEntry>,
    /// Trimmed, never empty. In the official layout in the order of the file, elsewhere image by image.
    pub captions: Vec<String>,
    /// For every caption the index of its image.
    pub image_of_caption: Vec<usize>,
    /// For every caption the kind of its wording, where `<split>_kinds.txt` says it.
    pub kinds: Option<Vec<String>>,
}

impl Split {
    /// The split without some of its images, given in ascending order, and without their captions; what is left is
    /// renumbered from 0 and keeps its order.
    pub fn without(&self, images: &[usize]) -> Self {
        let place = self.places_without(images);
        let kept = |caption: &usize| place[self.image_of_caption[*caption]].is_some();
        let captions: Vec<usize> = (0..self.captions.len()).filter(kept).collect();
        let kinds = self.kinds.as_ref();
        Self {
            name: self.name.clone(),
            images: (0..self.images.len())
                .filter(|image| place[*image].is_some())
                .map(|image| self.images[image].clone())
                .collect(),
            captions: captions.iter().map(|at| self.captions[*at].clone()).collect(),
            image_of_caption: captions
                .iter()
                .filter_map(|at| place[self.image_of_caption[*at]])
                .collect(),
            kinds: kinds.map(|kinds| captions.iter().map(|at| kinds[*at].clone()).collect()),
        }
    }

    /// For every image its number in [`Split::without`] these, if it is there.
    pub fn places_without(&self, images: &[usize]) -> Vec<Option<usize>> {
        let mut next = 0;
        let place = |image: usize| {
            let kept = images.binary_search(&image).is_err();
            next += usize::from(kept);
            kept.then(|| next - 1)
        };
        (0..self.images.len()).map(place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captions_go_with_their_images() {
        let image = |id: &str| ImageEntry { id: id.into(), path: id.into() };
        let split = Split {
            name: "test".into(),
            images: ["a", "b", "c", "d"].map(image).to_vec(),
            captions: ["a0", "c0", "b0", "d0", "c1", "a1"].map(String::from).to_vec(),
            image_of_caption: vec![0, 2, 1, 3, 2, 0],
            kinds: Some(["x", "y", "z", "x", "y", "z"].map(String::from).to_vec()),
        };
        let left = split.without(&[0, 2]);
        assert_eq!(left.images, [image("b"), image("d")]);
        assert_eq!(left.captions, ["b0", "d0"]);
        assert_eq!(left.image_of_caption, [0, 1]);
        assert_eq!(left.kinds.unwrap(), ["z", "x"]);
        assert_eq!(split.places_without(&[0, 2]), [None, Some(0), None, Some(1)]);
        assert_eq!(split.without(&[]).image_of_caption, split.image_of_caption);
    }
}
