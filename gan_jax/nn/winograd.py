"""Winograd's minimal filtering: convolutions by 2 x 2 and 3 x 3 kernels with fewer products.

m outputs of a filter of r taps take m + r - 1 products in place of m r. Along both axes of an
image, with tiles d of which each makes m x n outputs y:

    y = A^T [(G w G'^T) * (B^T d B')] A',    d (m + r - 1, n + r - 1),  w (r, r),  y (m, n)

where G, B, A are those of m and G', B', A' those of n. With r = 3 these are 16 products for 36
where m = n = 2, and 24 for 72 where m = 4. Over channels each of them is a product of matrices.

The matrices multiply polynomials, by their values at m + r - 2 points and at infinity (Toom and
Cook). With 0, 1 and -1 rounding stays that of plain sums. With the five points of m = 4 it is some
four times that along one axis and eight times along both, in gradients of kernels, which sum over
many tiles (outputs lose less): so columns keep n = 2.

Reference: Winograd 1980, "Arithmetic complexity of computations"; Lavin & Gray 2016, "Fast
algorithms for convolutional neural networks", section 4; Barabasz et al. 2020, "Error analysis and
improving the accuracy of Winograd convolution for deep neural networks" (points).
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.nn.row_products import over_rows

Array = jax.Array
Matrix = Sequence[Sequence[float]]


class Transforms(NamedTuple):
    """The matrices of F(m, r) by rows: `data` is B^T, `kernel` is G, `output` is A^T."""

    data: Matrix
    kernel: Matrix
    output: Matrix

    @property
    def step(self) -> int:
        """m, from a tile to the next."""
        return len(self.output)

    def products(self, outputs: int) -> int:
        """Returns how many products so many outputs take."""
        return -(-outputs // self.step) * len(self.data)


def _transforms(outputs: int, taps: int, *points: float) -> Transforms:
    """F(outputs, taps), by polynomials' values at outputs + taps - 2 points and at infinity."""
    others = [[q for q in points if q != p] for p in points]
    data = [*([*_with_roots(rest), 0.0] for rest in others), _with_roots(points)]
    scales = [math.prod(p - q for q in rest) for p, rest in zip(points, others, strict=True)]
    kernel = [[p**n / scale for n in range(taps)] for p, scale in zip(points, scales, strict=True)]
    kernel.append([float(n == taps - 1) for n in range(taps)])
    output = [[*(p**n for p in points), float(n == outputs - 1)] for n in range(outputs)]
    return Transforms(data, kernel, output)


def _with_roots(roots: Sequence[float]) -> list[float]:
    """The coefficients of the product of x - root, from that of 1 on."""
    found = [1.0]
    for root in roots:
        found = [low - root * high for low, high in zip([0, *found], [*found, 0], strict=True)]
    return found


SHORT: Mapping[int, Transforms] = MappingProxyType(
    {2: _transforms(2, 2, 0, 1), 3: _transforms(2, 3, 0, 1, -1)}
)
"""F(2, r) by r."""

_LONG = {3: _transforms(4, 3, 0, 1, -1, -0.5, 2)}
"""F(4, r) by r; with 2 taps it would save a sixth, before what its transforms take."""


def count_products(taps: int, size: Sequence[int]) -> int:
    """Returns how many products an image takes for outputs of `size`, for each pair of channels."""
    rows, columns = _along(taps, size)
    return rows.products(size[0]) * columns.products(size[1])


def _along(taps: int, size: Sequence[int]) -> tuple[Transforms, Transforms]:
    """The transforms along rows, of fewest products, and along columns."""
    short = SHORT[taps]
    rows = min(short, _LONG.get(taps, short), key=lambda each: each.products(size[0]))
    return rows, short


