"""Affine maps at twice an image's resolution, between the two filters of an orthogonal wavelet.

What moves by a fraction of a pixel loses less detail, and what shrinks aliases less, than where one
interpolates between the pixels themselves. The filters are matrices on mirrored signals, which is a
fast form for images of up to some hundred pixels.

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

CENTRE = 5
"""The tap that lies on the pixel, as in the authors' implementation. The filter delays what varies
slowly by 5.1 samples, and half of all frequencies by 4.8 at least."""


@functools.cache
def upsampling(size: int) -> np.ndarray:
    """Returns the matrix to twice the resolution, (4 (size - 1), size); (2, 1) of a single pixel.

        u[m] = sqrt(2) sum_k SYM6[m - 2 k] x[k]

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
    """Returns the matrix back, (size, 2 size + 10): x[k] = sum_t SYM6[t] u[2 k + t] / sqrt(2)."""
    matrix = np.zeros((size, 2 * (size - 1) + len(SYM6)))
    for pixel in range(size):
        matrix[pixel, 2 * pixel : 2 * pixel + len(SYM6)] = SYM6
    return (matrix / math.sqrt(2)).astype(np.float32)


def resample(image: Array, matrix: Array) -> Array:
    """Resamples an image by an affine map, bilinearly at twice the resolution.

    Outside of its borders the image is mirrored as in `affine.resample`, however far; the authors'
    implementation mirrors it once, and reads zeros beyond. Linear in the image; the identity, but
    for rounding, where the map is.

    Args:
      image: (H, W, C).
      matrix: (3, 3), see `affine`.

    Returns:
      An image (H, W, C).
    """
    height, width, _ = image.shape
    product = functools.partial(jnp.einsum, "ai,ijc,bj->abc", precision="highest")
    fine = product(upsampling(height), image, upsampling(width))
    # Of both signals the sample 2 k + CENTRE lies on pixel k.
    y, x = (
        (jnp.arange(2 * (size - 1) + len(SYM6)) - CENTRE - (size - 1)) / 2
        for size in (height, width)
    )
    rows, columns = read_at(matrix, y, x)
    rows, columns = (
        2 * points + (size - 1) + CENTRE for points, size in ((rows, height), (columns, width))
    )
    moved = bilinear(fine, rows, columns, fold=jnp.mod)
    return product(downsampling(height), moved, downsampling(width))
