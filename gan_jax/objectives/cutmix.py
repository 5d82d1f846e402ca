"""Mixtures of reals and fakes, by which a discriminator that judges pixels learns where fakes are.

Reference: Schönfeld et al. 2020, "A U-Net based discriminator for generative adversarial networks",
sections 3.2 and 4.1; what the paper leaves open is as in the authors' code.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.errors import InputError
from gan_jax.objectives.adaptive import OfOutputs
from gan_jax.rng import substream

Array = jax.Array


def boxes(keys: Array, size: Sequence[int]) -> Array:
    """Draws a mask for each of `keys` (B,): 1 in a box and 0 around it, or the reverse; (B, H, W).

    The box has the image's proportions and a share of its area that is uniform in [0, 1), its
    centre is anywhere in the image, which cuts off what reaches beyond it; and either is as likely
    to be 1 (Yun et al. 2019, "CutMix", section 3.1, for the box).
    """

    def inside(length: int, side: Array, place: Array) -> Array:
        half, centre = jnp.floor(length * side) // 2, jnp.floor(length * place)
        return jnp.abs(jnp.arange(length) + 0.5 - centre) < half

    def box(key: Array) -> Array:
        share, row, column, reverse = jax.random.uniform(key, (4,))
        rows, columns = (
            inside(length, jnp.sqrt(share), place)
            for length, place in zip(size, (row, column), strict=True)
        )
        return jnp.float32((rows[:, None] & columns) ^ (reverse < 0.5))

    return jax.vmap(box)(keys)


def cutmix(judge: Callable[[Array], Any], real: Array, fake: Array, keys: Array) -> Array:
    """What the discriminator says of m = M x + (1 - M) G(z), M one of `boxes` for each row.

        softplus(D(m)) + mean_ij [softplus(D_ij(m)) - M_ij D_ij(m)]
            + mean_ij [D_ij(m) - (M_ij D_ij(x) + (1 - M_ij) D_ij(G(z)))]^2

    A mixture is a fake, its pixels are what they come from, and are judged as they are there. These
    are the non-saturating loss's terms. One pass of the discriminator more. An augmentation before
    the discriminator must leave pixels in their places, for M does not move with them.

    The authors' loss is half of ours. For CelebA they add this to it, which is a weight of 2; for
    FFHQ it takes the loss's place, by chance, in a share of updates that rises to a half: the same
    on the average in the end.

    Args:
      judge: maps images (B, H, W, C) to outputs with `logits` (B,) and `pixel_logits` (B, H, W).
      real: (B, H, W, C).
      fake: (B, H, W, C).
      keys: (B,).

    Raises:
      InputError: the discriminator does not judge pixels.
    """
    mask = boxes(substream(keys, "boxes"), real.shape[1:3])
    mixed = judge(mask[..., None] * real + (1 - mask[..., None]) * fake)
    if getattr(mixed, "pixel_logits", None) is None:
        raise InputError("cutmix needs a discriminator that judges pixels, as the family unet has")
    pixels = mixed.pixel_logits
    parts = mask * judge(real).pixel_logits + (1 - mask) * judge(fake).pixel_logits
    of_pixels = jax.nn.softplus(pixels) - mask * pixels + jnp.square(pixels - parts)
    return jax.nn.softplus(mixed.logits) + of_pixels.mean((1, 2))


CUTMIX = OfOutputs(cutmix)
"""`cutmix` of what the discriminator says of pixels, too."""
