//! Tensors that the official code saves and never computes with.

use burn::tensor::TensorData;

use super::StateDict;

/// Adds what the official code's strict loading asks for beside the weights of
/// a ViT model: poolers, the second batch norm of the text head and a score,
/// all neutral, as none takes part in any result. What is there stays.
///
/// A Swin model's index tables are not made: the official code does not run it.
pub fn complete_official(weights: &mut StateDict) {
    let width = |weights: &StateDict, name: &str| Some(weights.get(name)?.shape()[0]);
    let zeros = |shape: &[usize]| TensorData::zeros::<f32, _>(shape.to_vec());
    let mut added = Vec::new();
    if let Some(size) = width(weights, "img_enc.visual_encoder.layernorm.weight") {
        let pooler = "img_enc.visual_encoder.pooler.dense";
        added.push((format!("{pooler}.weight"), zeros(&[size, size])));
        added.push((format!("{pooler}.bias"), zeros(&[size])));
    }
    if let Some(size) = width(weights, "txt_enc.bert.embeddings.LayerNorm.weight") {
        added.push(("txt_enc.bert.pooler.dense.weight".to_string(), zeros(&[size, size])));
        added.push(("txt_enc.bert.pooler.dense.bias".to_string(), zeros(&[size])));
    }
    if let Some(size) = width(weights, "txt_enc.mlp.layers.1.bias") {
        let ones = || TensorData::ones::<f32, _>([size]);
        let norm = "txt_enc.mlp.bns.1";
        added.push((format!("{norm}.weight"), ones()));
        added.push((format!("{norm}.bias"), zeros(&[size])));
        added.push((format!("{norm}.running_mean"), zeros(&[size])));
        added.push((format!("{norm}.running_var"), ones()));
    }
    for norm in 0..2 {
        let name = format!("txt_enc.mlp.bns.{norm}.num_batches_tracked");
        added.push((name, TensorData::zeros::<i64, _>(Vec::<usize>::new())));
    }
    added.push(("sim_enc.bin_score".to_string(), zeros(&[])));
    for (name, data) in added {
        if weights.get(&name).is_none() {
            weights.insert(name, data);
        }
    }
}
