//! Places in the sorted order, for devices that do not sort.
//!
//! Burn sorts on the CPU, whatever the device: a round trip on a server, and impossible in a browser, where
//! no numbers can be waited for. A place is the number of greater values, which is arithmetic: a kernel of our own
//! where there is one, else operations whose comparisons are held in memory, a part after the other.

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
mod operation;

use burn::tensor::{Int, Tensor};

/// Comparisons at a time.
const COMPARISONS: usize = 1 << 24;

/// `[N, T, D] -> [N, T, D]`: the place of each value among the T of its column, 0 for the greatest; of
/// equal ones the earlier comes first.
pub(super) fn descending(values: Tensor<3>) -> Tensor<3, Int> {
    #[cfg(feature = "kernels")]
    if !crate::is_cpu(&values.device()) {
        let autodiff = values.device().is_autodiff();
        let places = operation::descending(values.inner());
        return if autodiff { Tensor::from_inner(places) } else { places };
    }
    in_parts(values.swap_dims(1, 2)).swap_dims(1, 2)
}

/// The same in Burn's operations, along the last dimension: `[N, D, T] -> [N, D, T]`.
fn in_parts(values: Tensor<3>) -> Tensor<3, Int> {
    let [rows, width, length] = values.dims();
    let at_once = (COMPARISONS / (rows * length * length).max(1)).clamp(1, width.max(1));
    let places = Tensor::<1, Int>::arange(0..length as i64, &values.device());
    let earlier = places
        .clone()
        .reshape([1, 1, 1, length])
        .expand([1, 1, length, length])
        .lower(places.reshape([1, 1, length, 1]).expand([1, 1, length, length]));
    let parts = values.split(at_once, 1).into_iter().map(|part| {
        let [_, width, _] = part.dims();
        let shape = [rows, width, length, length];
        let own = part.clone().unsqueeze_dim::<4>(3).expand(shape);
        let other = part.unsqueeze_dim::<4>(2).expand(shape);
        let tied = other.clone().equal(own.clone()).bool_and(earlier.clone().expand(shape));
        other.greater(own).bool_or(tied).int().sum_dim(3).squeeze_dim::<3>(3)
    });
    Tensor::cat(parts.collect(), 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn every_place_is_taken_once() {
        let values = vec![2.0f32, 5.0, 2.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0];
        let values = Tensor::from_data(TensorData::new(values, [1, 3, 4]), &Device::flex());
        let found = in_parts(values).into_data().try_to_vec_as::<i64>().unwrap();
        assert_eq!(found, [1, 0, 2, 3, 0, 1, 2, 3, 3, 2, 1, 0]);
    }
}
