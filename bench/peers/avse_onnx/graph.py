"""A graph under construction: every method adds nodes and returns the name of a result."""

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

# The first opset with Gelu; onnxruntime-web reads it.
OPSET = 20
# Of that opset's time: later ones are refused by older runtimes.
IR_VERSION = 9


class Graph:
    def __init__(self, half=False):
        """`half`: weights are stored in f16, half the download; the runtime widens them once, when it folds constants."""
        self.half = half
        self.nodes, self.weights, self.inputs, self.outputs = [], [], [], []
        self.count = 0

    def name(self, hint):
        self.count += 1
        return f"{hint}_{self.count}"

    def op(self, kind, *inputs, **attributes):
        result = self.name(kind)
        self.nodes.append(helper.make_node(kind, list(inputs), [result], **attributes))
        return result

    def input(self, name, kind, shape):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, result, name, shape):
        self.nodes.append(helper.make_node("Identity", [result], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def constant(self, values, kind=np.int64):
        name = self.name("constant")
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype=kind), name))
        return name

    def weight(self, values):
        if not self.half:
            return self.constant(values, np.float32)
        return self.op("Cast", self.constant(values, np.float16), to=TensorProto.FLOAT)

    def scalar(self, value):
        return self.constant(np.float32(value), np.float32)

    def linear(self, x, weight, bias=None):
        """`weight` as PyTorch stores it, [out, in]."""
        y = self.op("MatMul", x, self.weight(weight.T))
        return y if bias is None else self.op("Add", y, self.weight(bias))

    def layer_norm(self, x, weight, bias, epsilon):
        return self.op("LayerNormalization", x, self.weight(weight), self.weight(bias), axis=-1, epsilon=epsilon)

    def activation(self, x, name):
        return self.op({"gelu": "Gelu", "relu": "Relu"}[name], x)

    def attention(self, x, parts, heads):
        """Self-attention; `parts` maps query, key, value, output to (weight, bias or None)."""
        width = parts["query"][0].shape[0]
        size = width // heads
        weight, bias = parts["query"]
        # The scale of the scores goes into the query's weights.
        scale = np.float32(size**-0.5)
        scaled = weight * scale, None if bias is None else bias * scale
        # One product for all three, as runtimes' own optimisers make it.
        three = [scaled, parts["key"], parts["value"]]
        weights = np.concatenate([w for w, _ in three])
        biases = None if bias is None else np.concatenate([b for _, b in three])
        split = self.op("Reshape", self.linear(x, weights, biases), self.constant([0, 0, 3 * heads, size]))
        names = [self.name(part) for part in ("query", "key", "value")]
        self.nodes.append(helper.make_node("Split", [split, self.constant([heads] * 3)], names, axis=2))
        query = self.op("Transpose", names[0], perm=[0, 2, 1, 3])
        key = self.op("Transpose", names[1], perm=[0, 2, 3, 1])
        value = self.op("Transpose", names[2], perm=[0, 2, 1, 3])
        weights = self.op("Softmax", self.op("MatMul", query, key), axis=-1)
        context = self.op("Transpose", self.op("MatMul", weights, value), perm=[0, 2, 1, 3])
        return self.linear(self.op("Reshape", context, self.constant([0, 0, width])), *parts["output"])

    def sorted_mean(self, tokens, weights, length):
        """GPO: [N, T, E] -> [N, E], every dimension's values from the largest on, times `weights` [T]."""
        columns = self.op("Transpose", tokens, perm=[0, 2, 1])
        values, order = self.name("values"), self.name("order")
        self.nodes.append(helper.make_node("TopK", [columns, length], [values, order], axis=-1, largest=1, sorted=1))
        return self.op("MatMul", values, weights)

    def unit_blocks(self, embeddings, blocks, width):
        """[N, ...] -> [N, blocks * width]. A block's own norm undoes whatever norms came before it."""
        cut = self.op("Reshape", embeddings, self.constant([-1, blocks, width]))
        norm = self.op("ReduceL2", cut, self.constant([2]), keepdims=1)
        unit = self.op("Div", cut, self.op("Add", norm, self.scalar(1e-8)))
        return self.op("Reshape", unit, self.constant([-1, blocks * width]))

    def model(self, name, check=True):
        """`check`: not possible where data is external."""
        graph = helper.make_graph(self.nodes, name, self.inputs, self.outputs, self.weights)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="avse")
        if check:
            checker.check_model(model, full_check=True)
        return model
