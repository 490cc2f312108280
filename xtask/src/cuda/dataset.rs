//! A dataset of a moment in the official layout: one picture under many names, sentences of a few words.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use crate::shell::root;

/// Captions of an image.
const CAPTIONS: usize = 5;
const WORDS: [&str; 12] = [
    "red", "small", "old", "happy", "dog", "bicycle", "house", "child", "runs", "stands", "near",
    "water",
];

/// Writes `images` for each split into `folder`: `f30k/` and `flickr30k-images/`.
pub fn write(folder: &Path, splits: [(&str, usize); 3]) -> io::Result<()> {
    let (texts, pictures) = (folder.join("f30k"), folder.join("flickr30k-images"));
    fs::create_dir_all(&texts)?;
    fs::create_dir_all(&pictures)?;
    let picture = root().join("tests/fixtures/turbo.jpg");
    let mut mapping = Vec::new();
    for (split, images) in splits {
        let (mut ids, mut captions) = (String::new(), String::new());
        for image in 0..images {
            let id = format!("{split}{image}");
            fs::copy(&picture, pictures.join(format!("{id}.jpg")))?;
            for caption in 0..CAPTIONS {
                let word = |step: usize| WORDS[(image * step + caption) % WORDS.len()];
                let _ = writeln!(ids, "{id}");
                let _ = writeln!(captions, "A {} {} {} {}.", word(1), word(3), word(5), word(7));
            }
            mapping.push(format!("\"{id}\": \"{id}.jpg\""));
        }
        fs::write(texts.join(format!("{split}_ids.txt")), ids)?;
        fs::write(texts.join(format!("{split}_caps.txt")), captions)?;
    }
    fs::write(texts.join("id_mapping.json"), format!("{{{}}}", mapping.join(", ")))
}