def product(x: Array, kernel: Array) -> Array:
    """Returns the convolution with stride 1 and without padding, (N, H - r + 1, W - r + 1, O).

    Args:
      x: (N, H, W, C).
      kernel: (r, r, C, O), r in `SHORT`.
    """
    taps = len(kernel)
    size = (x.shape[1] - taps + 1, x.shape[2] - taps + 1)
    rows, columns = _along(taps, size)
    data = _tiles((rows.data, columns.data), x, _steps(rows, columns), size)
    products = _matrices(data) @ _matrices(_taps((rows.kernel, columns.kernel), kernel))
    products = products.reshape(*data.shape[:-1], -1)  # (m + r - 1, n + r - 1, N, h, w, O)
    across = _combined(rows.output, products)
    y = [jnp.stack(_combined(columns.output, row), axis=3) for row in across]
    return _joined(jnp.stack(y, axis=2))[:, : size[0], : size[1]]


def kernel_gradient(x: Array, gradient: Array) -> Array:
    """Returns sum_(n, i, j) x[n, i + k, j + l]^T gradient[n, i, j] for each k and l, (r, r, C, O).

    Args:
      x: (N, H, W, C).
      gradient: (N, H - r + 1, W - r + 1, O), of `product`.
    """
    size = (gradient.shape[1], gradient.shape[2])
    rows, columns = _along(x.shape[1] - size[0] + 1, size)
    steps = _steps(rows, columns)
    data = _tiles((rows.data, columns.data), x, steps, size)
    outputs = _transposed(rows.output), _transposed(columns.output)
    products = over_rows(_matrices(data), _matrices(_tiles(outputs, gradient, steps, size)))
    products = products.reshape(*data.shape[:2], *products.shape[1:])
    return _taps((_transposed(rows.kernel), _transposed(columns.kernel)), products)


def _steps(rows: Transforms, columns: Transforms) -> tuple[int, int]:
    return rows.step, columns.step


def _tiles(
    matrices: tuple[Matrix, Matrix], x: Array, steps: tuple[int, int], size: tuple[int, int]
) -> Array:
    """M X M'^T of the tiles X, one every (m, n) of the outputs of `size`.

    Returns:
      (rows of M, rows of M', N, h, w, C).
    """
    places = [len(matrix[0]) for matrix in matrices]
    reach = [(outputs - 1) // step * step + 1 for outputs, step in zip(size, steps, strict=True)]
    edges = [
        (0, last + tile - 1 - has)
        for last, tile, has in zip(reach, places, x.shape[1:3], strict=True)
    ]
    x = jnp.pad(x, ((0, 0), *edges, (0, 0)))
    rows = [x[:, i : i + reach[0] : steps[0]] for i in range(places[0])]
    x = jnp.stack(_combined(matrices[0], rows))
    columns = [x[:, :, :, j : j + reach[1] : steps[1]] for j in range(places[1])]
    return jnp.stack(_combined(matrices[1], columns), axis=1)


def _taps(matrices: tuple[Matrix, Matrix], x: Array) -> Array:
    """M X M'^T of the first two axes of x, (columns, columns, ...) to (rows, rows, ...)."""
    x = jnp.stack(_combined(matrices[0], x))
    return jnp.stack(_combined(matrices[1], [x[:, i] for i in range(x.shape[1])]), axis=1)


def _transposed(matrix: Matrix) -> Matrix:
    return list(zip(*matrix, strict=True))


def _combined(matrix: Matrix, arrays: Sequence[Array] | Array) -> list[Array]:
    """M v, of a vector of arrays."""
    return [_weighted_sum(row, arrays) for row in matrix]


def _weighted_sum(row: Sequence[float], arrays: Sequence[Array] | Array) -> Array:
    terms = [
        x if factor == 1 else factor * x for factor, x in zip(row, arrays, strict=True) if factor
    ]
    return sum(terms[1:], terms[0])


def _matrices(x: Array) -> Array:
    return x.reshape(x.shape[0] * x.shape[1], -1, x.shape[-1])


def _joined(y: Array) -> Array:
    n, h, down, w, across, channels = y.shape
    return y.reshape(n, down * h, across * w, channels)
