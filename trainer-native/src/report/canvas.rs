//! The look shared by all charts: paper, ink, colours, title, legend and ranges.

use std::fmt::Display;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::escape::printable;
use crate::{Error, Result};

/// Width and height of one chart, in SVG user units. A page scales it to fit.
const PANEL: (u32, u32) = (1040, 640);
/// Distance of title and legend from the edge.
const MARGIN: i32 = 40;
/// Text sizes as SVG shows them.
const TITLE_SIZE: f64 = 32.0;
pub(super) const TEXT_SIZE: f64 = 25.0;
/// Width of an average letter, in text sizes; an SVG cannot measure its text.
const LETTER_WIDTH: f64 = 0.56;

const FONTS: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
const PAPER: RGBColor = RGBColor(255, 255, 255);
pub(super) const INK: RGBColor = RGBColor(28, 33, 40);
pub(super) const FAINT: RGBColor = RGBColor(94, 104, 116);
pub(super) const GRID: RGBColor = RGBColor(226, 230, 235);
/// Told apart in the common forms of colour blindness, all dark enough for thin lines on paper.
const COLOURS: [RGBColor; 12] = [
    RGBColor(11, 110, 153),
    RGBColor(208, 84, 0),
    RGBColor(18, 133, 94),
    RGBColor(152, 60, 150),
    RGBColor(146, 112, 0),
    RGBColor(74, 84, 98),
    RGBColor(190, 30, 60),
    RGBColor(60, 80, 190),
    RGBColor(95, 125, 20),
    RGBColor(225, 90, 150),
    RGBColor(110, 65, 35),
    RGBColor(0, 140, 160),
];

/// Where a chart is painted.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The colour of the series at `index`.
pub(super) fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

/// What the drawing library said, as this crate's error.
pub(super) fn cannot_draw(error: impl Display) -> Error {
    Error::Usage(format!("the chart cannot be drawn: {error}"))
}

/// An SVG document of `panels` charts side by side; `paint` draws the one at an index.
pub(super) fn draw(panels: usize, paint: impl Fn(usize, &Area) -> Result<()>) -> Result<String> {
    let panels = panels.max(1);
    let mut svg = String::new();
    let width = PANEL.0.saturating_mul(u32::try_from(panels).unwrap_or(u32::MAX));
    {
        let root = SVGBackend::with_string(&mut svg, (width, PANEL.1)).into_drawing_area();
        root.fill(&PAPER).map_err(cannot_draw)?;
        for (index, area) in root.split_evenly((1, panels)).iter().enumerate() {
            paint(index, area)?;
        }
        root.present().map_err(cannot_draw)?;
    }
    Ok(svg)
}

/// Text of `size` as SVG shows it.
pub(super) fn text(size: f64, colour: RGBColor) -> TextStyle<'static> {
    // The SVG backend divides by this factor.
    (FONTS, size * 1.24).into_font().color(&colour)
}

/// Centred text above (`VPos::Bottom`) or below (`VPos::Top`) its point.
pub(super) fn centred(size: f64, colour: RGBColor, vertical: VPos) -> TextStyle<'static> {
    text(size, colour).pos(Pos::new(HPos::Center, vertical))
}

/// Paints title and legend; what is left below them is for the plot.
pub(super) fn header<'a>(area: &Area<'a>, title: &str, names: &[&str]) -> Result<Area<'a>> {
    let (width, _) = area.dim_in_pixel();
    let right = width as i32 - MARGIN;
    let room = f64::from(right - MARGIN);
    let title = shortened(title, room, TITLE_SIZE * 1.05);
    let style = TextStyle::from((FONTS, TITLE_SIZE * 1.24, FontStyle::Bold).into_font());
    area.draw_text(&title, &style.color(&INK), (MARGIN, 34)).map_err(cannot_draw)?;

    let (mut x, mut y) = (MARGIN, 94);
    for (index, name) in names.iter().enumerate() {
        let name = shortened(name, room - 40.0, TEXT_SIZE);
        let advance = 64 + (name.chars().count() as f64 * TEXT_SIZE * LETTER_WIDTH) as i32;
        if x + advance > right && x > MARGIN {
            (x, y) = (MARGIN, y + 36);
        }
        let swatch = Rectangle::new([(x, y + 2), (x + 24, y + 18)], colour(index).filled());
        area.draw(&swatch).map_err(cannot_draw)?;
        area.draw_text(&name, &text(TEXT_SIZE, INK), (x + 34, y)).map_err(cannot_draw)?;
        x += advance;
    }
    let below = if names.is_empty() { y } else { y + 40 };
    Ok(area.split_vertically(below).1)
}

