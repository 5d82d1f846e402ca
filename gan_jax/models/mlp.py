"""Multi-layer perceptrons: the networks of Goodfellow et al. 2014, for images and for points.

With `num_classes` they are conditional. The generator's input has the one-hot label beside it, and
so, unless another conditioning is asked for, has the discriminator's (Mirza & Osindero 2014,
"Conditional generative adversarial nets").
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.models.activations import Activation, leaky_relu
from gan_jax.models.heads import head
from gan_jax.models.outputs import Outputs

Array = jax.Array


class MLPGenerator(nn.Module):
    """Latents (B, Z) to images (B, *image_shape).

    Attributes:
      image_shape: (H, W, C).
      widths: of the hidden layers, in order.
      activation: of the hidden layers.
      output: of the last layer; `tanh` keeps images in [-1, 1].
      num_classes: for a conditional generator.
      dtype: what it computes in; parameters and images are float32 all the same.
    """

    image_shape: Sequence[int]
    widths: Sequence[int] = (128, 256, 512)
    activation: Activation = leaky_relu
    output: Activation = jnp.tanh
    num_classes: int | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, z: Array, labels: Array | None = None, *, train: bool, keys: Any = None
    ) -> Array:
        """Returns images (B, H, W, C); `labels` (B,) int32 where there are classes."""
        del train, keys
        x = _with_label(z, labels, self.num_classes)
        x = _hidden(x, self.widths, self.activation, self.dtype)
        x = nn.Dense(math.prod(self.image_shape), dtype=self.dtype)(x)
        return self.output(x.astype(jnp.float32)).reshape(-1, *self.image_shape)


class MLPDiscriminator(nn.Module):
    """Images (B, H, W, C) to `Outputs`.

    Attributes:
      widths: of the hidden layers, in order.
      activation: of the hidden layers.
      num_classes: for a conditional discriminator.
      conditioning: how it is conditional; one of `heads.CONDITIONINGS`.
      dtype: what the hidden layers compute in; parameters and logits are float32 all the same.
    """

    widths: Sequence[int] = (512, 256, 128)
    activation: Activation = leaky_relu
    num_classes: int | None = None
    conditioning: str = "concatenate"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, images: Array, labels: Array | None = None, *, train: bool, keys: Any = None
    ) -> Outputs:
        """Returns `Outputs`; `labels` (B,) int32 where there are classes."""
        del train, keys
        x = images.reshape(images.shape[0], -1)
        if self.conditioning == "concatenate":
            x = _with_label(x, labels, self.num_classes)
        x = _hidden(x, self.widths, self.activation, self.dtype).astype(jnp.float32)
        return head(x, labels, self.num_classes, self.conditioning)


def _with_label(x: Array, labels: Array | None, num_classes: int | None) -> Array:
    if num_classes is None:
        return x
    return jnp.concatenate([x, jax.nn.one_hot(labels, num_classes, dtype=x.dtype)], axis=-1)


def _hidden(x: Array, widths: Sequence[int], activation: Activation, dtype: Any) -> Array:
    for width in widths:
        x = activation(nn.Dense(width, dtype=dtype)(x))
    return x
