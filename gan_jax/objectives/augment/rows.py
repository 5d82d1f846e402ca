"""What every augmentation is made of: a function of one image and one key, lifted to a batch."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec

import jax
import jax.numpy as jnp

Array = jax.Array
Parameters = ParamSpec("Parameters")
Augment = Callable[Concatenate[Array, Array, Parameters], Array]


def per_image(augment: Augment[Parameters]) -> Augment[Parameters]:
    """Lifts `augment(image (H, W, C), key (), ...)` to images (B, H, W, C) and keys (B,).

    All other arguments are shared by the rows. So no row can depend on another row's key.
    """

    @functools.wraps(augment)
    def over_rows(
        images: Array, keys: Array, /, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Array:
        return jax.vmap(lambda image, key: augment(image, key, *args, **kwargs))(images, keys)

    return over_rows


def on_colour(change: Callable[[Array], Array], image: Array) -> Array:
    """Applies `change` to the grey (H, W, 1) or the colour (H, W, 3), and leaves alpha alone."""
    depth = 1 if image.shape[-1] < 3 else 3
    colour, alpha = image[..., :depth], image[..., depth:]
    return jnp.concatenate([change(colour), alpha], axis=-1)


def random_window(canvas: Array, key: Array, shape: tuple[int, ...]) -> Array:
    """Returns a window (H, W, C) = `shape` of a canvas no smaller, every place equally likely."""
    room = jnp.array(canvas.shape) - jnp.array(shape)
    return jax.lax.dynamic_slice(canvas, jax.random.randint(key, (3,), 0, room + 1), shape)


def cut_out(image: Array, start: Array, stop: Array) -> Array:
    """Sets the rectangle of pixels start <= (y, x) < stop to 0, where it meets the image."""
    height, width, _ = image.shape
    y, x = jnp.arange(height)[:, None, None], jnp.arange(width)[:, None]
    inside = (start[0] <= y) & (y < stop[0]) & (start[1] <= x) & (x < stop[1])  # (H, W, 1)
    return jnp.where(inside, 0.0, image)


def add_noise(image: Array, key: Array, sigma: Array | float) -> Array:
    """Adds normal noise of standard deviation `sigma` to every value but alpha's."""

    def noisy(colour: Array) -> Array:
        values = jax.random.normal(key, (colour.size,))  # flat, which compiles faster
        return colour + sigma * values.reshape(colour.shape)

    return on_colour(noisy, image)
