"""Adaptive pseudo augmentation: fakes among the reals, so that the discriminator is not too sure.

Reference: Jiang et al. 2021, "Deceive D: adaptive pseudo augmentation for GAN training with limited
data", section 3.
"""

import jax
import jax.numpy as jnp

from gan_jax.objectives.adaptive import Adaptive, Controls
from gan_jax.objectives.augment.pipeline import steering

Array = jax.Array


def pseudo_augment(real: Array, fake: Array, keys: Array, p: Array | float) -> Array:
    """Replaces each real by the fake of its row with probability p.

    The result takes the place of the reals in the discriminator's loss.

    Args:
      real: (B, H, W, C).
      fake: (B, H, W, C).
      keys: (B,).
      p: () in [0, 1].

    Returns:
      Images (B, H, W, C), each a real or a fake, bit for bit.
    """
    replaced = jax.vmap(lambda key: jax.random.bernoulli(key, p))(keys)  # (B,)
    return jnp.where(replaced[:, None, None, None], fake, real)


def adaptive_pseudo(*, images: int, target: float = 0.6, speed_images: int = 500_000) -> Adaptive:
    """Returns `pseudo_augment` whose probability is `controls["apa_probability"]`.

    It begins at 0, and moves as ADA's does, by the sign rate of what is shown as real.

    Args:
      images: reals that one update sees.
      target: as for `adjust_probability`.
      speed_images: likewise.
    """

    def augment(real: Array, fake: Array, keys: Array, *, controls: Controls) -> Array:
        return pseudo_augment(real, fake, keys, controls["apa_probability"])

    name = "apa_probability"
    update = steering(name, images=images, target=target, speed_images=speed_images)
    return Adaptive(augment, {name: 0.0}, update)
