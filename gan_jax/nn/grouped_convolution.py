"""Grouped convolutions as one a group, or as fewer ones of more channels.

A matrix product of few channels is slow. Several groups may stand side by side in one convolution,
zeros between: these cost products, and with minimal filtering of what has many channels they pay.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Array = jax.Array

_WIDE = 64  # channels from which on products of matrices are quick
_APART = 32  # groups up to which each is written out: faster than a loop, but longer to compile


def product(
    convolve: Callable[[Array, Array], Array],
    x: Array,
    kernel: Array,
    groups: int,
    *,
    bundle: bool,
) -> Array:
    """Returns the grouped convolution (N, A, B, O).

    Args:
      convolve: of images and a kernel, without groups.
      x: (N, H, W, C).
      kernel: (k, l, C / groups, O).
      groups: see `Geometry`.
      bundle: whether several groups share a convolution.
    """
    k, m, inputs, outputs = kernel.shape
    if not bundle and groups <= _APART:
        alone = zip(*(jnp.split(array, groups, axis=-1) for array in (x, kernel)), strict=True)
        return jnp.concatenate([convolve(*group) for group in alone], axis=-1)
    together = _together(groups, x.shape[-1], outputs) if bundle else 1
    bundles = groups // together
    kernel = kernel.reshape(k, m, inputs, bundles, together, outputs // groups)
    kernel = jnp.einsum("klibgo,hg->bklhigo", kernel, jnp.eye(together, dtype=kernel.dtype))
    kernel = kernel.reshape(bundles, k, m, together * inputs, -1)
    y = jax.vmap(convolve)(_bundles(x, bundles), kernel)  # (bundles, N, A, B, O / bundles)
    return y.transpose(1, 2, 3, 0, 4).reshape(*y.shape[1:4], outputs)


def kernel_gradient(
    of_kernel: Callable[[Array, Array], Array],
    x: Array,
    gradient: Array,
    groups: int,
    *,
    bundle: bool,
) -> Array:
    """Returns what `product` sends back to its kernel, (k, l, C / groups, O).

    Args:
      of_kernel: what a convolution without groups sends back, from images and gradient.
      x: (N, H, W, C).
      gradient: (N, A, B, O).
      groups: see `Geometry`.
      bundle: as for `product`.
    """
    outputs = gradient.shape[-1]
    together = _together(groups, x.shape[-1], outputs) if bundle else 1
    bundles = groups // together
    found = jax.vmap(of_kernel)(_bundles(x, bundles), _bundles(gradient, bundles))
    _, k, m, inputs, _ = found.shape
    found = found.reshape(bundles, k, m, together, inputs // together, together, -1)
    found = jnp.einsum("bklgigo->klibgo", found)  # what groups say to each other is dropped
    return found.reshape(k, m, -1, outputs)


def _together(groups: int, inputs: int, outputs: int) -> int:
    """How many groups stand side by side: as few as make many channels, and divide them all."""
    fewer = min(inputs, outputs) // groups
    able = (count for count in range(1, groups) if not groups % count and count * fewer >= _WIDE)
    return next(able, groups)


def _bundles(x: Array, count: int) -> Array:
    """(N, H, W, C) to (count, N, H, W, C / count)."""
    return x.reshape(*x.shape[:3], count, -1).transpose(3, 0, 1, 2, 4)
