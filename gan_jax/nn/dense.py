"""Flax's linear layers, bit for bit, whose kernels may be spectrally normalized."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.nn.spectral_norm import spectrally_normalized

Array = jax.Array


class Dense(nn.Module):
    """`x W + b`, from (..., N) to (..., features); with `spectral`, `x W / sigma + b`.

    Parameters are those of `flax.linen.Dense`: "kernel" (N, features), "bias" (features,).

    Attributes:
      features: the length of the result.
      use_bias: whether there is a b.
      dtype: what it computes in; None for what inputs and parameters have in common. Parameters are
        float32 all the same.
      spectral: whether the kernel is normalized; see `spectrally_normalized`.
      kernel_init: draws the kernel.
    """

    features: int
    use_bias: bool = True
    dtype: Any = None
    spectral: bool = False
    kernel_init: Any = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """Returns (..., features); `train` says whether the spectral vector moves."""
        shape = (x.shape[-1], self.features)
        kernel: Any = self.param("kernel", self.kernel_init, shape)
        bias: Any = None
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
        if self.spectral:
            kernel = spectrally_normalized(self, "u", kernel, train=train)
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        x = jnp.dot(x, kernel)
        return x if bias is None else x + bias


class Embed(nn.Module):
    """Row i of a table (num_embeddings, features) for each index i.

    A linear layer of one-hot vectors: its kernel, which `spectral` normalizes, is the table. The
    parameter is that of `flax.linen.Embed`: "embedding".

    Attributes:
      num_embeddings: how many rows the table has.
      features: the length of a row.
      spectral: whether the table is normalized; see `spectrally_normalized`.
      embedding_init: draws the table.
    """

    num_embeddings: int
    features: int
    spectral: bool = False
    embedding_init: Any = nn.initializers.variance_scaling(1.0, "fan_in", "normal", out_axis=0)

    @nn.compact
    def __call__(self, indices: Array, *, train: bool) -> Array:
        """Returns (..., features) for indices (...) int32; `train` as for `Dense`."""
        shape = (self.num_embeddings, self.features)
        table: Any = self.param("embedding", self.embedding_init, shape)
        if self.spectral:
            table = spectrally_normalized(self, "u", table, train=train)
        return jnp.take(table, indices, axis=0)
