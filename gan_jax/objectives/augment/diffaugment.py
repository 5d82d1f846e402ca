"""DiffAugment: the same differentiable operations on all that the discriminator sees.

Reference: Zhao et al. 2020, "Differentiable augmentation for data-efficient GAN training", section
4 and the code published with it.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import jax
import jax.numpy as jnp

from gan_jax.objectives.augment.rows import cut_out, on_colour, per_image, random_window
from gan_jax.rng import substream

Array = jax.Array


@per_image
def colour(image: Array, key: Array, /) -> Array:
    """Changes the brightness, then the saturation, then the contrast of images (B, H, W, C).

    x + b,                    b ~ U(-0.5, 0.5)
    grey + s (x - grey),      s ~ U(0, 2),        grey: the mean of a pixel's channels
    mean + c (x - mean),      c ~ U(0.5, 1.5),    mean: over the pixels and channels
    """
    least, most = jnp.array([-0.5, 0.0, 0.5]), jnp.array([0.5, 2.0, 1.5])
    b, s, c = jax.random.uniform(key, (3,), minval=least, maxval=most)

    def change(colour: Array) -> Array:
        colour = colour + b
        grey = colour.mean(axis=-1, keepdims=True)
        colour = grey + s * (colour - grey)
        mean = colour.mean()
        return mean + c * (colour - mean)

    return on_colour(change, image)


@per_image
def translation(image: Array, key: Array, /) -> Array:
    """Moves images (B, H, W, C) by whole pixels: y within H / 8, x within W / 8, uniform.

    The bounds are rounded, halves up. What comes in from outside is 0, as in the published code:
    in [-1, 1] that is mid-grey.
    """
    y, x = (image.shape[0] + 4) // 8, (image.shape[1] + 4) // 8
    return random_window(jnp.pad(image, ((y, y), (x, x), (0, 0))), key, image.shape)


@per_image
def cutout(image: Array, key: Array, /) -> Array:
    """Sets a rectangle of half the height and width to 0 in images (B, H, W, C).

    Halves are rounded up. Its centre is uniform over the image, so part of it may lie outside. In
    [-1, 1], 0 is mid-grey.
    """
    size = (jnp.array(image.shape[:2]) + 1) // 2
    # The centre of an even size lies between pixels, of which there is one place more.
    centre = jax.random.randint(key, (2,), 0, jnp.array(image.shape[:2]) + 1 - size % 2)
    start = centre - size // 2
    return cut_out(image, start, start + size)


OPERATIONS: Mapping[str, Callable[[Array, Array], Array]] = MappingProxyType(
    {"colour": colour, "translation": translation, "cutout": cutout}
)


def diff_augment(
    images: Array, keys: Array, policy: Sequence[str] = ("colour", "translation", "cutout")
) -> Array:
    """Applies the operations of a policy in its order, each to every image.

    Args:
      images: (B, H, W, C) in [-1, 1].
      keys: (B,).
      policy: names of `OPERATIONS`.

    Returns:
      Images (B, H, W, C), not clipped.

    Raises:
      ValueError: for a name that is not in `OPERATIONS`.
    """
    if unknown := set(policy) - set(OPERATIONS):
        raise ValueError(f"no operation of DiffAugment: {unknown}; there are {set(OPERATIONS)}")
    for name in policy:
        images = OPERATIONS[name](images, substream(keys, name))
    return images
