"""Adaptive pseudo augmentation: fakes among the reals, so that the discriminator is not too sure.

Reference: Jiang et al. 2021, "Deceive D: adaptive pseudo augmentation for GAN training with limited
data", section 3.
"""

import jax
import jax.numpy as jnp

Array = jax.Array


def pseudo_augment(real: Array, fake: Array, keys: Array, p: Array | float) -> Array:
    """Replaces each real by the fake of its row with probability p.

    The result takes the place of the reals in the discriminator's loss. Where p adapts, it moves as
    ADA's does: `adjust_probability`.

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
