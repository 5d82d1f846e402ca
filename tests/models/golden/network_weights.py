"""Weights and inputs for the test of networks: the same ones in JAX and in PyTorch.

Needs NumPy alone. NumPy promises that `RandomState` draws the same numbers in all versions.
"""

import math
import zlib
from typing import Any, NamedTuple

import numpy as np

TRUNCATION = 0.6


class Case(NamedTuple):
    """A pair of networks, and the size of what they read; fields are those of the Flax modules."""

    family: str
    size: int
    latent: int
    generator: dict[str, Any]
    discriminator: dict[str, Any]
    classes: int | None = None
    batch: int = 4


_R3GAN = {"widths": (32, 16, 8), "group_size": 8}
_R3GAN_EQUAL = {"widths": (16, 16, 16), "group_size": 4}
_STYLEGAN2 = {"width": 16, "channel_base": 192, "style_width": 12}  # 16, 16 and 12 channels
_STYLEGAN2_JUDGE = _STYLEGAN2 | {"mapping_layers": 2, "minibatch_group": 4}
_BIGGAN_GENERATOR = {"width": 4, "attention": 16, "shared_embedding": 6}
_BIGGAN = {"width": 4, "attention": 0}
_SNGAN = {"width": 2}

CASES = {
    "r3gan_16": Case("r3gan", 16, 7, _R3GAN, _R3GAN),
    "r3gan_16_classes": Case(
        "r3gan", 16, 7, _R3GAN_EQUAL | {"class_embedding": 5}, _R3GAN_EQUAL, classes=3
    ),
    "stylegan2_16": Case(
        "stylegan2",
        16,
        9,
        _STYLEGAN2 | {"mapping_layers": 8},
        _STYLEGAN2_JUDGE | {"residual": True},
    ),
    "stylegan2_16_classes": Case(
        "stylegan2",
        16,
        9,
        _STYLEGAN2 | {"mapping_layers": 2},
        _STYLEGAN2_JUDGE | {"residual": False},
        classes=3,
        batch=8,
    ),
    "biggan_32": Case("biggan", 32, 20, _BIGGAN_GENERATOR, _BIGGAN, classes=5),
    "biggan_deep_32": Case("biggan_deep", 32, 10, _BIGGAN_GENERATOR, _BIGGAN, classes=5),
    "biggan_deep_64": Case(  # where channels change
        "biggan_deep", 64, 10, _BIGGAN_GENERATOR | {"attention": 0, "width": 2}, _BIGGAN, classes=5
    ),
    "sngan_32": Case("sngan", 32, 12, _SNGAN, _SNGAN),
    "sngan_48": Case("sngan", 48, 12, _SNGAN, _SNGAN),
    "sngan_64": Case("sngan", 64, 12, _SNGAN, _SNGAN),
}


def weight(path, shape):
    """An array by its path in Flax, float32: the signal keeps its size; no statistic is trivial.

    The strength of noise is zero: the networks run without it.
    """
    random, kind = _random(path), path.rpartition("/")[2]
    if kind in ("gamma", "strength"):
        return np.full(shape, {"gamma": 0.7, "strength": 0}[kind], np.float32)
    if kind == "var":
        return np.float32(random.uniform(0.5, 1.5, shape))
    drawn = random.standard_normal(shape)
    if path == "mean":  # of styles
        drawn = 0.5 * drawn
    elif len(shape) == 1:
        drawn = (kind == "scale") + 0.3 * drawn
    elif not any(layer in path for layer in ("Equalized", "Modulated")):  # which scale it
        drawn = drawn / math.sqrt(math.prod(shape[:-1]))
    if path.startswith(("style_of/", "Mapping_0/")):  # which learn at 0.01 times the rate
        drawn = 100 * drawn
    return np.float32(drawn)


def weights(shapes):
    """Arrays by path, for shapes by path; vectors u are those of the largest singular value."""
    drawn = {path: weight(path, shape) for path, shape in shapes.items() if not _is_vector(path)}
    for path in filter(_is_vector, shapes):
        layer = path.removesuffix("u")
        kernel = drawn[layer + ("kernel" if layer + "kernel" in drawn else "embedding")]
        matrix = np.float64(kernel).reshape(-1, kernel.shape[-1])
        drawn[path] = np.float32(np.linalg.svd(matrix, full_matrices=False)[2][0])
    return drawn


def latents(name):
    """(B, Z) for a case."""
    case = CASES[name]
    return np.float32(_random(f"{name}/latents").standard_normal((case.batch, case.latent)))


def images(name):
    """(B, H, W, 3) for a case: noise of 4 x 4 squares and of pixels, so that means keep some."""
    case, random = CASES[name], _random(f"{name}/images")
    squares = random.standard_normal((case.batch, 4, 4, 3))
    pixels = random.standard_normal((case.batch, case.size, case.size, 3))
    return np.float32(np.kron(squares, np.ones((1, case.size // 4, case.size // 4, 1))) + pixels)


def labels(name):
    """(B,) for a case, or None without classes: the first are of different classes."""
    case = CASES[name]
    if case.classes is None:
        return None
    return (1 + 2 * np.arange(case.batch, dtype=np.int32)) % case.classes


def kept(images):
    """What is kept of (B, H, W, 3)."""
    return images[:2, ::3, ::3]


def _is_vector(path):
    return path.endswith("/u")


def _random(name):
    return np.random.RandomState(zlib.crc32(name.encode()))
