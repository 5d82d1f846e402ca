"""Adversarial losses: element-wise functions of logits, unreduced.

`LOSSES[name]` is a `Loss`. Both functions return one value an example, shape (B,); the mean over
the batch is the caller's.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import jax

Array = jax.Array


class Loss(NamedTuple):
    """The two sides of an adversarial game.

    Attributes:
      discriminator: `(real_logits, fake_logits) -> (B,)`, minimized by the discriminator.
      generator: `(fake_logits, real_logits) -> (B,)`, minimized by the generator.
      relativistic: whether the generator's side reads `real_logits` (else they may be None).
    """

    discriminator: Callable[[Array, Array], Array]
    generator: Callable[..., Array]
    relativistic: bool


def _non_saturating_discriminator(real_logits: Array, fake_logits: Array) -> Array:
    return jax.nn.softplus(-real_logits) + jax.nn.softplus(fake_logits)


def _non_saturating_generator(fake_logits: Array, real_logits: Array | None = None) -> Array:
    del real_logits
    return jax.nn.softplus(-fake_logits)


NON_SATURATING = Loss(_non_saturating_discriminator, _non_saturating_generator, relativistic=False)
"""Cross-entropy on logits; the generator maximizes log D(G(z)).

    L_D = softplus(-D(x)) + softplus(D(G(z))),    L_G = softplus(-D(G(z)))

Reference: Goodfellow et al. 2014, "Generative Adversarial Networks", section 3.
"""


def _relativistic_discriminator(real_logits: Array, fake_logits: Array) -> Array:
    return jax.nn.softplus(fake_logits - real_logits)


def _relativistic_generator(fake_logits: Array, real_logits: Array) -> Array:
    return jax.nn.softplus(real_logits - fake_logits)


RELATIVISTIC = Loss(_relativistic_discriminator, _relativistic_generator, relativistic=True)
"""Relativistic pairing: each fake is judged against the real of its row.

    L_D = softplus(D(G(z)) - D(x)),    L_G = softplus(D(x) - D(G(z)))

References: Jolicoeur-Martineau 2018, "The relativistic discriminator"; Huang et al. 2024, "The GAN
is dead; long live the GAN! A modern GAN baseline" (R3GAN), equation 2 with f(t) = -log(1 + e^-t).
"""

LOSSES: Mapping[str, Loss] = MappingProxyType(
    {"non_saturating": NON_SATURATING, "relativistic": RELATIVISTIC}
)
