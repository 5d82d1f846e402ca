"""Losses on what a discriminator says of the class, beside what it says of real and fake.

`CLASS_LOSSES[name]` is a `ClassLoss`: two functions of class logits, unreduced, whose mean over the
batch and weight are the caller's.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

Array = jax.Array


class ClassLoss(NamedTuple):
    """How the two networks learn the class.

    Attributes:
      discriminator: `(real, fake, labels) -> (B,)` of the class logits of reals and of fakes; the
        real and the fake of a row have the same label, (B,) int32.
      generator: `(fake, labels) -> (B,)`.
      conditioning: of the discriminator's head, which decides the shape of class logits.
    """

    discriminator: Callable[..., Array]
    generator: Callable[..., Array]
    conditioning: str


_cross_entropy = optax.softmax_cross_entropy_with_integer_labels


def _auxiliary_discriminator(real: Array, fake: Array, labels: Array) -> Array:
    return _cross_entropy(real, labels) + _cross_entropy(fake, labels)


AUXILIARY = ClassLoss(_auxiliary_discriminator, _cross_entropy, conditioning="classifier")
"""An auxiliary classifier, which both networks help to be right: class logits (B, K).

    L_D = -log p(y | x) - log p(y | G(z, y)),    L_G = -log p(y | G(z, y))

Reference: Odena et al. 2017, "Conditional image synthesis with auxiliary classifier GANs",
section 3.
"""


def _twin_discriminator(real: Array, fake: Array, labels: Array) -> Array:
    num_classes = real.shape[-1] // 2
    return _cross_entropy(real, labels) + _cross_entropy(fake, labels + num_classes)


def _twin_generator(fake: Array, labels: Array) -> Array:
    num_classes = fake.shape[-1] // 2
    as_real = jnp.take_along_axis(fake, labels[:, None], axis=-1)[:, 0]
    as_fake = jnp.take_along_axis(fake, labels[:, None] + num_classes, axis=-1)[:, 0]
    return as_fake - as_real


DISCRIMINATIVE = ClassLoss(_twin_discriminator, _twin_generator, conditioning="twin_classifier")
"""An auxiliary classifier that tells the classes of reals from those of fakes: logits (B, 2 K).

    L_D = -log p(y, real | x) - log p(y, fake | G(z, y))
    L_G = -log p(y, real | G(z, y)) + log p(y, fake | G(z, y))

Unlike with `AUXILIARY`, the generator is not rewarded for samples that are merely easy to classify.

Reference: Hou et al. 2022, "Conditional GANs with auxiliary discriminative classifier" (ADC-GAN).
"""

CLASS_LOSSES: Mapping[str, ClassLoss] = MappingProxyType(
    {"auxiliary": AUXILIARY, "discriminative": DISCRIMINATIVE}
)
