"""A small convolutional classifier, whose logits and features metrics look at."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.errors import InputError
from gan_jax.models.heads import flattened

Array = jax.Array


class ClassifierOutputs(NamedTuple):
    """The outputs of a classifier.

    Attributes:
      logits: (B, K) float32, one a class.
      features: (B, D) float32, the last hidden layer, which the logits are linear in.
    """

    logits: Array
    features: Array


class ConvClassifier(nn.Module):
    """Images (B, H, W, C) to `ClassifierOutputs`.

        [3 x 3 convolution, ReLU] for each width, the first two followed by 2 x 2 max pooling;
        flatten; dense, ReLU: the features; dense: the logits

    No example sees another: nothing is normalized. Any size and number of channels will do, an odd
    size too (the last row or column is pooled alone), but the parameters belong to one size.

    Attributes:
      num_classes: K.
      widths: of the convolutions, in order, at least one.
      features: D, the length of the features.
      dtype: what the layers compute in; parameters, features and logits are float32 all the same.
    """

    num_classes: int
    widths: Sequence[int] = (16, 32, 64, 64)
    features: int = 128
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, images: Array, labels: Array | None = None, *, train: bool, keys: Any = None
    ) -> ClassifierOutputs:
        """Returns `ClassifierOutputs`.

        Args:
          images: (B, H, W, C) in [-1, 1].
          labels: not used; a classifier is called as any other network.
          train: not used.
          keys: not used.

        Raises:
          InputError: there is no width.
        """
        del labels, train, keys
        if not self.widths:
            raise InputError("widths is empty; a classifier needs at least one convolution")
        x = images
        for layer, width in enumerate(self.widths):
            convolution = nn.Conv(
                width, (3, 3), kernel_init=nn.initializers.he_normal(), dtype=self.dtype
            )
            x = nn.relu(convolution(x))  # (B, h, w, width)
            if layer < 2:
                x = _halved(x)  # (B, ceil(h / 2), ceil(w / 2), width)
        x = flattened(x)
        x = nn.relu(nn.Dense(self.features, dtype=self.dtype)(x)).astype(jnp.float32)
        return ClassifierOutputs(nn.Dense(self.num_classes)(x), x)


def _halved(x: Array) -> Array:
    """Maximum over 2 x 2 pixels of what is nowhere negative: (B, ceil(H / 2), ceil(W / 2), C).

    Of slices, whose gradient is far faster on CPU than that of a windowed maximum.
    """
    _, height, width, _ = x.shape
    x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
    x = jnp.maximum(x[:, ::2], x[:, 1::2])
    return jnp.maximum(x[:, :, ::2], x[:, :, 1::2])
