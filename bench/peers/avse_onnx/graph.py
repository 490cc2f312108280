"""A graph under construction: every method adds nodes and returns the name of a result."""

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

# The first opset with Gelu; onnxruntime-web reads it.
OPSET = 20
# Of that opset's time: later ones are refused by older runtimes.
IR_VERSION = 9
# Operators of onnxruntime.
RUNTIME = "com.microsoft"


class Graph:
    def __init__(self, half=False):
        """`half`: matrices are stored in f16, half the download; the runtime widens them once, when it folds
        constants."""
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
        if not self.half or values.ndim < 2:
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
        """Self-attention; `parts` maps query, key, value, output to (weight, bias or None). As the runtime's own
        operator, which its optimiser makes of the ten that are one step each: a tenth faster in WebAssembly."""
        three = [parts[role] for role in ("query", "key", "value")]
        weights = np.concatenate([weight for weight, _ in three])
        inputs = [x, self.weight(weights.T)]
        if three[0][1] is not None:
            inputs.append(self.weight(np.concatenate([bias for _, bias in three])))
        context = self.op("Attention", *inputs, domain=RUNTIME, num_heads=heads)
        return self.linear(context, *parts["output"])

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
        opset = [helper.make_opsetid("", OPSET), helper.make_opsetid(RUNTIME, 1)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="avse")
        if check:
            checker.check_model(model, full_check=True)
        return model
