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
    let tokens = random([2, 7, 3]).require_grad();
    let weights = Tensor::<2>::random([2, 7], Distribution::Default, &device).require_grad();
    let factors = Tensor::<2>::random([2, 3], Distribution::Default, &device);
    let gradient = |weigh: fn(Tensor<3>, Tensor<2>) -> Tensor<2>| {
        let pooled = weigh(tokens.clone(), weights.clone());
        let grads = (pooled.clone() * factors.clone()).sum().backward();
        let of_weights = weights.grad(&grads).unwrap().unsqueeze::<3>();
        [pooled.inner().unsqueeze::<3>(), tokens.grad(&grads).unwrap(), of_weights]
    };
    let (sorted, ranked) = (gradient(weighted_by_sorting), gradient(weighted_by_ranks));
    for (a, b) in sorted.into_iter().zip(ranked) {
        assert!((a - b).abs().max().into_scalar::<f32>() < 1e-6);
    }
}
