"""Latents as the generator is given them."""

import jax

from gan_jax.errors import InputError
from gan_jax.rng import normal, substream, truncated_normal

Array = jax.Array


def latents(keys: Array, length: int, truncation: float | None = None) -> Array:
    """Returns standard normal z (B, length), row i of `keys[i]` alone.

    Args:
      keys: (B,).
      length: Z.
      truncation: t, where values are to lie within [-t, t] as if others were drawn again ("the
        truncation trick": Brock et al. 2019, "Large scale GAN training for high fidelity natural
        image synthesis", section 3.1).

    Raises:
      InputError: t is not positive.
    """
    keys = substream(keys, "z")
    if truncation is None:
        return normal(keys, (length,))
    if truncation <= 0:
        raise InputError(
            f"truncation is {truncation}; latents are drawn within it, so it must be positive"
        )
    return truncated_normal(keys, (length,), bound=truncation)
