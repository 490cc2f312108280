//! A gentle bend of the picture.

use rand::Rng;

use super::uniform;

/// Nodes along a side.
const NODES: usize = 4;

/// Shifts of `NODES` x `NODES` nodes spread evenly over the picture; between them, as plain
/// bilinear interpolation has it.
pub(super) struct Warp {
    /// To the right and down, as shares of the side; row by row.
    nodes: [[f64; 2]; NODES * NODES],
}

impl Warp {
    /// Every shift uniform in `[-limit, limit)`, each node for itself.
    pub fn draw(limit: f64, rng: &mut impl Rng) -> Self {
        Self { nodes: [(); NODES * NODES].map(|()| [(); 2].map(|()| uniform(-limit, limit, rng))) }
    }

    /// The shift at `x`, `y`, both from 0 (left, top) to 1.
    pub fn shift(&self, x: f64, y: f64) -> [f64; 2] {
        let cell = |at: f64| {
            let at = at.clamp(0.0, 1.0) * (NODES - 1) as f64;
            let first = (at as usize).min(NODES - 2);
            (first, at - first as f64)
        };
        let ((column, wx), (row, wy)) = (cell(x), cell(y));
        let node = |row: usize, column: usize| self.nodes[row * NODES + column];
        let between = |a: [f64; 2], b: [f64; 2], w: f64| [0, 1].map(|i| a[i] + w * (b[i] - a[i]));
        let upper = between(node(row, column), node(row, column + 1), wx);
        let lower = between(node(row + 1, column), node(row + 1, column + 1), wx);
        between(upper, lower, wy)
    }
}

#[cfg(test)]
impl Warp {
    /// The same shift everywhere.
    pub fn constant(shift: [f64; 2]) -> Self {
        Self { nodes: [shift; NODES * NODES] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_keep_their_shift_and_the_middle_has_the_mean_of_its_four() {
        let mut nodes = [[0.0; 2]; NODES * NODES];
        nodes.iter_mut().enumerate().for_each(|(at, node)| *node = [at as f64, -(at as f64)]);
        let warp = Warp { nodes };
        assert_eq!(warp.shift(0.0, 0.0), [0.0, 0.0]);
        assert_eq!(warp.shift(1.0, 1.0), [15.0, -15.0]);
        let middle = warp.shift(0.5, 0.5);
        assert!((middle[0] - 7.5).abs() < 1e-12 && (middle[1] + 7.5).abs() < 1e-12, "{middle:?}");
    }
}