/// Says in the middle of `area` that there is nothing to draw.
pub(super) fn nothing(area: &Area) -> Result<()> {
    let (width, height) = area.dim_in_pixel();
    let style = centred(TEXT_SIZE, FAINT, VPos::Center);
    area.draw_text("no data", &style, (width as i32 / 2, height as i32 / 2)).map_err(cannot_draw)
}

/// `text` without what XML forbids, cut to about `room` at a text size.
pub(super) fn shortened(text: &str, room: f64, size: f64) -> String {
    let text = printable(text);
    let letters = (room / (size * LETTER_WIDTH)).max(1.0) as usize;
    if text.chars().count() <= letters {
        return text;
    }
    text.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
}

/// Whether a chart can show `value`: beyond, ticks could not be told apart.
pub(super) fn drawable(value: f64) -> bool {
    value.abs() < 1e30
}

/// The smallest range of all drawable values, none for no value.
pub(super) fn extent(values: impl Iterator<Item = f64>) -> Option<Range<f64>> {
    values.filter(|&value| drawable(value)).fold(None, |range: Option<Range<f64>>, value| {
        Some(range.map_or(value..value, |r| r.start.min(value)..r.end.max(value)))
    })
}

/// A range with `padding` (a fraction of it) on either side, and never so narrow
/// that ticks fall together.
pub(super) fn padded(range: &Range<f64>, padding: f64) -> Range<f64> {
    let size = range.start.abs().max(range.end.abs());
    let narrowest = if size == 0.0 { 1.0 } else { size * 1e-6 };
    let span = range.end - range.start;
    let extra = if span < narrowest { (size * 0.1).max(0.5 * narrowest) } else { span * padding };
    range.start - extra..range.end + extra
}

/// The label of a tick at `value` on an axis that long: as few decimals as tell
/// neighbours apart.
pub(super) fn tick(value: f64, range: &Range<f64>) -> String {
    let span = range.end - range.start;
    // What is left of zero after subtraction is zero.
    let value = if value.abs() < span * 1e-9 { 0.0 } else { value };
    if span < 1e-4 || value.abs() >= 1e6 {
        return if value == 0.0 { "0".into() } else { format!("{value:.1e}") };
    }
    let decimals = (2.0 - span.log10().floor()).clamp(0.0, 6.0) as usize;
    let label = format!("{value:.decimals$}");
    let short = match label.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
        Some(_) => label.trim_end_matches('0'),
        None => &label,
    };
    if short == "-0" { "0".into() } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short_and_distinct() {
        assert_eq!(tick(0.0, &(0.0..100.0)), "0");
        assert_eq!(tick(20.0, &(0.0..100.0)), "20");
        assert_eq!(tick(0.25, &(0.0..1.0)), "0.25");
        assert_eq!(tick(0.0025, &(0.0..0.01)), "0.0025");
        assert_eq!(tick(2.5e7, &(0.0..1e8)), "2.5e7");
        assert_eq!(tick(2e-5, &(0.0..5e-5)), "2.0e-5");
        assert_eq!(tick(-1e-17, &(-1.0..1.0)), "0");
        assert_eq!(tick(-0.001, &(-1000.0..1000.0)), "0");
    }

    #[test]
    fn ranges_have_room() {
        assert_eq!(extent([f64::NAN, 3.0, f64::INFINITY, -1.0].into_iter()), Some(-1.0..3.0));
        assert_eq!(extent([f64::NAN, f64::MAX].into_iter()), None);
        for constant in [0.0, 5.0, -1e12, 1e-12] {
            let range = padded(&(constant..constant), 0.05);
            assert!(range.start < constant && constant < range.end, "{range:?}");
        }
        assert_eq!(padded(&(0.0..10.0), 0.1), -1.0..11.0);
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(shortened("short", 1000.0, 20.0), "short");
        let cut = shortened(&"ö".repeat(500), 300.0, 20.0);
        assert!(cut.ends_with('…') && cut.chars().count() < 40, "{cut}");
    }
}
