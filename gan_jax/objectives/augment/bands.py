"""A filter bank of four octave bands, which add up to the identity.

Reference: Karras et al. 2020, "Training generative adversarial networks with limited data",
appendix B, "image-space filtering".
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array

BANDS = 4
POWER = np.array([10, 1, 1, 1], np.float32) / 13
"""The share of each band in the power of a natural image, whose spectrum falls as 1 / f."""

# The autocorrelation of the sym2 wavelet's lowpass, halved: zero-phase, and with its highpass,
# 1 - LOWPASS, a two-channel bank that reconstructs perfectly.
LOWPASS = np.array([-1, 0, 9, 16, 9, 0, -1]) / 32


@functools.cache
def band_taps() -> np.ndarray:
    """Returns the impulse responses of the bands, (4, 43), centred, which add up to an impulse.

    The bands are about [0, pi/8], [pi/8, pi/4], [pi/4, pi/2] and [pi/2, pi] of the angular
    frequency. With the lowpass P and z -> z^2 for a filter whose taps are spread apart,

        P(z) P(z^2) P(z^4),    P(z) P(z^2) (1 - P(z^4)),    P(z) (1 - P(z^2)),    1 - P(z).
    """
    low, bands = np.ones(1), []
    for octave in range(BANDS - 1):
        spread = np.zeros((LOWPASS.size - 1) * 2**octave + 1)
        spread[:: 2**octave] = LOWPASS
        lower = np.convolve(low, spread)
        bands.append(np.pad(low, (lower.size - low.size) // 2) - lower)
        low = lower
    bands.append(low)
    return np.stack([np.pad(band, (low.size - band.size) // 2) for band in reversed(bands)])


@functools.cache
def band_matrices(size: int) -> np.ndarray:
    """Returns the bands as matrices (4, size, size) on a signal that is mirrored at its ends.

    They add up to the identity, exactly: all entries are multiples of 2^-15. A matrix takes any
    length, also one shorter than the filters, and is a fast form for images of up to some hundred
    pixels. The mirrors stand on the outermost pixels, as in `affine.resample`.
    """
    taps = band_taps()
    reach = taps.shape[1] // 2
    mirrored = np.pad(np.arange(size), reach, mode="reflect")
    matrices = np.zeros((BANDS, size, size))
    for output in range(size):
        for tap, source in enumerate(mirrored[output : output + 2 * reach + 1]):
            matrices[:, output, source] += taps[:, tap]
    return matrices.astype(np.float32)


def equalize(image: Array, gains: Array) -> Array:
    """Multiplies the bands of an image (H, W, C) by gains (4,), along y and along x.

    At gains of 1 it is the identity, bit for bit.
    """
    height, width, _ = image.shape
    rows, columns = (
        jnp.einsum("b,bij->ij", gains, band_matrices(size), precision="highest")
        for size in (height, width)
    )
    return jnp.einsum("yi,ijc,xj->yxc", rows, image, columns, precision="highest")
