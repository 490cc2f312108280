//! Weights that are remembered, and values that are weighed by their places.

use super::*;

#[test]
fn remembered_weights_are_those_of_the_network() {
    let device = Device::flex();
    let plain = Gpo::new(&PoolingConfig::default(), &device);
    let known = Gpo { known: Some(KnownWeights::default()), ..plain.clone() };
    for lengths in [vec![5], vec![3, 7, 1, 7], vec![7, 0, 2]] {
        let mask = TokenMask::from_lengths(&lengths, 7);
        let numbers =
            |gpo: &Gpo| gpo.weights(&mask, &device).into_data().try_to_vec::<f32>().unwrap();
        let (expected, found) = (numbers(&plain), numbers(&known));
        assert_eq!(found.len(), lengths.len() * 7);
        for ((row, expected), length) in
            found.chunks(7).zip(expected.chunks(7)).zip(&lengths).filter(|(_, l)| **l > 0)
        {
            let close = row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
            assert!(close, "{length}: {row:?} {expected:?}");
        }
    }
}
#[test]
#[cfg(feature = "training")]
fn ranks_weigh_as_sorting_does() {
    use burn::tensor::Distribution;
    let device = Device::flex().autodiff();
    let random = |shape| Tensor::<3>::random(shape, Distribution::Default, &device);
    let (columns, weights) = (random([2, 3, 7]).require_grad(), random([2, 3, 7]));
    let factors = random([2, 3, 1]);
    let gradient = |weigh: fn(Tensor<3>, Tensor<3>) -> Tensor<3>| {
        let pooled = weigh(columns.clone(), weights.clone()).sum_dim(2);
        let grads = (pooled.clone() * factors.clone()).sum().backward();
        (pooled.inner(), columns.grad(&grads).unwrap())
    };
    let (sorted, ranked) = (gradient(weighted_by_sorting), gradient(weighted_by_ranks));
    for (a, b) in [(sorted.0, ranked.0), (sorted.1, ranked.1)] {
        assert!((a - b).abs().max().into_scalar::<f32>() < 1e-6);
    }
}

#[test]
fn both_directions_together_are_the_same_as_each() {
    use burn::tensor::Distribution;
    let device = Device::flex();
    let gpo = Gpo::new(&PoolingConfig::default(), &device);
    for rows in [1, 4] {
        let random = |rows| {
            let shape = [7, rows, PoolingConfig::default().position_size];
            Tensor::<3>::random(shape, Distribution::Default, &device)
        };
        let inputs = [random(1), random(rows)];
        let [forward, backward] = gpo.run_each(inputs.clone());
        let [forwards, backward_too] = gpo.run_together(inputs);
        assert_eq!(forwards.dims(), backward.dims());
        for difference in [forwards - forward, backward_too - backward] {
            assert!(difference.abs().max().into_scalar::<f32>() < 1e-6);
        }
    }
}
