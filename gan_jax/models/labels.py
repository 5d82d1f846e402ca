"""The one-hot label beside what a network reads."""

import jax
import jax.numpy as jnp

Array = jax.Array


def beside_vectors(x: Array, labels: Array | None, num_classes: int | None) -> Array:
    """(B, N) to (B, N + num_classes), or as it is without classes."""
    if num_classes is None:
        return x
    return jnp.concatenate([x, jax.nn.one_hot(labels, num_classes, dtype=x.dtype)], axis=-1)


def beside_images(images: Array, labels: Array | None, num_classes: int | None) -> Array:
    """(B, H, W, C) to (B, H, W, C + num_classes), a plane a class, or as it is without classes."""
    if num_classes is None:
        return images
    planes = jax.nn.one_hot(labels, num_classes, dtype=images.dtype)[:, None, None]
    planes = jnp.broadcast_to(planes, (*images.shape[:3], num_classes))
    return jnp.concatenate([images, planes], axis=-1)
