//! What a run shows to people: tables for the terminal, charts as SVG, and the
//! demo's page.

mod bars;
mod canvas;
mod curves;
mod escape;
pub mod html;
mod positives;
mod roofline;
mod table;

pub use bars::{BarChart, BarSeries, bar_chart};
pub use curves::{Chart, Series, line_chart, line_charts};
pub use positives::positives_table;
pub use roofline::{Roof, Roofline, RooflinePoint, roofline_chart};
pub use table::{metrics_table, one_decimal};
