"""Resampling of images by a factor of two: nearest, average, and FIR filters.

All are linear and made of slices and sums, so that they are differentiable any number of times and
fast on every backend.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from gan_jax.errors import InputError

Array = jax.Array

BINOMIAL = (1.0, 3.0, 3.0, 1.0)
"""The filter of StyleGAN2 (Karras et al. 2020) and R3GAN (Huang et al. 2024), before scaling."""


def nearest_up(x: Array) -> Array:
    """Repeats every pixel twice along both axes, (B, H, W, C) to (B, 2 H, 2 W, C)."""
    b, h, w, c = x.shape
    x = jnp.broadcast_to(x[:, :, None, :, None], (b, h, 2, w, 2, c))
    return x.reshape(b, 2 * h, 2 * w, c)


def average_down(x: Array) -> Array:
    """The mean of every 2 x 2 pixels, (B, 2 H, 2 W, C) to (B, H, W, C).

    Raises:
      InputError: a size is odd.
    """
    _check_even(x)
    rows = x[:, ::2] + x[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) / 4


def blur(x: Array, filter: Sequence[float] = BINOMIAL, *, padding: int | None = None) -> Array:
    """Filters along both axes with n taps, (B, H, W, C) to (B, H + 2 p - n + 1, likewise, C).

        y[i] = sum_k f[k] x[i + n - 1 - p - k],    f scaled to the sum 1,    x zero outside

    Args:
      x: (B, H, W, C).
      filter: f before scaling. Symmetric ones are the same turned around.
      padding: p, from 0 on; by default n - 1, which keeps all that is not zero.
    """
    taps = len(filter) - 1
    padding = taps if padding is None else padding
    for axis in (1, 2):
        x = _pad(x, axis, padding, padding)
        parts = [
            value / sum(filter) * jax.lax.slice_in_dim(x, taps - k, x.shape[axis] - k, axis=axis)
            for k, value in enumerate(filter)
        ]
        x = sum(parts[1:], parts[0])
    return x


def filter_down(x: Array, filter: Sequence[float] = BINOMIAL) -> Array:
    """Filters and takes every second pixel, (B, 2 H, 2 W, C) to (B, H, W, C).

    The filter has an even number n of taps and stands centred over pairs of pixels: `blur`, cut by
    n / 2 before and as much after, at every second place.

    Raises:
      InputError: a size is odd.

    Reference: Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN".
    """
    _check_even(x)
    edge = len(filter) // 2 - 1
    for axis in (1, 2):
        size = x.shape[axis] // 2
        x = _pad(x, axis, edge, edge)
        parts = [
            value / sum(filter) * jax.lax.slice_in_dim(x, k, k + 2 * size - 1, stride=2, axis=axis)
            for k, value in enumerate(reversed(filter))
        ]
        x = sum(parts[1:], parts[0])
    return x


def filter_up(x: Array, filter: Sequence[float] = BINOMIAL) -> Array:
    """Puts zeros between pixels and filters, (B, H, W, C) to (B, 2 H, 2 W, C).

    Four times the transpose of `filter_down` of a symmetric filter: the mean stays. Each output
    meets every second tap only, so that the zeros are never made.

    Reference: as for `filter_down`.
    """
    for axis in (1, 2):
        x = _filter_up(x, [2 * value / sum(filter) for value in filter], axis)
    return x


def _filter_up(x: Array, taps: Sequence[float], axis: int) -> Array:
    # Output 2 i + p is the sum of taps[k] x[i + (p + before - 1 - k) / 2] over k of one parity.
    size, before = x.shape[axis], len(taps) // 2
    x = _pad(x, axis, before, before)
    phases = []
    for phase in (0, 1):
        first = (phase + before - 1) % 2
        parts = []
        for k in range(first, len(taps), 2):
            start = before + (phase + before - 1 - k) // 2
            parts.append(taps[k] * jax.lax.slice_in_dim(x, start, start + size, axis=axis))
        phases.append(sum(parts[1:], parts[0]))
    x = jnp.stack(phases, axis=axis + 1)
    shape = list(x.shape)
    shape[axis : axis + 2] = [2 * size]
    return x.reshape(shape)


def _check_even(x: Array) -> None:
    if x.shape[1] % 2 or x.shape[2] % 2:
        raise InputError(f"images of {x.shape[1]} x {x.shape[2]} cannot be halved: a size is odd")


def _pad(x: Array, axis: int, before: int, after: int) -> Array:
    edges = [(0, 0)] * x.ndim
    edges[axis] = (before, after)
    return jnp.pad(x, edges)
