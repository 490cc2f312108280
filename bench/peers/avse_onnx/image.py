"""The image tower: normalised pixels to unit blocks, both views around their fixed centres (see core/src/image)."""

import math

import numpy as np
from onnx import TensorProto

from . import pooling
from .graph import Graph
from .position import resize

BATCH_NORM_EPSILON = 1e-5
BACKBONE = "img_enc.visual_encoder"


def build(bundle, half):
    config, embed = bundle.config, bundle.config["embed_size"]
    side = config["image_size"]
    graph = Graph(half)
    pixels = graph.input("pixels", TensorProto.FLOAT, ["images", 3, side, side])
    kind = config["image"]["model_type"]
    if kind not in ("resnet", "vit"):
        raise SystemExit(f"no export of a {kind} backbone")
    tokens, length = (resnet if kind == "resnet" else vit)(graph, bundle, pixels)

    head = "img_enc.image_encoder"
    tokens = graph.linear(tokens, bundle.weight(f"{head}.fc.weight"), bundle.weight(f"{head}.fc.bias"))
    shares = pooling.weights(bundle, f"{head}.gpool", [length], length)
    pooled = graph.sorted_mean(tokens, graph.constant(shares.T, np.float32), graph.constant([length]))
    size = bundle.views * embed
    graph.output(graph.unit_blocks(pooled, size // bundle.block, bundle.block), "blocks", ["images", size])
    return graph.model("avse-image")


def resnet(graph, bundle, pixels):
    """Tokens [B * V, K, D] and K."""
    config = bundle.config["image"]
    map = convolve(graph, bundle, pixels, f"{BACKBONE}.embedder.embedder", 2)
    map = graph.op("MaxPool", graph.op("Relu", map), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    side = math.ceil(math.ceil(bundle.config["image_size"] / 2) / 2)
    bottleneck = config.get("layer_type", "bottleneck") == "bottleneck"
    for stage, depth in enumerate(config["depths"]):
        stage_stride = 1 if stage == 0 and not config.get("downsample_in_first_stage") else 2
        side = math.ceil(side / stage_stride)
        for block in range(depth):
            name = f"{BACKBONE}.encoder.stages.{stage}.layers.{block}"
            stride = stage_stride if block == 0 else 1
            early = not bottleneck or config.get("downsample_in_bottleneck")
            strides = [stride, 1, 1] if early else [1, stride, 1]
            branch = map
            layers = 3 if bottleneck else 2
            for layer in range(layers):
                branch = convolve(graph, bundle, branch, f"{name}.layer.{layer}", strides[layer])
                branch = branch if layer == layers - 1 else graph.op("Relu", branch)
            if bundle.has(f"{name}.shortcut.convolution.weight"):
                map = convolve(graph, bundle, map, f"{name}.shortcut", stride)
            map = graph.op("Relu", graph.op("Add", branch, map))
    width = config["hidden_sizes"][-1]
    flat = graph.op("Reshape", map, graph.constant([0, width, side * side]))
    return views(graph, bundle, graph.op("Transpose", flat, perm=[0, 2, 1]), side, False, width)


def convolve(graph, bundle, map, name, stride):
    """Convolution and its batch norm, folded into one."""
    weight = bundle.weight(f"{name}.convolution.weight")
    norm = lambda part: bundle.weight(f"{name}.normalization.{part}")
    scale = norm("weight") / np.sqrt(norm("running_var") + BATCH_NORM_EPSILON)
    weight, bias = weight * scale[:, None, None, None], norm("bias") - norm("running_mean") * scale
    pad = weight.shape[-1] // 2
    return graph.op("Conv", map, graph.weight(weight), graph.weight(bias), strides=[stride] * 2, pads=[pad] * 4)


def vit(graph, bundle, pixels):
    """Tokens [B * V, 1 + K, D] and 1 + K."""
    config = bundle.config["image"]
    width, patch = config["hidden_size"], config["patch_size"]
    part = lambda name: bundle.weight(f"{BACKBONE}.{name}")
    side = bundle.config["image_size"] // patch
    projection = "embeddings.patch_embeddings.projection"
    weights = graph.weight(part(f"{projection}.weight")), graph.weight(part(f"{projection}.bias"))
    patches = graph.op("Conv", pixels, *weights, strides=[patch] * 2)
    patches = graph.op("Reshape", patches, graph.constant([0, width, side * side]))
    table = part("embeddings.position_embeddings")[0]
    positions = resize(table[1:], config["image_size"] // patch, side)
    patches = graph.op("Add", graph.op("Transpose", patches, perm=[0, 2, 1]), graph.weight(positions))
    x, kept = views(graph, bundle, patches, side, True, width)
    # [rows, 1, D]: the class token in front of every view.
    rows = graph.op("Concat", graph.op("Shape", x, start=0, end=1), graph.constant([1, width]), axis=0)
    token = graph.op("Expand", graph.weight(part("embeddings.cls_token") + table[None, :1]), rows)
    x = graph.op("Concat", token, x, axis=1)

    pair = lambda name: (part(f"{name}.weight"), part(f"{name}.bias") if bundle.has(f"{BACKBONE}.{name}.bias") else None)
    epsilon = config.get("layer_norm_eps", 1e-12)
    for layer in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{layer}"
        parts = {role: pair(f"{name}.attention.attention.{role}") for role in ("query", "key", "value")}
        parts["output"] = pair(f"{name}.attention.output.dense")
        before = graph.layer_norm(x, *pair(f"{name}.layernorm_before"), epsilon)
        x = graph.op("Add", x, graph.attention(before, parts, config["num_attention_heads"]))
        after = graph.layer_norm(x, *pair(f"{name}.layernorm_after"), epsilon)
        inner = graph.activation(graph.linear(after, *pair(f"{name}.intermediate.dense")), config.get("hidden_act", "gelu"))
        x = graph.op("Add", x, graph.linear(inner, *pair(f"{name}.output.dense")))
    return x, kept + 1


def views(graph, bundle, patches, side, class_token, width):
    """The patches that the views keep: [B, n, D] -> [B * V, K, D], and K."""
    sampling = {"keep_evaluation": 0.9} | bundle.config.get("sampling", {})
    kept = math.floor(sampling["keep_evaluation"] * (side * side + class_token) + 1e-9)
    kept = min(max(kept, 1), side * side)
    count, indices = bundle.views, []
    for view in range(count):
        centre = side * (2 * view + 1) // (2 * count)
        distance = lambda patch: (patch // side - centre) ** 2 + (patch % side - centre) ** 2
        # Equal distances in the order of the grid: the sort is stable.
        indices += sorted(range(side * side), key=distance)[:kept]
    chosen = graph.op("Gather", patches, graph.constant(indices), axis=1)
    return graph.op("Reshape", chosen, graph.constant([-1, kept, width])), kept
