"""Grouped convolutions as one product of matrices for each group.

A group has few channels, 16 or so, and a matrix product that is this thin is slow. So two by two
outputs are made at once: of a tile of r + 1 by r + 1 places, by a kernel that holds the small one
four times. Its zeros cost (r + 1)^2 / r^2 as many products, and they pay.
"""

import jax
import jax.numpy as jnp

Array = jax.Array

_SIDE = 2  # of the outputs that a tile makes


def product(x: Array, kernel: Array, groups: int) -> Array:
    """Returns the convolution with stride 1 and without padding, (N, H - k + 1, W - l + 1, O).

    Args:
      x: (N, H, W, C).
      kernel: (k, l, C / groups, O).
      groups: see `Geometry`.
    """
    taps = (kernel.shape[0], kernel.shape[1])
    size = (x.shape[1] - taps[0] + 1, x.shape[2] - taps[1] + 1)
    y = _tiles(x, taps, size, groups) @ _spread(kernel, groups)  # (groups, N h w, 2 2 O / groups)
    return _joined(y, x.shape[0], size)


def kernel_gradient(x: Array, gradient: Array, groups: int) -> Array:
    """Returns what `product` sends back to its kernel, (k, l, C / groups, O).

    Args:
      x: (N, H, W, C).
      gradient: (N, H - k + 1, W - l + 1, O).
      groups: see `Geometry`.
    """
    size = (gradient.shape[1], gradient.shape[2])
    taps = (x.shape[1] - size[0] + 1, x.shape[2] - size[1] + 1)
    found = jnp.einsum(
        "gmi,gmo->gio", _tiles(x, taps, size, groups), _tiles(gradient, (1, 1), size, groups)
    )
    inputs, outputs = x.shape[-1] // groups, gradient.shape[-1]
    return _gathered(found, (*taps, inputs, outputs), groups)


def _tiles(x: Array, taps: tuple[int, int], size: tuple[int, int], groups: int) -> Array:
    """The places of each tile, (groups, N h w, places places C / groups)."""
    counts = [-(-outputs // _SIDE) for outputs in size]
    spans = [_SIDE - 1 + k for k in taps]
    missing = [
        (0, _SIDE * (count - 1) + span - found)
        for count, span, found in zip(counts, spans, x.shape[1:3], strict=True)
    ]
    x = jnp.pad(x, ((0, 0), *missing, (0, 0)))
    x = x.reshape(*x.shape[:3], groups, -1)
    reach = [_SIDE * (count - 1) + 1 for count in counts]
    places = [
        x[:, i : i + reach[0] : _SIDE, j : j + reach[1] : _SIDE]
        for i in range(spans[0])
        for j in range(spans[1])
    ]  # each (N, h, w, groups, C / groups)
    tiles = jnp.concatenate(places, axis=-1).transpose(3, 0, 1, 2, 4)
    return tiles.reshape(groups, -1, tiles.shape[-1])


def _joined(y: Array, n: int, size: tuple[int, int]) -> Array:
    """The transpose of `_tiles` of outputs: (groups, N h w, side side O / groups) to images."""
    h, w = (-(-outputs // _SIDE) for outputs in size)
    y = y.reshape(len(y), n, h, w, _SIDE, _SIDE, -1).transpose(1, 2, 4, 3, 5, 0, 6)
    return y.reshape(n, h * _SIDE, w * _SIDE, -1)[:, : size[0], : size[1]]


def _spread(kernel: Array, groups: int) -> Array:
    """The kernel at each output of a tile, (groups, places places C / g, side side O / g)."""
    kernel = kernel.reshape(*kernel.shape[:3], groups, -1)
    last = _SIDE - 1
    copies = [
        jnp.pad(kernel, ((a, last - a), (b, last - b), (0, 0), (0, 0), (0, 0)))
        for a in range(_SIDE)
        for b in range(_SIDE)
    ]
    spread = jnp.stack(copies, axis=4).transpose(3, 0, 1, 2, 4, 5)
    return spread.reshape(groups, -1, _SIDE * _SIDE * kernel.shape[-1])


def _gathered(found: Array, shape: tuple[int, ...], groups: int) -> Array:
    """The transpose of `_spread`, to (k, l, C / groups, O)."""
    k, m, inputs, outputs = shape
    last = _SIDE - 1
    found = found.reshape(groups, k + last, m + last, inputs, _SIDE, _SIDE, outputs // groups)
    copies = [found[:, a : a + k, b : b + m, :, a, b] for a in range(_SIDE) for b in range(_SIDE)]
    kernel = sum(copies[1:], copies[0])
    return kernel.transpose(1, 2, 3, 0, 4).reshape(shape)
