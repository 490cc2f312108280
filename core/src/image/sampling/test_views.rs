//! More fixed views of an image than a model has slots for, to be averaged.

use std::f64::consts::{FRAC_PI_4, PI};

use super::{Grid, RadialBiasSampling, ViewPlan, nearest};

/// A coordinate of 2.4999999999999996 patches is meant to be 2.5.
const ROUNDING: f64 = 1e-9;

impl RadialBiasSampling {
    /// `plans` plans of fixed view centres, as one plan of `plans * V` views an image: the V
    /// views of plan 0 first, which are those of [`fixed_plan`](Self::fixed_plan).
    ///
    /// The centres of plan p are those of plan 0 turned about the middle of the grid by p
    /// times `180 / plans` degrees, on squares: what lies on a diagonal turns onto a middle
    /// line at the same distance in rows or columns. Half a turn would be plan 0 with its
    /// views exchanged.
    pub fn fixed_plans(&self, grid: Grid, batch: usize, plans: usize) -> ViewPlan {
        let first = self.fixed_plan(grid, 1);
        let mut one = first.indices;
        for plan in 1..plans {
            let turned = FRAC_PI_4 + PI * plan as f64 / plans as f64;
            for view in 0..self.views {
                one.extend(nearest(grid.side, self.centre(grid, view, turned), first.kept));
            }
        }
        let indices = one.repeat(batch);
        ViewPlan { batch, views: plans.max(1) * self.views, indices, ..first }
    }

    /// The centre of a view whose plan lies on a line at `angle` to the rows.
    fn centre(&self, grid: Grid, view: usize, angle: f64) -> usize {
        let (y, x) = angle.sin_cos();
        // On squares: the longer of both is 1.
        let scale = y.abs().max(x.abs());
        let offset = (2 * view + 1) as f64 / (2 * self.views) as f64 - 0.5;
        let patch = |direction: f64| {
            let at = grid.side as f64 * (0.5 + offset * direction / scale);
            ((at + ROUNDING).floor().max(0.0) as usize).min(grid.side - 1)
        };
        patch(y) * grid.side + patch(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { side: 8, class_token: true };

    fn centres(plans: usize) -> Vec<(usize, usize)> {
        let plan = RadialBiasSampling::default().fixed_plans(GRID, 2, plans);
        assert_eq!((plan.batch, plan.views), (2, 2 * plans));
        let each = plan.views * plan.kept;
        assert_eq!(plan.indices[..each], plan.indices[each..]);
        let first = |view: &[u32]| (view[0] as usize / 8, view[0] as usize % 8);
        plan.indices[..each].chunks(plan.kept).map(first).collect()
    }

    #[test]
    fn centres_turn_about_the_middle() {
        assert_eq!(centres(1), [(2, 2), (6, 6)]);
        assert_eq!(centres(2), [(2, 2), (6, 6), (2, 6), (6, 2)]);
        let four = [(2, 2), (6, 6), (2, 4), (6, 4), (2, 6), (6, 2), (4, 6), (4, 2)];
        assert_eq!(centres(4), four);
    }

    #[test]
    fn one_plan_is_the_usual_one() {
        let sampling = RadialBiasSampling { views: 3, ..Default::default() };
        for side in [1, 2, 7, 12] {
            let grid = Grid { side, class_token: false };
            assert_eq!(sampling.fixed_plans(grid, 2, 1), sampling.fixed_plan(grid, 2));
            for plan in sampling.fixed_plans(grid, 1, 5).indices {
                assert!((plan as usize) < side * side);
            }
        }
    }

    #[test]
    fn the_first_plan_does_not_depend_on_how_many_follow() {
        let sampling = RadialBiasSampling::default();
        for side in [3, 7, 16] {
            let grid = Grid { side, class_token: true };
            for view in 0..2 {
                let usual = sampling.fixed_plan(grid, 1);
                let usual = usual.indices[view * usual.kept] as usize;
                assert_eq!(sampling.centre(grid, view, FRAC_PI_4), usual, "{side}");
            }
        }
    }
}
