"""Training in standardized units, as wrappers of the networks.

`batch` and `sample` stay in [-1, 1]; only what the wrapped networks see has mean 0 and deviation 1
in each channel.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

Array = jax.Array


class StandardizedGenerator(nn.Module):
    """Maps the wrapped generator's images back: `generator(z) * std + mean`.

    The wrapped generator ends linearly, and may reach beyond [-1, 1]: clipped in training, pixels
    there would have no gradient.

    Attributes:
      generator: the wrapped network.
      mean: one value a channel, of the train split in [-1, 1].
      std: likewise.
    """

    generator: nn.Module
    mean: Sequence[float]
    std: Sequence[float]

    @property
    def has_mapping(self) -> bool:
        """Whether the wrapped generator is one of two halves, `mapping` and `synthesis`."""
        return getattr(self.generator, "has_mapping", False)

    def __call__(self, z: Array, labels: Array | None = None, **options: Any) -> Array:
        """Returns images (B, H, W, C) in the units of the data; `options` as wrapped."""
        return self._scaled(self.generator(z, labels, **options))

    def mapping(self, z: Array, labels: Array | None = None, **options: Any) -> Array:
        """Returns the wrapped generator's styles."""
        return self.generator.mapping(z, labels, **options)

    def synthesis(self, w: Array, labels: Array | None = None, **options: Any) -> Array:
        """Returns images (B, H, W, C) in the units of the data."""
        return self._scaled(self.generator.synthesis(w, labels, **options))

    def _scaled(self, images: Array) -> Array:
        return images * jnp.asarray(self.std) + jnp.asarray(self.mean)


class StandardizedDiscriminator(nn.Module):
    """Shows the wrapped discriminator `(images - mean) / std`.

    Attributes:
      discriminator: the wrapped network.
      mean: one value a channel, of the train split in [-1, 1].
      std: likewise.
    """

    discriminator: nn.Module
    mean: Sequence[float]
    std: Sequence[float]

    @nn.compact
    def __call__(
        self, images: Array, labels: Array | None = None, *, train: bool, keys: Any = None
    ) -> Any:
        """Returns what the wrapped discriminator returns."""
        images = (images - jnp.asarray(self.mean)) / jnp.asarray(self.std)
        return self.discriminator(images, labels, train=train, keys=keys)
