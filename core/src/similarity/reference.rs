//! AEOM in tensor operations: differentiable, on any device, and the oracle of every
//! faster form.

use burn::tensor::Tensor;

/// Added to a norm before dividing by it (official code).
const NORM_EPSILON: f64 = 1e-8;

/// `x / (|x| + 1e-8)` along the last dimension.
pub fn l2_normalise<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    l2_normalise_along(x, D - 1)
}

/// `x / (|x| + 1e-8)` along `dim`.
pub(crate) fn l2_normalise_along<const D: usize>(x: Tensor<D>, dim: usize) -> Tensor<D> {
    // The gradient of sqrt at 0 is infinite: a zero vector must stay zero, also backwards.
    let squares = x.clone().square().sum_dim(dim).clamp_min(f32::MIN_POSITIVE);
    x / squares.sqrt().add_scalar(NORM_EPSILON)
}

/// Cuts embeddings into unit blocks: `[N, blocks * width] -> [N, blocks, width]`.
pub fn unit_blocks(embeddings: Tensor<2>, width: usize) -> Tensor<3> {
    let [rows, size] = embeddings.dims();
    let normalised = l2_normalise(embeddings);
    l2_normalise(normalised.reshape([rows, size / width, width]))
}

/// `S[i, j] = sum over caption blocks of the max over image blocks of their dot product`:
/// `[N, I, W]` and `[M, C, W]` -> `[N, M]`.
pub fn match_blocks(images: Tensor<3>, captions: Tensor<3>) -> Tensor<2> {
    let [rows, image_blocks, width] = images.dims();
    let [columns, caption_blocks, _] = captions.dims();
    let images = images.reshape([rows * image_blocks, width]);
    let captions = captions.reshape([columns * caption_blocks, width]);
    images
        .matmul(captions.transpose())
        .reshape([rows, image_blocks, columns, caption_blocks])
        .max_dim(1)
        .sum_dim(3)
        .reshape([rows, columns])
}

/// Scores of all pairs: image embeddings `[N, I * W]`, caption embeddings `[M, C * W]`,
/// blocks of width W -> `[N, M]`.
pub fn similarity(images: Tensor<2>, captions: Tensor<2>, width: usize) -> Tensor<2> {
    match_blocks(unit_blocks(images, width), unit_blocks(captions, width))
}
