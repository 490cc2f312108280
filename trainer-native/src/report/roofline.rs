//! Roofline charts: speed over operations a byte, both logarithmic, under what a machine allows.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{
    Area, FAINT, GRID, INK, TEXT_SIZE, cannot_draw, colour, draw, extent, header, nothing, text,
};
use super::escape::printable;
use crate::Result;

/// A roofline chart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Roofline {
    /// The heading above the plot.
    pub title: String,
    /// What the legend calls points of our own.
    pub ours: String,
    /// What it calls the others.
    pub peers: String,
    /// What the machine allows.
    pub roofs: Vec<Roof>,
    /// What was reached.
    pub points: Vec<RooflinePoint>,
}

/// Memory limits speed up to where arithmetic does.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Roof {
    /// What limits on the right.
    pub name: String,
    /// The flat part.
    pub flops_per_second: f64,
    /// The slope.
    pub bytes_per_second: f64,
}

/// Something measured; points that are not positive and finite are left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RooflinePoint {
    /// Written beside it.
    pub name: String,
    /// Whether it is someone else's.
    pub is_peer: bool,
    /// Operations a byte.
    pub flops_per_byte: f64,
    /// Operations a second.
    pub flops_per_second: f64,
}

/// Text beside the points.
const LABEL_SIZE: f64 = 20.0;
/// Least distance of two labels from each other.
const LABEL_STEP: i32 = 25;

/// An SVG document of the chart.
///
/// # Errors
/// [`crate::Error::Usage`] when the drawing library refuses.
pub fn roofline_chart(chart: &Roofline) -> Result<String> {
    draw(1, |_, area| paint(chart, area))
}

fn paint(chart: &Roofline, area: &Area) -> Result<()> {
    let plot = header(area, &chart.title, &[&chart.ours, &chart.peers])?;
    let fits = |value: f64| value.is_finite() && value > 1e-30 && value < 1e30;
    let points = chart.points.iter();
    let points: Vec<&RooflinePoint> =
        points.filter(|point| fits(point.flops_per_byte) && fits(point.flops_per_second)).collect();
    let roofs = chart.roofs.iter();
    let roofs: Vec<&Roof> =
        roofs.filter(|roof| fits(roof.flops_per_second) && fits(roof.bytes_per_second)).collect();
    let xs = points.iter().map(|point| point.flops_per_byte);
    let ys = points.iter().map(|point| point.flops_per_second / 1e9);
    let tops = roofs.iter().map(|roof| roof.flops_per_second / 1e9);
    let (Some(xs), Some(ys)) = (extent(xs), extent(ys.chain(tops))) else {
        return nothing(&plot);
    };
    // Room for labels on both sides of the points.
    let (x_range, y_range) = (xs.start / 4.0..xs.end * 4.0, ys.start / 2.0..ys.end * 1.6);

    let mut axes = ChartBuilder::on(&plot)
        .margin_left(16)
        .margin_right(40)
        .margin_bottom(16)
        .x_label_area_size(84)
        .y_label_area_size(116)
        .build_cartesian_2d(x_range.clone().log_scale(), y_range.log_scale())
        .map_err(cannot_draw)?;
    axes.configure_mesh()
        .bold_line_style(GRID.stroke_width(2))
        .light_line_style(TRANSPARENT)
        .axis_style(GRID.stroke_width(2))
        .label_style(text(TEXT_SIZE, FAINT))
        .axis_desc_style(text(TEXT_SIZE, FAINT))
        .x_desc("operations a byte that must be moved")
        .y_desc("GFLOP/s")
        .x_label_formatter(&|x| format!("{x}"))
        .y_label_formatter(&|y| format!("{y}"))
        .draw()
        .map_err(cannot_draw)?;

    for roof in roofs {
        let top = roof.flops_per_second / 1e9;
        let slope = roof.bytes_per_second / 1e9;
        let ridge = (top / slope).clamp(x_range.start, x_range.end);
        let corners = [x_range.start, ridge, x_range.end].map(|x| (x, top.min(slope * x)));
        axes.draw_series(LineSeries::new(corners, INK.stroke_width(3))).map_err(cannot_draw)?;
        let label = format!("{}, {top:.0} GFLOP/s, {slope:.1} GB/s", printable(&roof.name));
        let (_, y) = axes.backend_coord(&(x_range.start, top));
        let (left, above) = plot.get_base_pixel();
        let style = text(LABEL_SIZE, FAINT).pos(Pos::new(HPos::Left, VPos::Bottom));
        plot.draw_text(&label, &style, (150 - left.min(0), y - above - 2)).map_err(cannot_draw)?;
    }
    let placed: Vec<(i32, i32)> = points
        .iter()
        .map(|point| axes.backend_coord(&(point.flops_per_byte, point.flops_per_second / 1e9)))
        .collect();
    for point in &points {
        let at = (point.flops_per_byte, point.flops_per_second / 1e9);
        let dot = Circle::new(at, 7, colour(usize::from(point.is_peer)).filled());
        axes.draw_series([dot]).map_err(cannot_draw)?;
    }
    labels(&plot, &points, &placed)
}

/// Names beside their points, towards the middle, none over another.
fn labels(plot: &Area, points: &[&RooflinePoint], placed: &[(i32, i32)]) -> Result<()> {
    let ((left, above), (width, _)) = (plot.get_base_pixel(), plot.dim_in_pixel());
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by_key(|&at| placed[at].1);
    let mut lowest = [i32::MIN; 2];
    for at in order {
        let (x, y) = (placed[at].0 - left, placed[at].1 - above);
        let is_right = x > width as i32 / 2;
        let lowest = &mut lowest[usize::from(is_right)];
        let y = y.max(lowest.saturating_add(LABEL_STEP));
        *lowest = y;
        let (side, x) = if is_right { (HPos::Right, x - 14) } else { (HPos::Left, x + 14) };
        let style = text(LABEL_SIZE, INK).pos(Pos::new(side, VPos::Center));
        plot.draw_text(&printable(&points[at].name), &style, (x, y)).map_err(cannot_draw)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(flops_per_byte: f64, flops_per_second: f64) -> RooflinePoint {
        RooflinePoint { name: "work <1>".into(), is_peer: false, flops_per_byte, flops_per_second }
    }

    fn chart(points: &[RooflinePoint]) -> Roofline {
        let roof = Roof { name: "adds".into(), flops_per_second: 2e11, bytes_per_second: 1e10 };
        Roofline { roofs: vec![roof], points: points.to_vec(), ..Roofline::default() }
    }

    /// Dots and their labels, in a document that must be well-formed.
    fn drawn(svg: &str) -> (usize, usize) {
        let document = roxmltree::Document::parse(svg).unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        let dots = document.descendants().filter(|node| node.has_tag_name("circle")).count();
        (dots, svg.matches("work &lt;1&gt;").count())
    }

    #[test]
    fn every_point_has_a_dot_and_a_name() {
        let svg = roofline_chart(&chart(&[point(2.0, 1e10), point(1700.0, 1.3e11)])).unwrap();
        assert_eq!(drawn(&svg), (2, 2));
        assert!(svg.contains("adds, 200 GFLOP/s, 10.0 GB/s"), "{svg}");
    }

    #[test]
    fn odd_points_are_left_out() {
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX] {
            let svg = roofline_chart(&chart(&[point(odd, 1e9), point(1.0, odd), point(1.0, 1e9)]));
            assert_eq!(drawn(&svg.unwrap()), (1, 1), "{odd}");
        }
        assert!(roofline_chart(&Roofline::default()).unwrap().contains("no data"));
    }
}
