"""Affine maps at twice an image's resolution, between the two filters of an orthogonal wavelet.

So a move by a fraction of a pixel keeps nearly all detail, and a shrunken image aliases little.

Reference: Karras et al. 2020, "Training generative adversarial networks with limited data",
appendix B, "geometric transformations".
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.objectives.augment.affine import bilinear, read_at

Array = jax.Array

SYM6 = (
    *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
    *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
    *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
)
"""The scaling filter of the nearly symmetric wavelet with six vanishing moments (Daubechies 1992,
"Ten lectures on wavelets", section 8.1.1): orthonormal to itself moved by an even number of taps,
so that what takes an image to twice its resolution and, transposed, back is the identity."""

DELAY = sum(tap * weight for tap, weight in enumerate(SYM6)) / sum(SYM6)
"""By how many samples the filter delays what varies slowly, its first moment (5.1)."""


@functools.cache
def upsampling(size: int) -> np.ndarray:
    """Returns the matrix to twice the resolution, (4 (size - 1), size): u = 2 * filter(x).

    It makes one period of the signal that goes on beyond its ends between mirrors, as in
    `affine.resample`: that repeats itself, and so reaches as far outside as one likes.
    """
    mirrored = [*range(size), *range(size - 2, 0, -1)]  # one period
    matrix = np.zeros((2 * len(mirrored), size))
    for pixel, source in enumerate(mirrored):
        for tap, weight in enumerate(SYM6):
            matrix[(2 * pixel + tap) % len(matrix), source] += math.sqrt(2) * weight
    return matrix.astype(np.float32)


@functools.cache
def downsampling(size: int) -> np.ndarray:
    """Returns the matrix back to a resolution, (size, 2 size + 10)."""
    matrix = np.zeros((size, 2 * (size - 1) + len(SYM6)))
    for pixel in range(size):
        matrix[pixel, 2 * pixel : 2 * pixel + len(SYM6)] = SYM6
    return (matrix / math.sqrt(2)).astype(np.float32)


def resample(image: Array, matrix: Array) -> Array:
    """Resamples an image by an affine map, bilinearly at twice the resolution.

    Linear in the image; the identity, but for rounding, where the map is.

    Args:
      image: (H, W, C).
      matrix: (3, 3), see `affine`.

    Returns:
      An image (H, W, C).
    """
    height, width, _ = image.shape
    product = functools.partial(jnp.einsum, "ai,ijc,bj->abc", precision="highest")
    fine = product(upsampling(height), image, upsampling(width))
    # Of both signals the sample 2 k + DELAY lies on pixel k.
    y, x = (
        (jnp.arange(2 * (size - 1) + len(SYM6)) - DELAY - (size - 1)) / 2
        for size in (height, width)
    )
    rows, columns = read_at(matrix, y, x)
    rows, columns = (
        2 * points + (size - 1) + DELAY for points, size in ((rows, height), (columns, width))
    )
    moved = bilinear(fine, rows, columns, fold=jnp.mod)
    return product(downsampling(height), moved, downsampling(width))
