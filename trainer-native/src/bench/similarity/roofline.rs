//! The picture of what was reached and what the machine allows.

use super::{Row, SimilarityReport};
use crate::Result;
use crate::report::{Roof, Roofline, RooflinePoint, roofline_chart};

/// An SVG document: work on the processor under the machine's roofs.
///
/// # Errors
/// [`crate::Error::Usage`] when the drawing library refuses.
pub fn roofline(report: &SimilarityReport) -> Result<String> {
    let peaks = &report.peaks;
    let mut roofs = vec![Roof {
        name: "f32 multiply-adds".into(),
        flops_per_second: peaks.f32_flops,
        bytes_per_second: peaks.read_bytes,
    }];
    roofs.extend(peaks.i16_flops.map(|flops_per_second| Roof {
        name: "i16 dot products".into(),
        flops_per_second,
        bytes_per_second: peaks.read_bytes_int8,
    }));
    let here = || report.rows.iter().filter(|row| row.adapter.is_none());
    let mut points: Vec<RooflinePoint> = Vec::new();
    for point in here().filter_map(ours).chain(here().filter_map(theirs)) {
        // Work with several peers has a row for each.
        if !points.iter().any(|known| same_place(known, &point)) {
            points.push(point);
        }
    }
    roofline_chart(&Roofline {
        title: "AEOM on the processor: exact block products a second".into(),
        ours: "this engine".into(),
        peers: "peers".into(),
        roofs,
        points,
    })
}

fn same_place(a: &RooflinePoint, b: &RooflinePoint) -> bool {
    (a.flops_per_byte, a.flops_per_second) == (b.flops_per_byte, b.flops_per_second)
}

fn ours(row: &Row) -> Option<RooflinePoint> {
    Some(RooflinePoint {
        name: row.work.clone(),
        is_peer: false,
        flops_per_byte: row.intensity()?,
        flops_per_second: row.flops? / row.ours_s,
    })
}

/// A peer stands at the intensity of the same work in f32.
fn theirs(row: &Row) -> Option<RooflinePoint> {
    let in_f32 = row.work.ends_with("-f32");
    (in_f32 && row.peer.is_some()).then_some(())?;
    Some(RooflinePoint {
        name: row.peer.clone()?,
        is_peer: true,
        flops_per_byte: row.intensity()?,
        flops_per_second: row.flops? / row.peer_s?,
    })
}
