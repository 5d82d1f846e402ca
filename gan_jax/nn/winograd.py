"""Winograd's minimal filtering: convolutions by 2 x 2 and 3 x 3 kernels with fewer products.

Two outputs of a filter of r taps take r + 1 products in place of 2 r. Along both axes of an image:

    y = A^T [(G w G^T) * (B^T d B)] A,    d (r + 1, r + 1),  w (r, r),  y (2, 2)

which is 16 products for 36 where r = 3, and 9 for 16 where r = 2. Over channels each of them is a
product of matrices. The factors are 0, 1, -1 and 1/2, so that rounding stays that of plain sums.

Reference: Winograd 1980, "Arithmetic complexity of computations"; Lavin & Gray 2016, "Fast
algorithms for convolutional neural networks", section 4.1.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.nn.row_products import over_rows

Array = jax.Array
Matrix = Sequence[Sequence[float]]


class Transforms(NamedTuple):
    """The matrices of F(2, r) by rows: `data` is B^T, `kernel` is G, `output` is A^T."""

    data: Matrix
    kernel: Matrix
    output: Matrix


TRANSFORMS: Mapping[int, Transforms] = MappingProxyType(
    {
        2: Transforms(
            data=((1, -1, 0), (0, 1, 0), (0, -1, 1)),
            kernel=((1, 0), (1, 1), (0, 1)),
            output=((1, 1, 0), (0, 1, 1)),
        ),
        3: Transforms(
            data=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
            kernel=((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
            output=((1, 1, 1, 0), (0, 1, -1, -1)),
        ),
    }
)
"""F(2, r) by r."""


def product(x: Array, kernel: Array) -> Array:
    """Returns the convolution with stride 1 and without padding, (N, H - r + 1, W - r + 1, O).

    Args:
      x: (N, H, W, C).
      kernel: (r, r, C, O), r in `TRANSFORMS`.
    """
    taps = len(kernel)
    size = (x.shape[1] - taps + 1, x.shape[2] - taps + 1)
    transforms = TRANSFORMS[taps]
    data = _tiles(transforms.data, x, size)
    products = _matrices(data) @ _matrices(_taps(transforms.kernel, kernel))
    products = products.reshape(*data.shape[:-1], -1)  # (r + 1, r + 1, N, h, w, O)
    rows = _combined(transforms.output, products)
    y = [jnp.stack(_combined(transforms.output, row), axis=3) for row in rows]
    return _joined(jnp.stack(y, axis=2))[:, : size[0], : size[1]]


def kernel_gradient(x: Array, gradient: Array) -> Array:
    """Returns sum_(n, i, j) x[n, i + k, j + l]^T gradient[n, i, j] for each k and l, (r, r, C, O).

    Args:
      x: (N, H, W, C).
      gradient: (N, H - r + 1, W - r + 1, O), of `product`.
    """
    size = (gradient.shape[1], gradient.shape[2])
    transforms = TRANSFORMS[x.shape[1] - size[0] + 1]
    data = _tiles(transforms.data, x, size)
    gradients = _tiles(_transposed(transforms.output), gradient, size)
    products = over_rows(_matrices(data), _matrices(gradients))
    products = products.reshape(*data.shape[:2], *products.shape[1:])
    return _taps(_transposed(transforms.kernel), products)


def _tiles(matrix: Matrix, x: Array, size: tuple[int, int]) -> Array:
    """M X M^T of the tiles X that begin at every other row and column: (rows, rows, N, h, w, C).

    `size` is that of the outputs, of which each tile has 2 x 2.
    """
    height, width = ((outputs + 1) // 2 for outputs in size)
    places = len(matrix[0])
    missing = (2 * height - 2 + places - x.shape[1], 2 * width - 2 + places - x.shape[2])
    x = jnp.pad(x, ((0, 0), (0, missing[0]), (0, missing[1]), (0, 0)))
    rows = [x[:, i : i + 2 * height - 1 : 2] for i in range(places)]
    x = jnp.stack(_combined(matrix, rows))
    columns = [x[:, :, :, j : j + 2 * width - 1 : 2] for j in range(places)]
    return jnp.stack(_combined(matrix, columns), axis=1)


def _taps(matrix: Matrix, x: Array) -> Array:
    """M X M^T of the first two axes of x, (columns, columns, ...) to (rows, rows, ...)."""
    x = jnp.stack(_combined(matrix, x))
    return jnp.stack(_combined(matrix, [x[:, i] for i in range(x.shape[1])]), axis=1)


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
    n, h, _, w, _, channels = y.shape
    return y.reshape(n, 2 * h, 2 * w, channels)
