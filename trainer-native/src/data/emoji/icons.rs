//! Icon sets in the Iconify JSON format, and their pictures.

use std::collections::HashMap;
use std::path::PathBuf;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};
use serde::{Deserialize, Serialize};

use super::names::Names;
use super::npm::{Packages, read_json};
use super::words::normal_code;
use crate::{Error, Result};

/// A designer of emoji: the suffix of an `@iconify-json` package.
pub type Designer = &'static str;

/// The designers whose drawings are trained on: three who drew nearly all emoji, then
/// older and smaller sets, whose packages know their icons by name only.
pub const TRAINING_DESIGNERS: [Designer; 8] = [
    "noto",
    "twemoji",
    "openmoji",
    "noto-v1",
    "emojione",
    "emojione-v1",
    "fxemoji",
    "streamline-emojis",
];
/// The designer whose drawings are the test and never trained on.
pub const TEST_DESIGNER: Designer = "fluent-emoji-flat";
/// The designers among whose common emoji the lists were drawn.
pub const COMPLETE_DESIGNERS: [Designer; 4] = ["noto", "twemoji", "openmoji", TEST_DESIGNER];

/// All drawings of one designer.
#[derive(Debug)]
pub struct IconSet {
    file: PathBuf,
    set: IconifySet,
    /// The names of an emoji's drawings; most have one.
    icons_of_code: HashMap<String, Vec<String>>,
    /// Who drew it, and under which licence.
    pub credit: Credit,
}

/// Name, author and licence of an artwork, as its package states them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Credit {
    /// Name of the icon set.
    pub name: String,
    /// Who made it.
    pub author: Author,
    /// What may be done with it.
    pub license: License,
}

/// The author of an artwork.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Author {
    /// Who.
    pub name: String,
    /// Where the artwork comes from.
    pub url: String,
}

/// The licence of an artwork.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct License {
    /// Its name.
    pub title: String,
    /// Its SPDX identifier.
    pub spdx: String,
    /// Its text.
    pub url: String,
}

#[derive(Debug, Deserialize)]
struct IconifySet {
    icons: HashMap<String, Icon>,
    #[serde(default)]
    aliases: HashMap<String, Alias>,
    width: Option<f32>,
    height: Option<f32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Icon {
    body: String,
    #[serde(default)]
    left: f32,
    #[serde(default)]
    top: f32,
    width: Option<f32>,
    height: Option<f32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alias {
    parent: String,
    #[serde(default)]
    h_flip: bool,
    #[serde(default)]
    v_flip: bool,
    #[serde(default)]
    rotate: u8,
}

impl IconifySet {
    /// The icons of every emoji that some are called after: of those with its name the first,
    /// an icon before an alias; of numbered drawings (`baby-1`, `baby-2`) all.
    fn icons_of_names(&self, names: &Names) -> HashMap<String, Vec<String>> {
        let mut icons: Vec<&String> = self.icons.keys().collect();
        let mut aliases: Vec<&String> = self.aliases.keys().collect();
        icons.sort();
        aliases.sort();
        let mut found: HashMap<String, Vec<String>> = HashMap::new();
        for icon in icons.iter().chain(&aliases) {
            if let Some(code) = names.code(icon) {
                found.entry(code.to_owned()).or_insert_with(|| vec![(*icon).clone()]);
            }
        }
        for icon in icons {
            if let (None, Some(code)) = (names.code(icon), names.code_of_numbered(icon)) {
                found.entry(code.to_owned()).or_default().push(icon.clone());
            }
        }
        found
    }
}

/// Iconify's size where neither set nor icon states one.
const DEFAULT_SIDE: f32 = 16.0;

impl IconSet {
    /// Reads the icon set of a designer; `names` finds the emoji of a set without code points.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] naming the package's file.
    pub fn read(packages: &Packages, designer: Designer, names: &Names) -> Result<Self> {
        let package = format!("@iconify-json/{designer}");
        let file = packages.file(&package, "icons.json");
        let set: IconifySet = read_json(&file)?;
        let codes: HashMap<String, String> = read_json(&packages.file(&package, "chars.json"))?;
        let icons_of_code = if codes.is_empty() {
            set.icons_of_names(names)
        } else {
            codes.into_iter().map(|(code, icon)| (normal_code(&code), vec![icon])).collect()
        };
        let credit = read_json(&packages.file(&package, "info.json"))?;
        Ok(Self { set, file, icons_of_code, credit })
    }

    /// Whether this designer drew the emoji `code`.
    pub fn has(&self, code: &str) -> bool {
        self.icons_of_code.contains_key(code)
    }

    /// How often this designer drew the emoji `code`.
    pub fn count(&self, code: &str) -> usize {
        self.icons_of_code.get(code).map_or(0, Vec::len)
    }

    /// The drawing `at` (from 0) of the emoji `code` as an SVG document.
    ///
    /// # Errors
    /// [`Error::Format`] when the set has no such drawing, or one that turns the picture by quarters.
    pub fn svg(&self, code: &str, at: usize) -> Result<String> {
        let missing = || Error::format(&self.file, format!("no drawing of {code}"));
        let mut name =
            self.icons_of_code.get(code).and_then(|icons| icons.get(at)).ok_or_else(missing)?;
        let (mut h_flip, mut v_flip) = (false, false);
        // An alias may point to an alias; more steps than aliases would be a circle.
        for _ in 0..=self.set.aliases.len() {
            let Some(alias) = self.set.aliases.get(name) else { break };
            if alias.rotate != 0 {
                return Err(Error::format(
                    &self.file,
                    format!("{name}: turned icons are not read"),
                ));
            }
            h_flip ^= alias.h_flip;
            v_flip ^= alias.v_flip;
            name = &alias.parent;
        }
        let icon = self.set.icons.get(name).ok_or_else(missing)?;
        let width = icon.width.or(self.set.width).unwrap_or(DEFAULT_SIDE);
        let height = icon.height.or(self.set.height).unwrap_or(DEFAULT_SIDE);
        let (left, top, body) = (icon.left, icon.top, &icon.body);
        let flip = |on: bool, start: f32, side: f32| match on {
            true => (2.0 * start + side, -1),
            false => (0.0, 1),
        };
        let (dx, sx) = flip(h_flip, left, width);
        let (dy, sy) = flip(v_flip, top, height);
        Ok(format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width}" height="{height}" viewBox="{left} {top} {width} {height}"><g transform="translate({dx} {dy}) scale({sx} {sy})">{body}</g></svg>"#
        ))
    }

    /// The drawing `at` (from 0) of the emoji `code` as a square picture of `size` pixels a side:
    /// fitted, centred, transparent where nothing is drawn.
    ///
    /// # Errors
    /// [`Error::Format`] when there is no such drawing or it is not an SVG body.
    pub fn render(&self, code: &str, at: usize, size: u32) -> Result<Pixmap> {
        let svg = self.svg(code, at)?;
        let tree = Tree::from_str(&svg, &Options::default())
            .map_err(|e| Error::format(&self.file, format!("drawing of {code}: {e}")))?;
        let mut picture = Pixmap::new(size, size)
            .ok_or_else(|| Error::Usage(format!("pictures of {size} pixels cannot be made")))?;
        let (width, height) = (tree.size().width(), tree.size().height());
        let side = size as f32;
        let scale = (side / width).min(side / height);
        let centre =
            Transform::from_translate((side - scale * width) / 2.0, (side - scale * height) / 2.0);
        resvg::render(&tree, centre.pre_scale(scale, scale), &mut picture.as_mut());
        Ok(picture)
    }
}
