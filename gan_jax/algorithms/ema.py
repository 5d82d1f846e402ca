"""The averaged generator: an exponential moving average of its weights."""

import jax
import jax.numpy as jnp

from gan_jax.train_state import PyTree

Array = jax.Array

AVERAGED = ("params", "batch_stats")
"""Collections that are averaged. Others (spectral-norm vectors) belong to the newest weights."""


def update_average(average: PyTree, weights: PyTree, decay: Array | float) -> PyTree:
    """Moves `average` towards `weights`: `decay * average + (1 - decay) * weights`.

    Both are dicts by collection, as Flax's `apply` takes them. Parameters and batch statistics are
    averaged; every other collection is copied from `weights`.
    """

    def move(old: Array, new: Array) -> Array:
        return new + decay * (old - new)

    return {
        name: jax.tree.map(move, average[name], tree) if name in AVERAGED else tree
        for name, tree in weights.items()
    }


def half_life_decay(
    images_seen: Array, *, images: int, half_life: float, ramp: float | None = None
) -> Array:
    """Returns the decay for one update of `images` images: `0.5 ** (images / half_life)`.

    Args:
      images_seen: images seen before this update, any shape.
      images: images that one update sees.
      half_life: in images, so that it means the same at any batch size.
      ramp: caps the half-life at `ramp * images_seen`, so that the average forgets the first
        weights quickly; None for no cap. At 0 images seen the decay is then 0.

    Reference: Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN",
    appendix B (half-life); Karras et al. 2020, "Training GANs with limited data", table 5 (ramp).
    """
    capped = jnp.asarray(half_life, jnp.float32)
    if ramp is not None:
        capped = jnp.minimum(capped, ramp * images_seen)
    # The floor keeps 0 images seen from dividing by zero: 0.5 ** (images / 1e-8) is 0.
    return jnp.exp2(-images / jnp.maximum(capped, 1e-8))
