"""Weights and images for the test of the Inception network: the same ones in JAX and in PyTorch.

Needs NumPy alone. NumPy promises that `RandomState` draws the same numbers in all versions.
"""

import math
import zlib

import numpy as np

SHAPES = [(28, 28, 1), (32, 32, 3), (75, 61, 3), (299, 299, 3), (320, 320, 3)]


def weight(name, shape):
    """An array by its name in PyTorch: the signal keeps its size, and no statistic is trivial."""
    random = np.random.RandomState(zlib.crc32(name.encode()))
    kind = name.rpartition(".")[2]
    if kind == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if len(shape) > 1:  # He et al. 2015
        drawn = random.standard_normal(shape) * math.sqrt(2 / math.prod(shape[1:]))
    elif kind in ("weight", "running_var"):
        drawn = random.uniform(0.5, 1.5, shape)
    else:
        drawn = random.uniform(-0.5, 0.5, shape)
    return drawn.astype(np.float32)


def image(shape):
    """A smooth image with noise, uint8."""
    random = np.random.RandomState(zlib.crc32("x".join(map(str, shape)).encode()))
    height, width, channels = shape
    y, x = np.mgrid[:height, :width, :channels][:2] / max(height, width)
    phase = random.uniform(0, 6, channels)
    smooth = 128 + 80 * np.sin(5 * x + phase) * np.cos(4 * y - phase)
    return np.clip(smooth + 40 * random.standard_normal(shape), 0, 255).astype(np.uint8)
