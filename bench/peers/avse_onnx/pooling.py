"""The weights of the pooling operator: they depend on the number of tokens alone, so that a table replaces
the recurrent network that makes them (see core/src/pooling.rs)."""

import numpy as np


def weights(bundle, prefix, lengths, width):
    """[len(lengths), width] in f32: softmax over each length's positions, 0 beyond."""
    part = lambda name: bundle.weight(f"{prefix}.{name}").astype(np.float64)
    codes = position_codes(width, bundle.pooling("position_size"))
    direction = lambda end: [part(f"gru.{name}_l0{end}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    forward = gru(codes, *direction(""))
    score = part("linear.weight")[0]
    table = np.zeros((len(lengths), width))
    for row, length in zip(table, lengths):
        backward = gru(codes[:length][::-1], *direction("_reverse"))[::-1]
        scores = (forward[:length] + backward) / 2 @ score / bundle.pooling("temperature")
        shares = np.exp(scores - scores.max())
        row[:length] = shares / shares.sum()
    return table.astype(np.float32)


def gru(inputs, weight_ih, weight_hh, bias_ih, bias_hh):
    """PyTorch's GRU, gates in the order r, z, n: [steps, P] -> [steps, H]."""
    size = weight_hh.shape[1]
    sigmoid = lambda x: 1 / (1 + np.exp(-x))
    state, states = np.zeros(size), []
    for step in inputs:
        i, h = weight_ih @ step + bias_ih, weight_hh @ state + bias_hh
        reset, update = sigmoid(i[:size] + h[:size]), sigmoid(i[size : 2 * size] + h[size : 2 * size])
        candidate = np.tanh(i[2 * size :] + reset * h[2 * size :])
        state = (1 - update) * candidate + update * state
        states.append(state)
    return np.array(states).reshape(-1, size)


def position_codes(length, size):
    """Sine in even columns, cosine of the same frequency in odd ones."""
    column = np.arange(size)
    angle = np.arange(length)[:, None] * np.exp(-np.log(10_000) * (column // 2 * 2) / size)
    # In f32 like the network's.
    return np.where(column % 2 == 0, np.sin(angle), np.cos(angle)).astype(np.float32).astype(np.float64)
