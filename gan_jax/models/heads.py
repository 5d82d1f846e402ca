"""From the last features of a discriminator to its `Outputs`: where a class may come in."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.errors import InputError
from gan_jax.models.outputs import Outputs
from gan_jax.nn.dense import Dense, Embed

Array = jax.Array

CONDITIONINGS = ("concatenate", "projection", "classifier", "twin_classifier", "proxies")
"""How a discriminator of `num_classes` = K classes sees, or tells, the class:

- "concatenate": the one-hot label is part of its input (Mirza & Osindero 2014, "Conditional
  generative adversarial nets"), which is the network's business and not the head's; the rows of the
  first kernel that it meets are the label's learned embedding;
- "projection": the logit has the term <embedding of the label, features> (Miyato & Koyama 2018,
  "cGANs with projection discriminator", equation 3);
- "classifier": `class_logits` (B, K), for an auxiliary classifier (Odena et al. 2017, "Conditional
  image synthesis with auxiliary classifier GANs");
- "twin_classifier": `class_logits` (B, 2 K), for classes of reals, then of fakes (Hou et al. 2022,
  "Conditional GANs with auxiliary discriminative classifier");
- "proxies": `class_logits` (B, 2, E), for contrastive losses, which normalize them: an embedding of
  the features, then the proxy of the label; E is the features' own width (Kang & Park 2020,
  "ContraGAN: contrastive learning for conditional image generation"; Kang et al. 2021, "Rebooting
  ACGAN: auxiliary classifier GANs with stable training").
"""


def flattened(x: Array) -> Array:
    """Returns (B, N) for (B, ...), also for an empty batch."""
    return x.reshape(x.shape[0], math.prod(x.shape[1:]))


def head(
    features: Array,
    labels: Array | None,
    num_classes: int | None,
    conditioning: str,
    *,
    train: bool,
    spectral: bool = False,
    use_bias: bool = True,
    kernel_init: Any = None,
    dense: Any = Dense,
) -> Outputs:
    """Makes `Outputs` of features (B, D); its layers are those of the module that calls it.

    Args:
      features: (B, D).
      labels: (B,) int32, for "projection" and "proxies".
      num_classes: K, for a conditional discriminator.
      conditioning: one of `CONDITIONINGS`; read where there are classes.
      train: whether spectral vectors move.
      spectral: whether kernels and tables are spectrally normalized.
      use_bias: whether the logits have a bias.
      kernel_init: draws kernels and tables; by default as `Dense` and `Embed` do.
      dense: the linear layer, in the place of `Dense`.

    Raises:
      InputError: there is no such conditioning, or there are no labels for it.
    """
    if conditioning not in CONDITIONINGS:
        raise InputError(f"conditioning is {conditioning!r}; there are {', '.join(CONDITIONINGS)}")
    width = features.shape[-1]
    options: dict[str, Any] = {"spectral": spectral} if spectral else {}
    dense_init = {"kernel_init": kernel_init} if kernel_init else {}
    embedding_init = {"embedding_init": kernel_init} if kernel_init else {}

    def linear(outputs: int, name: str | None = None, use_bias: bool = True) -> Array:
        layer = dense(outputs, use_bias=use_bias, name=name, **options, **dense_init)
        return layer(features, train=train)

    def embedding(num_classes: int, name: str) -> Array:
        if labels is None:
            raise InputError(f"conditioning {conditioning!r} needs labels, and got none")
        table = Embed(num_classes, width, name=name, **options, **embedding_init)
        return table(labels, train=train)

    logits = linear(1, use_bias=use_bias)[:, 0]
    if num_classes is None or conditioning == "concatenate":
        return Outputs(logits, features)
    if conditioning == "projection":
        term = jnp.sum(embedding(num_classes, "class_embedding") * features, axis=-1)
        return Outputs(logits + term, features)
    if conditioning == "proxies":
        pair = linear(width, "class_projection"), embedding(num_classes, "class_proxies")
        return Outputs(logits, features, jnp.stack(pair, axis=1))
    outputs = num_classes * (2 if conditioning == "twin_classifier" else 1)
    return Outputs(logits, features, linear(outputs, "class_logits"))
