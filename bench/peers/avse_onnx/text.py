"""The text tower: token ids to unit blocks (see core/src/text)."""

import numpy as np
from onnx import TensorProto

from . import pooling
from .graph import Graph

NORM_EPSILON = 1e-5


def build(bundle, half):
    config, embed = bundle.config["text"], bundle.config["embed_size"]
    part = lambda name: bundle.weight(f"txt_enc.{name}")
    pair = lambda name: (part(f"{name}.weight"), part(f"{name}.bias"))
    graph = Graph(half)
    ids = graph.input("ids", TensorProto.INT64, [1, "tokens"])
    # [1]: the number of tokens.
    length = graph.op("Shape", ids, start=1, end=2)
    start = graph.constant([0])

    table = part("bert.embeddings.position_embeddings.weight") + part("bert.embeddings.token_type_embeddings.weight")[:1]
    positions = graph.op("Slice", graph.weight(table), start, length, start)
    words = graph.op("Gather", graph.weight(part("bert.embeddings.word_embeddings.weight")), ids)
    epsilon = config["layer_norm_eps"]
    x = graph.layer_norm(graph.op("Add", words, positions), *pair("bert.embeddings.LayerNorm"), epsilon)
    for layer in range(config["num_hidden_layers"]):
        name = f"bert.encoder.layer.{layer}"
        parts = {role: pair(f"{name}.attention.self.{role}") for role in ("query", "key", "value")}
        parts["output"] = pair(f"{name}.attention.output.dense")
        attended = graph.attention(x, parts, config["num_attention_heads"])
        x = graph.layer_norm(graph.op("Add", x, attended), *pair(f"{name}.attention.output.LayerNorm"), epsilon)
        inner = graph.activation(graph.linear(x, *pair(f"{name}.intermediate.dense")), config.get("hidden_act", "gelu"))
        fed = graph.linear(inner, *pair(f"{name}.output.dense"))
        x = graph.layer_norm(graph.op("Add", x, fed), *pair(f"{name}.output.LayerNorm"), epsilon)

    # The batch norm between the two layers of the head's MLP is part of the first.
    scale = part("mlp.bns.0.weight") / np.sqrt(part("mlp.bns.0.running_var") + NORM_EPSILON)
    weight, bias = pair("mlp.layers.0")
    bias = (bias - part("mlp.bns.0.running_mean")) * scale + part("mlp.bns.0.bias")
    inner = graph.op("Relu", graph.linear(x, weight * scale[:, None], bias))
    tokens = graph.op("Add", graph.linear(inner, *pair("mlp.layers.1")), graph.linear(x, *pair("fc")))

    most = config["max_position_embeddings"]
    rows = graph.constant(pooling.weights(bundle, "txt_enc.gpool", range(1, most + 1), most), np.float32)
    row = graph.op("Gather", rows, graph.op("Sub", length, graph.constant([1])))
    shares = graph.op("Slice", row, start, length, graph.constant([1]))
    # [T, 1], so that the product is a plain matrix product.
    shares = graph.op("Reshape", shares, graph.constant([-1, 1]))
    pooled = graph.op("Reshape", graph.sorted_mean(tokens, shares, length), graph.constant([1, embed]))
    pooled = graph.layer_norm(pooled, *pair("ln"), NORM_EPSILON)
    graph.output(graph.unit_blocks(pooled, embed // bundle.block, bundle.block), "blocks", [1, embed])
    return graph.model("avse-text")
