"""Position tables resized to another grid: bicubic, half-pixel centres, as core/src/image/position.rs."""

import math

import numpy as np

A = -0.75


def resize(table, old, new):
    """[old * old, D] -> [new * new, D]."""
    if old == new:
        return table
    matrix = weights(old, new)
    return (np.kron(matrix, matrix) @ table).astype(np.float32)


def weights(old, new):
    """[new, old], edges clamped."""
    matrix = np.zeros((new, old))
    for row in range(new):
        source = (row + 0.5) * old / new - 0.5
        start = math.floor(source)
        for tap in range(-1, 3):
            column = min(max(start + tap, 0), old - 1)
            matrix[row, column] += cubic(abs(source - start - tap))
    return matrix


def cubic(x):
    if x <= 1:
        return ((A + 2) * x - (A + 3)) * x * x + 1
    return ((A * x - 5 * A) * x + 8 * A) * x - 4 * A if x < 2 else 0.0
