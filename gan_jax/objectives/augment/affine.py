"""Affine maps of an image, and their execution by bilinear interpolation.

A map is a 3x3 matrix that says where an output pixel reads: `output(p) = input(matrix @ p)`, for
homogeneous points p = (x, y, 1) in pixels, x to the right, y down, from the centre of the image.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Array = jax.Array
Scalar = Array | float


def resample(image: Array, matrix: Array) -> Array:
    """Resamples an image bilinearly by an affine map; outside of its borders it is mirrored.

        output(p) = sum_k (1 - |k_x - q_x|)+ (1 - |k_y - q_y|)+ * input(k),    q = matrix @ p

    The mirrors stand on the centres of the outermost pixels, which are not repeated (SciPy's
    "mirror", NumPy's "reflect"), however far outside. Where q is a whole pixel the value is copied,
    bit for bit. Linear in the image. A map that shrinks aliases: nothing is filtered before.

    Args:
      image: (H, W, C).
      matrix: (3, 3), see the module.

    Returns:
      An image (H, W, C).
    """
    height, width, _ = image.shape
    y, x = (jnp.arange(size) - (size - 1) / 2 for size in (height, width))
    rows, columns = read_at(matrix, y, x)
    return bilinear(image, rows + (height - 1) / 2, columns + (width - 1) / 2, fold=mirror)


def read_at(matrix: Array, y: Array, x: Array) -> tuple[Array, Array]:
    """Returns where the points of a grid read, `matrix @ p`, in pixels from the image's centre.

    Args:
      matrix: (3, 3), see the module.
      y: (M,), of the grid's rows.
      x: (N,), of its columns.

    Returns:
      The rows and the columns, (M, N) each.
    """
    # Written out: a matrix product may round coordinates to half precision on an accelerator.
    columns = matrix[0, 0] * x + matrix[0, 1] * y[:, None] + matrix[0, 2]
    rows = matrix[1, 0] * x + matrix[1, 1] * y[:, None] + matrix[1, 2]
    return rows, columns


def bilinear(
    image: Array, rows: Array, columns: Array, *, fold: Callable[[Array, int], Array]
) -> Array:
    """Interpolates an image between its pixels.

    Args:
      image: (H, W, C).
      rows: (M, N), from the centre of the first pixel.
      columns: likewise.
      fold: `(index, size) -> index` in 0..size-1: what lies outside.

    Returns:
      An image (M, N, C).
    """
    height, width, channels = image.shape
    output = jnp.zeros((*rows.shape, channels), image.dtype)
    for row, row_weight in _neighbours(rows, height, fold):
        for column, column_weight in _neighbours(columns, width, fold):
            pixels = image.at[row, column].get(mode="promise_in_bounds")
            output += (row_weight * column_weight)[..., None] * pixels
    return output


def _neighbours(
    points: Array, size: int, fold: Callable[[Array, int], Array]
) -> list[tuple[Array, Array]]:
    """Returns the two indices that points along an axis lie between, and their weights."""
    before = jnp.floor(points)
    index, part = before.astype(jnp.int32), points - before
    return [(fold(index, size), 1.0 - part), (fold(index + 1, size), part)]


def mirror(index: Array, size: int) -> Array:
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
