//! Line charts.

use plotters::prelude::*;

use super::canvas::{
    Area, FAINT, GRID, TEXT_SIZE, cannot_draw, colour, draw, drawable, extent, header, nothing,
    padded, text, tick,
};
use crate::Result;

/// Up to this many points, each gets a dot.
const MOST_DOTS: usize = 40;

/// A named line.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Its points (x, y) in drawing order. Points that are not finite are skipped.
    pub points: Vec<(f64, f64)>,
}

/// A line chart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chart {
    /// The heading above the plot.
    pub title: String,
    /// What the horizontal axis shows.
    pub x_label: String,
    /// What the vertical axis shows.
    pub y_label: String,
    /// The lines; a legend names them when there are several.
    pub series: Vec<Series>,
}

/// An SVG document of one chart, on its own light paper.
///
/// # Errors
/// [`crate::Error::Usage`] when the drawing library refuses.
pub fn line_chart(chart: &Chart) -> Result<String> {
    line_charts(std::slice::from_ref(chart))
}

/// An SVG document of several charts side by side.
///
/// # Errors
/// As [`line_chart`].
pub fn line_charts(charts: &[Chart]) -> Result<String> {
    draw(charts.len(), |index, area| match charts.get(index) {
        Some(chart) => paint(chart, area),
        None => nothing(area),
    })
}

fn paint(chart: &Chart, area: &Area) -> Result<()> {
    let names: Vec<&str> = match chart.series.as_slice() {
        [_] => Vec::new(),
        series => series.iter().map(|series| series.name.as_str()).collect(),
    };
    let plot = header(area, &chart.title, &names)?;

    let lines: Vec<Vec<(f64, f64)>> = chart.series.iter().map(points_to_draw).collect();
    let points = || lines.iter().flatten();
    let (Some(xs), Some(ys)) =
        (extent(points().map(|point| point.0)), extent(points().map(|point| point.1)))
    else {
        return nothing(&plot);
    };
    let (x_range, y_range) = (padded(&xs, 0.02), padded(&ys, 0.06));
    let whole_steps = points().all(|point| point.0.fract() == 0.0);
    let x_tick = |x: &f64| match tick(*x, &x_range) {
        // An epoch has no half.
        label if whole_steps && label.contains('.') => String::new(),
        label => label,
    };

    let mut axes = ChartBuilder::on(&plot)
        .margin_left(16)
        .margin_right(40)
        .margin_bottom(16)
        .x_label_area_size(84)
        .y_label_area_size(116)
        .build_cartesian_2d(x_range.clone(), y_range.clone())
        .map_err(cannot_draw)?;
    axes.configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID.stroke_width(2))
        .light_line_style(TRANSPARENT)
        .axis_style(GRID.stroke_width(2))
        .set_all_tick_mark_size(6)
        .x_labels(9)
        .y_labels(6)
        .label_style(text(TEXT_SIZE, FAINT))
        .axis_desc_style(text(TEXT_SIZE, FAINT))
        .x_desc(super::escape::printable(&chart.x_label))
        .y_desc(super::escape::printable(&chart.y_label))
        .x_label_formatter(&x_tick)
        .y_label_formatter(&|y| tick(*y, &y_range))
        .draw()
        .map_err(cannot_draw)?;

    for (index, line) in lines.into_iter().enumerate() {
        let colour = colour(index);
        if line.len() <= MOST_DOTS {
            let dots = line.iter().map(|&point| Circle::new(point, 6, colour.filled()));
            axes.draw_series(dots).map_err(cannot_draw)?;
        }
        if line.len() > 1 {
            axes.draw_series(LineSeries::new(line, colour.stroke_width(4))).map_err(cannot_draw)?;
        }
    }
    Ok(())
}

fn points_to_draw(series: &Series) -> Vec<(f64, f64)> {
    let both = |point: &&(f64, f64)| drawable(point.0) && drawable(point.1);
    series.points.iter().filter(both).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: &[&[(f64, f64)]]) -> Chart {
        let series = |(index, points): (usize, &&[(f64, f64)])| Series {
            name: format!("line {index}"),
            points: points.to_vec(),
        };
        Chart {
            title: "Loss <&> \u{1}".into(),
            x_label: "epoch".into(),
            y_label: "\"loss\"".into(),
            series: points.iter().enumerate().map(series).collect(),
        }
    }

    /// How many elements of that name a document has, which must be well-formed.
    fn elements(svg: &str, element: &str) -> usize {
        let document = roxmltree::Document::parse(svg).unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        document.descendants().filter(|node| node.tag_name().name() == element).count()
    }

    #[test]
    fn draws_a_line_for_each_series() {
        let svg =
            line_chart(&chart(&[&[(0.0, 2.0), (1.0, 1.0)], &[(0.0, 3.0), (1.0, 2.5)]])).unwrap();
        assert!(svg.contains("Loss &lt;&amp;&gt;"), "{svg}");
        assert!(svg.contains("line 1"), "a legend for two lines");
        let one = line_chart(&chart(&[&[(0.0, 2.0), (1.0, 1.0)]])).unwrap();
        assert!(!one.contains("line 0"), "no legend for one line");
        let drawn = |svg: &str| svg.matches("stroke-width=\"4\"").count();
        assert_eq!((drawn(&svg), drawn(&one)), (2, 1));
        assert_eq!((elements(&svg, "circle"), elements(&one, "circle")), (4, 2));
    }

    #[test]
    fn survives_odd_points() {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        let odd: &[&[&[(f64, f64)]]] = &[
            &[],
            &[&[]],
            &[&[(0.0, 1.0)]],
            &[&[(nan, 1.0), (1.0, inf), (f64::MAX, f64::MIN)]],
            &[&[(0.0, 5.0), (1.0, 5.0), (2.0, nan), (3.0, 5.0)]],
            &[&[(0.0, 0.0); 3]],
            &[&[(0.0, 1e15), (1e-300, 1e15 + 0.25)]],
            &[&[(0.0, -1e29), (1e29, 1e29)]],
            &[&[(0.0, 1e-290), (1.0, 2e-290)]],
        ];
        for points in odd {
            let svg = line_chart(&chart(points)).unwrap();
            let drawn = points.iter().flat_map(|line| line.iter());
            let drawn = drawn.filter(|(x, y)| drawable(*x) && drawable(*y)).count();
            assert_eq!(elements(&svg, "circle"), drawn, "{points:?}");
        }
        assert!(line_chart(&chart(&[&[(nan, nan)]])).unwrap().contains("no data"));
        assert_eq!(elements(&line_charts(&[]).unwrap(), "circle"), 0);
    }

    #[test]
    fn panels_stand_side_by_side() {
        let one = chart(&[&[(0.0, 1.0), (1.0, 2.0)]]);
        let svg = line_charts(&[one.clone(), one]).unwrap();
        assert!(svg.contains("viewBox=\"0 0 2080 640\""), "{svg}");
        assert_eq!(svg.matches("epoch").count(), 2);
    }
}
