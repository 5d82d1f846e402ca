"""Gradient penalties on the discriminator, one value an example.

A penalty is `penalty(discriminate, real, fake, keys) -> (B,)`: `discriminate` maps images
(B, H, W, C) to logits (B,), with the augmentation inside, so that gradients are taken at the image
before it. `keys` (B,) are for penalties that draw. The mean over the batch and the weight (the
papers' gamma) are the caller's.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp

Array = jax.Array
Discriminate = Callable[[Array], Array]
Penalty = Callable[[Discriminate, Array, Array, Array], Array]


def _half_squared_gradient(discriminate: Discriminate, images: Array) -> Array:
    # One backward pass serves the batch: logit i depends on image i alone.
    gradient = jax.grad(lambda images: discriminate(images).sum())(images)
    return 0.5 * jnp.sum(jnp.square(gradient), axis=range(1, images.ndim))


def r1(discriminate: Discriminate, real: Array, fake: Array, keys: Array) -> Array:
    """Half the squared gradient norm of the discriminator at the reals: 1/2 |grad_x D(x)|^2.

    Reference: Mescheder et al. 2018, "Which training methods for GANs do actually converge?",
    equation 9, whose gamma is the weight.
    """
    del fake, keys
    return _half_squared_gradient(discriminate, real)


def r2(discriminate: Discriminate, real: Array, fake: Array, keys: Array) -> Array:
    """Half the squared gradient norm of the discriminator at the fakes: 1/2 |grad_x D(G(z))|^2.

    Reference: Mescheder et al. 2018, equation 10. With R1 it is what makes the relativistic pairing
    loss converge (Huang et al. 2024, section 2.2).
    """
    del real, keys
    return _half_squared_gradient(discriminate, fake)


PENALTIES: Mapping[str, Penalty] = MappingProxyType({"r1": r1, "r2": r2})
