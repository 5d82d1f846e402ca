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

from gan_jax.errors import InputError
from gan_jax.models.activations import Activation, leaky_relu
from gan_jax.models.heads import flattened, head
from gan_jax.models.labels import beside_vectors
from gan_jax.models.outputs import Outputs
from gan_jax.nn.batch_norm import BatchNorm
from gan_jax.nn.dense import Dense

Array = jax.Array

NORMS = ("none", "batch")
"""What stands between a hidden layer of the generator and its activation: nothing, or batch
normalization, whose gain and bias go by the label where there are classes."""


class MLPGenerator(nn.Module):
    """Latents (B, Z) to images (B, *image_shape).

    Attributes:
      image_shape: (H, W, C).
      widths: of the hidden layers, in order.
      activation: of the hidden layers.
      output: of the last layer; `tanh` keeps images in [-1, 1].
      num_classes: for a conditional generator.
      norm: one of `NORMS`.
      axis_name: the mapped axis that batch normalization averages over; None under plain `jit`.
      dtype: what it computes in; parameters and images are float32 all the same.
    """

    image_shape: Sequence[int]
    widths: Sequence[int] = (128, 256, 512)
    activation: Activation = leaky_relu
    output: Activation = jnp.tanh
    num_classes: int | None = None
    norm: str = "none"
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, z: Array, labels: Array | None = None, *, train: bool, keys: Any = None
    ) -> Array:
        """Returns images (B, H, W, C).

        Args:
          z: (B, Z).
          labels: (B,) int32 where there are classes.
          train: whether batch normalization uses the batch's statistics.
          keys: not used.

        Raises:
          InputError: there is no such norm.
        """
        del keys
        if self.norm not in NORMS:
            raise InputError(f"norm is {self.norm!r}; there are {', '.join(NORMS)}")
        x = beside_vectors(z, labels, self.num_classes)
        for width in self.widths:
            x = nn.Dense(width, dtype=self.dtype)(x)
            if self.norm == "batch":
                norm = BatchNorm(self.num_classes, axis_name=self.axis_name, dtype=self.dtype)
                x = norm(x, labels, train=train)
            x = self.activation(x)
        x = nn.Dense(math.prod(self.image_shape), dtype=self.dtype)(x)
        return self.output(x.astype(jnp.float32)).reshape(-1, *self.image_shape)


class MLPDiscriminator(nn.Module):
    """Images (B, H, W, C) to `Outputs`.

    Attributes:
      widths: of the hidden layers, in order.
      activation: of the hidden layers.
      num_classes: for a conditional discriminator.
      conditioning: how it is conditional; one of `heads.CONDITIONINGS`.
      spectral: whether every kernel, the head's too, is spectrally normalized.
      axis_name: not used.
      dtype: what the hidden layers compute in; parameters and logits are float32 all the same.
    """

    widths: Sequence[int] = (512, 256, 128)
    activation: Activation = leaky_relu
    num_classes: int | None = None
    conditioning: str = "concatenate"
    spectral: bool = False
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, images: Array, labels: Array | None = None, *, train: bool, keys: Any = None
    ) -> Outputs:
        """Returns `Outputs`.

        Args:
          images: (B, H, W, C).
          labels: (B,) int32 where there are classes.
          train: whether spectral vectors move.
          keys: not used.
        """
        del keys
        x = flattened(images)
        if self.conditioning == "concatenate":
            x = beside_vectors(x, labels, self.num_classes)
        for width in self.widths:
            dense = Dense(width, dtype=self.dtype, spectral=self.spectral)
            x = self.activation(dense(x, train=train))
        return head(
            x.astype(jnp.float32),
            labels,
            self.num_classes,
            self.conditioning,
            train=train,
            spectral=self.spectral,
        )
