"""Losses on what a discriminator says of the class, beside what it says of real and fake.

`CLASS_LOSSES[name]` is a `ClassLoss`: two functions of class logits, unreduced, whose mean over the
batch and weight are the caller's.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.objectives.contrastive import conditional_contrastive, data_to_data_cross_entropy

Array = jax.Array


class ClassLoss(NamedTuple):
    """How the two networks learn the class.

    Attributes:
      discriminator: `(real, fake, labels, fake_labels) -> (B,)` of the class logits of reals and of
        fakes, and of their labels, each (B,) int32.
      generator: `(fake, labels) -> (B,)`, with the labels of the fakes.
      conditioning: of the discriminator's head, which decides what class logits are: (B, K) for
        "classifier", (B, 2 K) for "twin_classifier", (B, 2, E) for "proxies", where an image's
        embedding is followed by that of its label.
      couples: whether a value depends on other examples of the batch than its own. Both functions
        then take `axis_name=None`, and see the whole batch where it lies on several devices.
    """

    discriminator: Callable[..., Array]
    generator: Callable[..., Array]
    conditioning: str
    couples: bool = False

    def over(self, axis_name: str | None) -> "ClassLoss":
        """Returns the loss of a batch that is spread over a mapped axis."""
        if not self.couples:
            return self
        return self._replace(
            discriminator=partial(self.discriminator, axis_name=axis_name),
            generator=partial(self.generator, axis_name=axis_name),
        )


# ---- classifiers ---------------------------------------------------------------------------------


_cross_entropy = optax.softmax_cross_entropy_with_integer_labels


def _auxiliary_discriminator(real: Array, fake: Array, labels: Array, fake_labels: Array) -> Array:
    return _cross_entropy(real, labels) + _cross_entropy(fake, fake_labels)


def _auxiliary_generator(fake: Array, labels: Array) -> Array:
    return _cross_entropy(fake, labels)


AUXILIARY = ClassLoss(_auxiliary_discriminator, _auxiliary_generator, conditioning="classifier")
"""An auxiliary classifier, which both networks help to be right: class logits (B, K).

    L_D = -log p(y | x) - log p(y' | G(z, y')),    L_G = -log p(y' | G(z, y'))

Reference: Odena et al. 2017, "Conditional image synthesis with auxiliary classifier GANs",
section 3.
"""


def _twin_discriminator(real: Array, fake: Array, labels: Array, fake_labels: Array) -> Array:
    num_classes = real.shape[-1] // 2
    return _cross_entropy(real, labels) + _cross_entropy(fake, fake_labels + num_classes)


def _twin_generator(fake: Array, labels: Array) -> Array:
    num_classes = fake.shape[-1] // 2
    as_real = jnp.take_along_axis(fake, labels[:, None], axis=-1)[:, 0]
    as_fake = jnp.take_along_axis(fake, labels[:, None] + num_classes, axis=-1)[:, 0]
    return as_fake - as_real


DISCRIMINATIVE = ClassLoss(_twin_discriminator, _twin_generator, conditioning="twin_classifier")
"""An auxiliary classifier that tells the classes of reals from those of fakes: logits (B, 2 K).

    L_D = -log p(y, real | x) - log p(y', fake | G(z, y'))
    L_G = -log p(y', real | G(z, y')) + log p(y', fake | G(z, y'))

Unlike with `AUXILIARY`, the generator is not rewarded for samples that are merely easy to classify.

Reference: Hou et al. 2022, "Conditional GANs with auxiliary discriminative classifier" (ADC-GAN).
"""


def _crammer_singer(logits: Array, labels: Array) -> Array:
    right = labels[:, None] == jnp.arange(logits.shape[-1])  # (B, K)
    chosen = jnp.take_along_axis(logits, labels[:, None], axis=-1)[:, 0]
    return jax.nn.relu(1 - chosen + jnp.where(right, -jnp.inf, logits).max(axis=-1))


def _multi_hinge_discriminator(
    real: Array, fake: Array, labels: Array, fake_labels: Array
) -> Array:
    del fake, fake_labels
    return _crammer_singer(real, labels)


def _multi_hinge_generator(fake: Array, labels: Array) -> Array:
    return _crammer_singer(fake, labels)


MULTI_HINGE = ClassLoss(
    _multi_hinge_discriminator, _multi_hinge_generator, conditioning="classifier"
)
"""The multi-class hinge loss of Crammer & Singer on an auxiliary classifier C: logits (B, K).

    L_D = max(0, 1 - C_y(x) + max_{k != y} C_k(x))
    L_G = max(0, 1 - C_y'(G(z, y')) + max_{k != y'} C_k(G(z, y')))

Both networks ignore what is classified rightly by a margin already; the classifier learns from
reals alone. The paper adds it to a projection discriminator's hinge loss; its authors' scripts
weigh L_D with 1 and L_G with 0.1.

Reference: Kavalerov et al. 2021, "A multi-class hinge loss for conditional GANs" (MHGAN).
"""


# ---- embeddings ----------------------------------------------------------------------------------


def _of_pairs(function: Callable[..., Array]) -> ClassLoss:
    """Makes a loss of `(pairs, labels, axis_name=...) -> (B,)`: of reals, and of fakes."""

    def discriminator(
        real: Array, fake: Array, labels: Array, fake_labels: Array, axis_name: str | None = None
    ) -> Array:
        del fake, fake_labels
        return function(real, labels, axis_name=axis_name)

    def generator(fake: Array, labels: Array, axis_name: str | None = None) -> Array:
        return function(fake, labels, axis_name=axis_name)

    return ClassLoss(discriminator, generator, conditioning="proxies", couples=True)


def contrastive(*, temperature: float = 1.0) -> ClassLoss:
    """Returns the loss of ContraGAN: `conditional_contrastive` of reals, and of fakes.

    Args:
      temperature: the paper's t; the authors' configurations have 1 for every data set.

    Reference: Kang & Park 2020, "ContraGAN: contrastive learning for conditional image generation".
    """
    return _of_pairs(partial(conditional_contrastive, temperature=temperature))


CONTRASTIVE = contrastive()
"""ContraGAN as on CIFAR-10, where it has the weight 1."""


def data_to_data(
    *,
    temperature: float = 0.5,
    positive_margin: float = 0.98,
    negative_margin: float | None = None,
) -> ClassLoss:
    """Returns the loss of ReACGAN: `data_to_data_cross_entropy` of reals, and of fakes.

    Args:
      temperature: the paper's tau.
      positive_margin: the paper's m_p.
      negative_margin: the paper's m_n; `1 - positive_margin` by default.

    Reference: Kang et al. 2021, "Rebooting ACGAN: auxiliary classifier GANs with stable training".
    """
    if negative_margin is None:
        negative_margin = 1 - positive_margin
    function = partial(
        data_to_data_cross_entropy,
        temperature=temperature,
        positive_margin=positive_margin,
        negative_margin=negative_margin,
    )
    return _of_pairs(function)


DATA_TO_DATA = data_to_data()
"""ReACGAN as on CIFAR-10, where it has the weight 0.5."""


CLASS_LOSSES: Mapping[str, ClassLoss] = MappingProxyType(
    {
        "auxiliary": AUXILIARY,
        "discriminative": DISCRIMINATIVE,
        "multi_hinge": MULTI_HINGE,
        "contrastive": CONTRASTIVE,
        "data_to_data": DATA_TO_DATA,
    }
)
