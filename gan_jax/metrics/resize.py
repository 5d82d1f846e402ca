"""Images of any size to what the Inception network of the reference FID takes."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.errors import InputError

Array = jax.Array

SIZE = 299
"""Height and width of the Inception network's images."""


def resize_like_tf1(images: Array, size: tuple[int, int] = (SIZE, SIZE)) -> Array:
    """Resizes images as TensorFlow 1's `resize_bilinear` does by default.

    Pixel i of the output reads the input at i * in / out, in float32, between the two pixels
    beside it: corners coincide at the origin, not centres, and nothing is averaged when an image
    shrinks. The reference FID (Heusel et al. 2017) resizes so. An image of the asked size comes
    back unchanged.

    Args:
      images: (B, H, W, C).
      size: (height, width) of the output.

    Returns:
      (B, height, width, C) float32.
    """
    x = images.astype(jnp.float32)
    for axis, length in zip((2, 1), size[::-1], strict=True):
        x = _resized(x, axis, length)
    return x


def inception_input(images: Array) -> Array:
    """Prepares images for `models.inception.InceptionV3`.

    (r - 128) / 128 of the resized image r, which is as the reference's graph has it.

    Args:
      images: (B, H, W, C) uint8 of one channel, which stands for all three, or of three.

    Returns:
      (B, 299, 299, 3) float32.

    Raises:
      InputError: they are not uint8, or have another number of channels, such as alpha.
    """
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or images.dtype != jnp.uint8:
        raise InputError(
            "the Inception network takes uint8 images (B, H, W, C) of 1 or 3 channels; "
            f"these are {images.dtype} {images.shape}"
        )
    resized = (resize_like_tf1(images) - 128) / 128
    return jnp.broadcast_to(resized, (*resized.shape[:-1], 3))


def _resized(x: Array, axis: int, length: int) -> Array:
    """Along one axis."""
    lower, upper, weight = _positions(x.shape[axis], length)
    weight = np.expand_dims(weight, tuple(i for i in range(x.ndim) if i != axis))
    low, high = jnp.take(x, lower, axis), jnp.take(x, upper, axis)
    return low + (high - low) * weight


def _positions(size: int, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pixels on either side of each that is read, (length,) each, and how far it is between."""
    position = np.arange(length, dtype=np.float32) * (np.float32(size) / np.float32(length))
    lower = position.astype(np.int32)
    return lower, np.minimum(lower + 1, size - 1), position - lower.astype(np.float32)
