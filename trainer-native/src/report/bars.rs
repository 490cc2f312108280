//! Grouped bar charts.

use plotters::prelude::*;
use plotters::style::text_anchor::VPos;

use super::canvas::{
    Area, FAINT, GRID, INK, TEXT_SIZE, cannot_draw, centred, colour, draw, drawable, extent,
    header, nothing, shortened, text, tick,
};
use crate::Result;

/// The part of a group's width that its bars take.
const FILLED: f64 = 0.76;
/// With more bars than this, their values are left to the axis.
const MOST_VALUES: usize = 14;

/// One bar in every group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BarSeries {
    /// What the legend calls it.
    pub name: String,
    /// Its value in each group, in the order of [`BarChart::groups`]; values that
    /// are missing or not finite get no bar.
    pub values: Vec<f64>,
}

/// A chart of bars in groups.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BarChart {
    /// The heading above the plot.
    pub title: String,
    /// What the vertical axis shows.
    pub y_label: String,
    /// Names of the groups, from left to right.
    pub groups: Vec<String>,
    /// The bars of each group; a legend names them when there are several.
    pub series: Vec<BarSeries>,
}

/// An SVG document of one bar chart, on its own light paper. The axis starts at zero.
///
/// # Errors
/// [`crate::Error::Usage`] when the drawing library refuses.
pub fn bar_chart(chart: &BarChart) -> Result<String> {
    draw(1, |_, area| paint(chart, area))
}

fn paint(chart: &BarChart, area: &Area) -> Result<()> {
    let names: Vec<&str> = match chart.series.as_slice() {
        [_] => Vec::new(),
        series => series.iter().map(|series| series.name.as_str()).collect(),
    };
    let plot = header(area, &chart.title, &names)?;
    let groups = chart.groups.len();
    let values = || chart.series.iter().flat_map(|series| series.values.iter().take(groups));
    let Some(values_extent) = extent(values().copied()) else { return nothing(&plot) };

    let (low, high) = (values_extent.start.min(0.0), values_extent.end.max(0.0));
    let room = if high == low { 1.0 } else { (high - low) * 0.1 };
    let y_range = if low < 0.0 { low - room } else { 0.0 }..high + room;
    let mut axes = ChartBuilder::on(&plot)
        .margin_left(16)
        .margin_right(40)
        .margin_bottom(16)
        .x_label_area_size(56)
        .y_label_area_size(116)
        .build_cartesian_2d(0.0..groups as f64, y_range.clone())
        .map_err(cannot_draw)?;
    axes.configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .bold_line_style(GRID.stroke_width(2))
        .light_line_style(TRANSPARENT)
        .axis_style(GRID.stroke_width(2))
        .set_all_tick_mark_size(6)
        .y_labels(6)
        .label_style(text(TEXT_SIZE, FAINT))
        .axis_desc_style(text(TEXT_SIZE, FAINT))
        .y_desc(super::escape::printable(&chart.y_label))
        .y_label_formatter(&|y| tick(*y, &y_range))
        .draw()
        .map_err(cannot_draw)?;

    let width = FILLED / chart.series.len().max(1) as f64;
    let with_values = values().count() <= MOST_VALUES;
    for (index, series) in chart.series.iter().enumerate() {
        let bars = series.values.iter().take(groups).enumerate();
        for (group, &value) in bars.filter(|&(_, &value)| drawable(value)) {
            let left = group as f64 + (1.0 - FILLED) / 2.0 + index as f64 * width;
            let corners = [(left + 0.05 * width, 0.0), (left + 0.95 * width, value)];
            let bar = Rectangle::new(corners, colour(index).filled());
            axes.draw_series([bar]).map_err(cannot_draw)?;
            if with_values {
                let style = centred(TEXT_SIZE * 0.92, INK, VPos::Bottom);
                let label = EmptyElement::at((left + width / 2.0, value.max(0.0)))
                    + Text::new(tick(value, &y_range), (0, -4), style);
                axes.draw_series([label]).map_err(cannot_draw)?;
            }
        }
    }

    let group_room = f64::from(plot.dim_in_pixel().0) / groups.max(1) as f64 * 0.8;
    for (group, name) in chart.groups.iter().enumerate() {
        let name = shortened(name, group_room, TEXT_SIZE);
        let label = EmptyElement::at((group as f64 + 0.5, y_range.start))
            + Text::new(name, (0, 14), centred(TEXT_SIZE, INK, VPos::Top));
        axes.draw_series([label]).map_err(cannot_draw)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[&[f64]]) -> BarChart {
        let series = |(index, values): (usize, &&[f64])| BarSeries {
            name: format!("set {index}"),
            values: values.to_vec(),
        };
        BarChart {
            title: "Recall".into(),
            y_label: "%".into(),
            groups: vec!["R@1".into(), "R@<5>".into()],
            series: values.iter().enumerate().map(series).collect(),
        }
    }

    fn bars(svg: &str) -> usize {
        let document = roxmltree::Document::parse(svg).unwrap();
        let of_series = |node: &roxmltree::Node| {
            node.tag_name().name() == "rect"
                && (0..6).any(|index| {
                    let colour = colour(index);
                    let hex = format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
                    node.attribute("fill").is_some_and(|fill| fill.eq_ignore_ascii_case(&hex))
                })
        };
        document.descendants().filter(of_series).count()
    }

    #[test]
    fn draws_every_bar_and_its_group() {
        // Two series: a swatch of the legend and two bars each.
        let svg = bar_chart(&chart(&[&[40.0, 80.0], &[30.0, 60.0]])).unwrap();
        assert_eq!(bars(&svg), 6);
        assert!(svg.contains("R@&lt;5&gt;") && svg.contains("set 1"), "{svg}");
        // Missing and surplus values.
        assert_eq!(bars(&bar_chart(&chart(&[&[40.0]])).unwrap()), 1);
        assert_eq!(bars(&bar_chart(&chart(&[&[1.0, 2.0, 3.0]])).unwrap()), 2);
    }

    #[test]
    fn survives_odd_values() {
        let odd: &[&[&[f64]]] = &[
            &[],
            &[&[]],
            &[&[f64::NAN, f64::INFINITY]],
            &[&[0.0, 0.0]],
            &[&[-3.0, -1.0]],
            &[&[1e29, -1e29]],
        ];
        for values in odd {
            bars(&bar_chart(&chart(values)).unwrap());
        }
        assert!(bar_chart(&BarChart::default()).unwrap().contains("no data"));
    }
}
