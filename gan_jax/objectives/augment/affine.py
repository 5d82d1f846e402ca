"""Affine maps of an image, and the one resampler that executes them.

A map is a 3x3 matrix that says where an output pixel reads: `output(p) = input(matrix @ p)`, for
homogeneous points p = (x, y, 1) in pixels, x to the right, y down, from the centre of the image.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

Array = jax.Array
Scalar = Array | float


class Kernel(NamedTuple):
    """An interpolation kernel.

    Attributes:
      taps: the pixels it reads, counted from the one at or before the point.
      weight: a tap's weight, by its distance from the point in pixels; 1 at 0, 0 at 1, 2, ...
    """

    taps: Sequence[int]
    weight: Callable[[Array], Array]


def _cubic_weight(t: Array) -> Array:
    near = (1.5 * t - 2.5) * t * t + 1.0
    far = ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0
    return jnp.where(t <= 1.0, near, far)


LINEAR = Kernel((0, 1), lambda t: 1.0 - t)
"""Bilinear interpolation."""

CUBIC = Kernel((-1, 0, 1, 2), _cubic_weight)
"""Bicubic convolution, a = -1/2 (Keys 1981, "Cubic convolution interpolation", equation 15)."""


def resample(image: Array, matrix: Array, kernel: Kernel) -> Array:
    """Resamples an image by an affine map; outside of its borders the image is mirrored.

        output(p) = sum_k weight(|k - q|) * input(k),    q = matrix @ p

    The mirrors stand on the centres of the outermost pixels, which are not repeated (SciPy's
    "mirror", NumPy's "reflect"), however far outside. Where q is a whole pixel the value is copied,
    bit for bit. Linear in the image. A map that shrinks aliases: nothing is filtered before.

    Args:
      image: (H, W, C).
      matrix: (3, 3), see the module.
      kernel: `LINEAR` or `CUBIC`.

    Returns:
      An image (H, W, C).
    """
    height, width, _ = image.shape
    y = jnp.arange(height)[:, None] - (height - 1) / 2
    x = jnp.arange(width) - (width - 1) / 2
    # Written out: a matrix product may round coordinates to half precision on an accelerator.
    rows = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] + (height - 1) / 2  # (H, W)
    columns = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] + (width - 1) / 2  # (H, W)

    output = jnp.zeros_like(image)
    for row, row_weight in _taps(rows, height, kernel):
        for column, column_weight in _taps(columns, width, kernel):
            pixels = image.at[row, column].get(mode="promise_in_bounds")
            output += (row_weight * column_weight)[..., None] * pixels
    return output


def _taps(points: Array, size: int, kernel: Kernel) -> list[tuple[Array, Array]]:
    """Returns for each tap the indices that `points` read along an axis, and their weights."""
    before = jnp.floor(points)
    return [
        (_mirror(before.astype(jnp.int32) + tap, size), kernel.weight(abs(points - before - tap)))
        for tap in kernel.taps
    ]


def _mirror(index: Array, size: int) -> Array:
    """Folds any index into 0..size-1: a, b, c, b, a, b, ..."""
    last = size - 1
    return last - abs(index % max(2 * last, 1) - last)


def chain(*matrices: Array) -> Array:
    """Returns the map that does the first, then the second, ...: the product in this order."""
    product = matrices[0]
    for matrix in matrices[1:]:
        product = jnp.matmul(product, matrix, precision="highest")
    return product


def translation(x: Scalar, y: Scalar) -> Array:
    """Moves an image by x pixels to the right and y pixels down."""
    return jnp.array([[1.0, 0.0, -x], [0.0, 1.0, -y], [0.0, 0.0, 1.0]])


def scaling(x: Scalar, y: Scalar) -> Array:
    """Makes an image x times as wide and y times as high; -1 flips it."""
    return jnp.array([[1.0 / x, 0.0, 0.0], [0.0, 1.0 / y, 0.0], [0.0, 0.0, 1.0]])


def rotation(angle: Scalar) -> Array:
    """Turns an image counter-clockwise by an angle in radians."""
    return _turn(jnp.cos(angle), jnp.sin(angle))


def quarter_turns(count: Array) -> Array:
    """Turns an image counter-clockwise by 90 degrees, `count` times in 0..3, exactly."""
    return _turn(jnp.array([1.0, 0.0, -1.0, 0.0])[count], jnp.array([0.0, 1.0, 0.0, -1.0])[count])


def _turn(cos: Array, sin: Array) -> Array:
    return jnp.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
