"""Labels, and what stands for them beside what a network reads."""

import jax
import jax.numpy as jnp

from gan_jax.errors import InputError

Array = jax.Array


def given(labels: Array | None) -> Array:
    """Returns the labels.

    Raises:
      InputError: there are none.
    """
    if labels is None:
        raise InputError("a network with classes needs labels, and got none")
    return labels


def beside_vectors(x: Array, labels: Array | None, num_classes: int | None) -> Array:
    """(B, N) to (B, N + num_classes), or as it is without classes."""
    if num_classes is None:
        return x
    return jnp.concatenate([x, jax.nn.one_hot(given(labels), num_classes, dtype=x.dtype)], axis=-1)


def beside_embedding(x: Array, embedding: Array | None) -> Array:
    """(B, N) to (B, E + N), the embedding (B, E) of the label first, or as it is without one."""
    return x if embedding is None else jnp.concatenate([embedding, x], axis=-1)


def beside_images(images: Array, labels: Array | None, num_classes: int | None) -> Array:
    """(B, H, W, C) to (B, H, W, C + num_classes), a plane a class, or as it is without classes."""
    if num_classes is None:
        return images
    planes = jax.nn.one_hot(given(labels), num_classes, dtype=images.dtype)[:, None, None]
    planes = jnp.broadcast_to(planes, (*images.shape[:3], num_classes))
    return jnp.concatenate([images, planes], axis=-1)
