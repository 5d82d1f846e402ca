"""Numbers that tell how a GAN's training goes; `gan_jax.symptoms` says in words what they mean."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gan_jax.axis import mean_over
from gan_jax.objectives.penalties import squared_gradient

Array = jax.Array


def slope(discriminate: Callable[[Array], Array], images: Array) -> Array:
    """Returns the mean norm of the logits' gradients at their images, E |grad_x D(x)|, shape ().

    Args:
      discriminate: images (B, H, W, C) to logits (B,).
      images: (B, H, W, C).
    """
    return jnp.sqrt(squared_gradient(discriminate, images)).mean()


def spread(images: Array, axis_name: str | None = None) -> Array:
    """Returns how far images are from their mean: sqrt(E (x - E x)^2), shape ().

    Args:
      images: (B, H, W, C), the expectation is over the whole batch and all pixels.
      axis_name: the mapped axis that the batch is spread over.
    """
    mean = mean_over(images.mean(0), axis_name)
    return jnp.sqrt(mean_over(jnp.square(images - mean).mean(), axis_name))
