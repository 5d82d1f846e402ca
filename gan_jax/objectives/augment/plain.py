"""Plain augmentation of the reals. At strength 0 each function is the identity, bit for bit."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp

from gan_jax.objectives.augment.affine import resample, rotation, scaling
from gan_jax.objectives.augment.rows import add_noise, per_image, random_window
from gan_jax.rng import substream

Array = jax.Array


@per_image
def flip(image: Array, key: Array, /, probability: float = 0.5) -> Array:
    """Mirrors images (B, H, W, C) left to right with a probability."""
    return jnp.where(jax.random.bernoulli(key, jnp.float32(probability)), image[:, ::-1], image)


@per_image
def shift(image: Array, key: Array, /, pixels: int, *, fill: float = -1.0) -> Array:
    """Moves images (B, H, W, C) by whole pixels, uniform in {-pixels, ..., pixels} on each axis.

    What comes in from outside has the value `fill`; -1 is black.
    """
    margins = ((pixels, pixels), (pixels, pixels), (0, 0))
    canvas = jnp.pad(image, margins, constant_values=fill)
    return random_window(canvas, key, image.shape)


@per_image
def crop(image: Array, key: Array, /, pixels: int) -> Array:
    """Pads images (B, H, W, C) by mirroring, and crops them to their size at a uniform place.

    `shift`, but that what comes in from outside is the image mirrored (NumPy's "reflect").
    """
    margins = ((pixels, pixels), (pixels, pixels), (0, 0))
    return random_window(jnp.pad(image, margins, mode="reflect"), key, image.shape)


@per_image
def rotate(image: Array, key: Array, /, degrees: float) -> Array:
    """Turns images (B, H, W, C) by an angle ~ U(-degrees, degrees); bilinear, mirrored outside."""
    angle = jax.random.uniform(key, minval=-1.0) * math.radians(degrees)
    return resample(image, rotation(angle))


@per_image
def scale(image: Array, key: Array, /, amount: float) -> Array:
    """Scales images (B, H, W, C) by s, where log s ~ U(-log(1 + amount), log(1 + amount)).

    Bilinear; mirrored outside. So 0.25 makes images up to 25 % larger, or smaller by that factor.
    """
    factor = jnp.exp(jax.random.uniform(key, minval=-1.0) * math.log1p(amount))
    return resample(image, scaling(factor, factor))


@per_image
def noise(image: Array, key: Array, /, sigma: float) -> Array:
    """Adds normal noise of standard deviation `sigma` to images (B, H, W, C), alpha left alone."""
    return add_noise(image, key, sigma)


PLAIN: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {"flip": flip, "scale": scale, "rotate": rotate, "crop": crop, "shift": shift, "noise": noise}
)


def plain(images: Array, keys: Array, strengths: Mapping[str, float]) -> Array:
    """Applies those of `PLAIN` that have a strength, in its order, each with draws of its own.

    Args:
      images: (B, H, W, C) in [-1, 1].
      keys: (B,).
      strengths: by name, the first argument after `images` and `keys`.

    Raises:
      ValueError: there is no such name.
    """
    if unknown := set(strengths) - set(PLAIN):
        raise ValueError(f"no plain augmentation: {sorted(unknown)}; there are {list(PLAIN)}")
    for name in (name for name in PLAIN if name in strengths):
        images = PLAIN[name](images, substream(keys, name), strengths[name])
    return images
