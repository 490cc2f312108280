//! Colour changes and blur, on planes of values 0..255.

/// Rec. 601 weights of red, green and blue in the perceived brightness.
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// An affine map of red, green and blue: brightness, contrast, saturation and
/// hue composed, so that every pixel is touched once and clamped once.
pub(super) struct ColourMap {
    matrix: [[f32; 3]; 3],
    offset: [f32; 3],
    /// Mean colour of the image as mapped so far, the fixed point of contrast.
    mean: [f32; 3],
}

impl ColourMap {
    /// The map that changes nothing, for an image of three equal planes.
    pub(super) fn identity(planes: &[f32]) -> Self {
        let pixels = (planes.len() / 3).max(1);
        let mut mean = [0.0; 3];
        for (mean, plane) in mean.iter_mut().zip(planes.chunks_exact(pixels)) {
            *mean = plane.iter().sum::<f32>() / pixels as f32;
        }
        let matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        Self { matrix, offset: [0.0; 3], mean }
    }

    /// Multiplies everything by `factor`.
    pub(super) fn brightness(&mut self, factor: f32) {
        self.then(scaled(factor), [0.0; 3]);
    }

    /// Moves every pixel away from the mean gray of the image by `factor`.
    pub(super) fn contrast(&mut self, factor: f32) {
        self.then(scaled(factor), [(1.0 - factor) * dot(LUMA, self.mean); 3]);
    }

    /// Moves every pixel away from its own gray by `factor`; 0 is gray.
    pub(super) fn saturation(&mut self, factor: f32) {
        let mut matrix = scaled(factor);
        for row in &mut matrix {
            for (value, luma) in row.iter_mut().zip(LUMA) {
                *value += (1.0 - factor) * luma;
            }
        }
        self.then(matrix, [0.0; 3]);
    }

    /// Rotates colours about the gray axis.
    pub(super) fn hue(&mut self, radians: f32) {
        let (sin, cos) = radians.sin_cos();
        let (third, turn) = ((1.0 - cos) / 3.0, sin / 3f32.sqrt());
        let (same, next, previous) = (cos + third, third - turn, third + turn);
        let matrix = [[same, next, previous], [previous, same, next], [next, previous, same]];
        self.then(matrix, [0.0; 3]);
    }

    fn then(&mut self, matrix: [[f32; 3]; 3], offset: [f32; 3]) {
        let columns = [0, 1, 2].map(|column| self.matrix.map(|row| row[column]));
        let of = |vector: [f32; 3], plus: [f32; 3]| {
            [0, 1, 2].map(|row| dot(matrix[row], vector) + plus[row])
        };
        self.matrix = matrix.map(|row| columns.map(|column| dot(row, column)));
        self.offset = of(self.offset, offset);
        self.mean = of(self.mean, offset);
    }

    /// Maps three equal planes in place and clamps them to 0..255.
    pub(super) fn apply(&self, planes: &mut [f32]) {
        let pixels = planes.len() / 3;
        let (red, rest) = planes.split_at_mut(pixels);
        let (green, blue) = rest.split_at_mut(pixels);
        for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
            let pixel = [*red, *green, *blue];
            let mapped =
                |row: usize| (dot(self.matrix[row], pixel) + self.offset[row]).clamp(0.0, 255.0);
            (*red, *green, *blue) = (mapped(0), mapped(1), mapped(2));
        }
    }
}

fn scaled(factor: f32) -> [[f32; 3]; 3] {
    [[factor, 0.0, 0.0], [0.0, factor, 0.0], [0.0, 0.0, factor]]
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Gaussian blur of square planes, `sigma` in pixels, edges repeated.
pub(super) fn blur(planes: &mut [f32], side: usize, sigma: f64) {
    const RADIUS: usize = 3; // Two sigma of the strongest blur in use.
    let weights: Vec<f32> = {
        let bell = |offset: usize| (-((offset * offset) as f64) / (2.0 * sigma * sigma)).exp();
        let total = 1.0 + 2.0 * (1..=RADIUS).map(bell).sum::<f64>();
        (0..=RADIUS).map(|offset| (bell(offset) / total) as f32).collect()
    };
    let Some(last) = side.checked_sub(1) else { return };
    let mut across = vec![0.0; side * side];
    for plane in planes.chunks_exact_mut(side * side) {
        // Lines are padded by repeating their ends, then shifted copies summed.
        let mut padded = vec![0.0; side + 2 * RADIUS];
        for (row, out) in plane.chunks_exact(side).zip(across.chunks_exact_mut(side)) {
            padded[..RADIUS].fill(row[0]);
            padded[RADIUS..RADIUS + side].copy_from_slice(row);
            padded[RADIUS + side..].fill(row[last]);
            for (x, out) in out.iter_mut().enumerate() {
                let window = &padded[x..x + 2 * RADIUS + 1];
                *out = (1..=RADIUS).fold(weights[0] * window[RADIUS], |sum, offset| {
                    sum + weights[offset] * (window[RADIUS - offset] + window[RADIUS + offset])
                });
            }
        }
        for (y, out) in plane.chunks_exact_mut(side).enumerate() {
            let line = |row: usize| &across[row * side..][..side];
            for (out, value) in out.iter_mut().zip(line(y)) {
                *out = weights[0] * value;
            }
            for (offset, &weight) in weights.iter().enumerate().skip(1) {
                let (above, below) = (line(y.saturating_sub(offset)), line((y + offset).min(last)));
                for ((out, above), below) in out.iter_mut().zip(above).zip(below) {
                    *out += weight * (above + below);
                }
            }
        }
    }
}
