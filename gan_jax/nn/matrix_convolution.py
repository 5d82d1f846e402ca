"""Convolutions as products of matrices, for a compiler whose own are slow: XLA on CPU.

The three products of a convolution: its outputs, and the gradients of its inputs and of its kernel.
Each is one product of matrices, over channels alone for 1 x 1 kernels and over patches for others;
or, for kernels of 2 x 2 and 3 x 3 with many channels, the fewer ones of minimal filtering. Grouped
ones are as many of these, or fewer and wider; groups of some sixteen channels are left to the
compiler's own (`thin_convolution`).
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.nn import grouped_convolution, thin_convolution, winograd
from gan_jax.nn.row_products import over_rows

Array = jax.Array
Edges = tuple[tuple[int, int], tuple[int, int]]

_MANY = 32  # channels from which on minimal filtering pays for its transforms
_FEW = 4  # channels up to which planes are faster to copy than pixels
_THIN = range(16, 32)  # channels of a group with which `thin_convolution` is faster


class Geometry(NamedTuple):
    """How a kernel moves over an image.

    Attributes:
      stride: from one output to the next, along both axes.
      padding: zeros (before, after) each of the two axes; less than none cuts off.
      groups: C / groups channels in and O / groups out see each other, and no others.
    """

    stride: int = 1
    padding: Edges = ((0, 0), (0, 0))
    groups: int = 1


def product(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """Returns the convolution (N, A, B, O) of x (N, H, W, C) by kernel (k, l, C / groups, O)."""
    padded, stride = _padded(x, geometry.padding), geometry.stride
    taps, (inputs, outputs) = kernel.shape[:2], kernel.shape[2:]
    size = _output_size(padded, kernel, stride)
    if geometry.groups > 1:
        alone: Callable[..., Array] = partial(product, geometry=Geometry(stride))
        if thin := min(inputs, outputs // geometry.groups) in _THIN:
            alone = partial(thin_convolution.product, stride=stride)
        return grouped_convolution.product(alone, padded, kernel, geometry.groups, bundle=not thin)
    if _even(taps, stride):
        return product(_phases(padded, taps, size, stride), _phased(kernel, stride), Geometry())
    if _minimal(kernel.shape, size, stride):
        return winograd.product(padded, kernel)
    if stride > 1 or inputs <= outputs:
        return _patches(padded, taps, size, stride) @ kernel.reshape(-1, outputs)
    by_tap = x @ kernel.transpose(2, 0, 1, 3).reshape(inputs, -1)  # patches would take more memory
    by_tap = _padded(by_tap, geometry.padding).reshape(*padded.shape[:3], *taps, outputs)
    shifted = [by_tap[:, i : i + size[0], j : j + size[1], i, j] for i, j in np.ndindex(*taps)]
    return sum(shifted[1:], shifted[0])


def input_gradient(
    gradient: Array, kernel: Array, geometry: Geometry, size: tuple[int, int]
) -> Array:
    """Returns what `product` sends back to x (N, *size, C) from the gradient of its outputs."""
    stride, taps = geometry.stride, kernel.shape[:2]
    befores = [before for before, _ in geometry.padding]
    if geometry.groups > 1 or stride == 1:
        spaced, turned = _spaced(gradient, stride), _turned(kernel, geometry.groups)
        around = _edges(spaced, *_met(befores, taps, size))
        return product(spaced, turned, Geometry(padding=around, groups=geometry.groups))
    if _even(taps, stride) and not _wasteful(gradient, kernel, stride, size):
        x = _from_phases(_everywhere(gradient, _phased(kernel, stride)), stride)
        return _cut(x, befores, size)
    rows, columns = (range(min(stride, length)) for length in size)
    phases = [
        [_phase(gradient, kernel, stride, befores, size, (i, j)) for j in columns] for i in rows
    ]
    return _interleaved(phases, stride)[:, : size[0], : size[1]]


def kernel_gradient(x: Array, gradient: Array, geometry: Geometry, taps: tuple[int, int]) -> Array:
    """Returns what `product` sends back to its kernel (*taps, C / groups, O)."""
    padded, stride = _padded(x, geometry.padding), geometry.stride
    size = (gradient.shape[1], gradient.shape[2])
    inputs, outputs = x.shape[-1], gradient.shape[-1]
    if geometry.groups > 1:
        alone: Callable[..., Array] = partial(kernel_gradient, geometry=Geometry(stride), taps=taps)
        if thin := min(inputs, outputs) // geometry.groups in _THIN:
            alone = partial(thin_convolution.kernel_gradient, stride=stride, taps=taps)
        return grouped_convolution.kernel_gradient(
            alone, padded, gradient, geometry.groups, bundle=not thin
        )
    if _even(taps, stride):
        fewer = (taps[0] // stride, taps[1] // stride)
        found = kernel_gradient(_phases(padded, taps, size, stride), gradient, Geometry(), fewer)
        return _from_phased(found, stride)
    if _minimal((*taps, inputs, outputs), size, stride):
        return winograd.kernel_gradient(padded, gradient)
    if stride > 1 or inputs <= outputs:
        if inputs <= _FEW:
            found = _planes(padded, taps, size, stride) @ _rows(gradient)
        else:
            found = _summed_over_rows(_patches(padded, taps, size, stride), gradient)
        return found.reshape(*taps, inputs, outputs)
    # Patches of what has fewer channels, where each tap moves the other way.
    befores, size = [before for before, _ in geometry.padding], (x.shape[1], x.shape[2])
    around = _cut(gradient, *_met(befores, taps, size))
    found = _summed_over_rows(x, _patches(around, taps, size, 1))
    return found.reshape(inputs, *taps, outputs)[:, ::-1, ::-1].transpose(1, 2, 0, 3)


def _minimal(shape: Sequence[int], size: Sequence[int], stride: int) -> bool:
    """Returns whether minimal filtering takes far fewer products, and its transforms are small."""
    k, m, inputs, outputs = shape
    if stride > 1 or k != m or k not in winograd.SHORT or min(inputs, outputs) < _MANY:
        return False
    return 4 * winograd.count_products(k, size) < 3 * math.prod(size) * k**2


# With a stride s that divides the kernel, every s-th row and column of the image meets every s-th
# of the kernel. As channels of one image, these phases have a stride of 1 and a smaller kernel.


def _even(taps: Sequence[int], stride: int) -> bool:
    return stride > 1 and all(k % stride == 0 for k in taps)


def _phases(x: Array, taps: Sequence[int], size: Sequence[int], s: int) -> Array:
    """(N, H, W, C) to (N, A + k / s - 1, B + l / s - 1, s s C), (A, B) being the outputs' size."""
    a, b = (outputs + k // s - 1 for outputs, k in zip(size, taps, strict=True))
    x = x[:, : a * s, : b * s].reshape(len(x), a, s, b, s, -1)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(len(x), a, b, -1)


def _from_phases(x: Array, s: int) -> Array:
    """The transpose of `_phases`, but for what that cut off."""
    n, a, b, _ = x.shape
    x = x.reshape(n, a, b, s, s, -1).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(n, a * s, b * s, -1)


def _phased(kernel: Array, s: int) -> Array:
    """(k, l, C, O) to (k / s, l / s, s s C, O)."""
    k, m, inputs, outputs = kernel.shape
    kernel = kernel.reshape(k // s, s, m // s, s, inputs, outputs)
    return kernel.transpose(0, 2, 1, 3, 4, 5).reshape(k // s, m // s, -1, outputs)


def _from_phased(kernel: Array, s: int) -> Array:
    """The transpose of `_phased`."""
    k, m, _, outputs = kernel.shape
    kernel = kernel.reshape(k, m, s, s, -1, outputs).transpose(0, 2, 1, 3, 4, 5)
    return kernel.reshape(k * s, m * s, -1, outputs)


def _output_size(x: Array, kernel: Array, stride: int) -> tuple[int, int]:
    height, width = (
        (size - taps) // stride + 1
        for size, taps in zip(x.shape[1:3], kernel.shape[:2], strict=True)
    )
    return height, width


def _padded(x: Array, padding: Edges) -> Array:
    edges = ((before, after, 0) for before, after in padding)
    return jax.lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *edges, (0, 0, 0)))


def _cut(x: Array, first: Sequence[int], size: Sequence[int]) -> Array:
    """Rows and columns from `first` on, `size` of them; zeros where there are none."""
    return _padded(x, _edges(x, first, size))


def _edges(x: Array, first: Sequence[int], size: Sequence[int]) -> Edges:
    """The padding that leaves the rows and columns from `first` on, `size` of them."""
    rows, columns = (
        (-start, start + length - places)
        for start, length, places in zip(first, size, x.shape[1:3], strict=True)
    )
    return rows, columns


def _met(
    befores: Sequence[int], taps: Sequence[int], size: Sequence[int]
) -> tuple[list[int], list[int]]:
    """The first row and column of the outputs that images of `size` meet, and how many they are."""
    first = [before - k + 1 for before, k in zip(befores, taps, strict=True)]
    return first, [length + k - 1 for length, k in zip(size, taps, strict=True)]


def _spaced(gradient: Array, stride: int) -> Array:
    """The gradient of what a stride of 1 would have given: zeros where it was not asked for."""
    between = (0, 0, stride - 1)
    return jax.lax.pad(
        gradient, jnp.zeros((), gradient.dtype), ((0, 0, 0), between, between, (0, 0, 0))
    )


def _turned(kernel: Array, groups: int = 1) -> Array:
    """The kernel that leads back: turned around, inputs and outputs exchanged in each group."""
    k, m, inputs, outputs = kernel.shape
    turned = kernel[::-1, ::-1].reshape(k, m, inputs, groups, outputs // groups)
    return turned.transpose(0, 1, 4, 3, 2).reshape(k, m, outputs // groups, groups * inputs)


def _wasteful(gradient: Array, kernel: Array, s: int, size: Sequence[int]) -> bool:
    """Whether one product for all phases makes much at the edges that nobody asks for."""
    fewer = kernel.shape[0] // s
    if kernel.shape[2] < _MANY or fewer not in winograd.SHORT:
        return False
    whole = winograd.count_products(fewer, [places + fewer - 1 for places in gradient.shape[1:3]])
    asked = winograd.count_products(fewer, [-(-length // s) for length in size])
    return 2 * whole > 3 * asked


def _phase(
    gradient: Array,
    kernel: Array,
    s: int,
    befores: Sequence[int],
    size: Sequence[int],
    start: tuple[int, int],
) -> Array:
    """Every s-th row and column from `start` on of what `product` sends back to x (N, *size, C).

    They meet every s-th tap of the kernel, and no others.
    """
    places = [before + i for before, i in zip(befores, start, strict=True)]
    taps = kernel[places[0] % s :: s, places[1] % s :: s]
    counts = [-(-(length - i) // s) for length, i in zip(size, start, strict=True)]
    if not taps.size:
        return jnp.zeros((len(gradient), *counts, kernel.shape[2]), gradient.dtype)
    around = _met([place // s for place in places], taps.shape[:2], counts)
    return product(gradient, _turned(taps), Geometry(padding=_edges(gradient, *around)))


def _everywhere(gradient: Array, kernel: Array) -> Array:
    """The gradient of all that a kernel meets with stride 1: (N, A + k - 1, B + l - 1, C)."""
    rows, columns = ((k - 1, k - 1) for k in kernel.shape[:2])
    return product(gradient, _turned(kernel), Geometry(padding=(rows, columns)))


def _interleaved(phases: Sequence[Sequence[Array]], stride: int) -> Array:
    """Images whose row s i + p and column s j + q are row i and column j of phases[p][q], or 0."""
    height, width = phases[0][0].shape[1:3]  # the others may be one shorter
    rows = [
        jnp.stack(
            [
                jnp.pad(x, ((0, 0), (0, height - x.shape[1]), (0, width - x.shape[2]), (0, 0)))
                for x in row
            ],
            axis=3,
        )
        for row in phases
    ]
    x = jnp.stack(rows, axis=2)
    missing = (stride - x.shape[2], stride - x.shape[4])
    x = jnp.pad(x, ((0, 0), (0, 0), (0, missing[0]), (0, 0), (0, missing[1]), (0, 0)))
    return x.reshape(len(x), stride * height, stride * width, x.shape[-1])


def _patches(x: Array, taps: Sequence[int], size: Sequence[int], stride: int) -> Array:
    """(N, H, W, C) to (N, *size, k * l * C)."""
    reach = [stride * (count - 1) + 1 for count in size]
    places = [
        x[:, i : i + reach[0] : stride, j : j + reach[1] : stride] for i, j in np.ndindex(*taps)
    ]
    return places[0] if len(places) == 1 else jnp.concatenate(places, axis=-1)


def _planes(x: Array, taps: Sequence[int], size: Sequence[int], stride: int) -> Array:
    """The transpose of `_patches`, (k * l * C, N * A * B): few channels are slow to interleave."""
    x = x.transpose(3, 0, 1, 2)
    reach = [stride * (count - 1) + 1 for count in size]
    places = [
        x[:, :, i : i + reach[0] : stride, j : j + reach[1] : stride] for i, j in np.ndindex(*taps)
    ]
    return jnp.stack(places).reshape(len(places) * len(x), -1)


def _summed_over_rows(a: Array, b: Array) -> Array:
    """a^T b, summed over all axes but the last, (C, D).

    The compiler splits two such products over cores better than one.
    """
    a, b = _rows(a), _rows(b)
    parts = 1 if len(a) % 2 else 2
    return over_rows(*(x.reshape(parts, -1, x.shape[-1]) for x in (a, b))).sum(0)


def _rows(x: Array) -> Array:
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
