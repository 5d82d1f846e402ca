"""Self-attention over the positions of an image."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.errors import InputError
from gan_jax.nn.conv import Conv

Array = jax.Array


class SelfAttention(nn.Module):
    """Each position adds what it finds at others that resemble what it asks for.

        y = x + gamma W_o (softmax(q k^T) v),    q = W_q x,    k = pool(W_k x),    v = pool(W_v x)

    q and k have C / 8 channels, v has C / 2; keys and values are maxima over 2 x 2 positions; there
    is no scale inside the softmax, which is over keys. gamma is 0 at first. All four maps are 1 x 1
    convolutions without bias.

    Attributes:
      spectral: whether their kernels are spectrally normalized, as in the papers.
      kernel_init: draws their kernels.
      dtype: what it computes in; the softmax is in float32.

    Reference: Zhang et al. 2019, "Self-attention generative adversarial networks", with the sizes
    and the pooling of the authors' code, which Brock et al. 2019 (BigGAN) use too.
    """

    spectral: bool = True
    kernel_init: Any = nn.initializers.glorot_uniform()
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """Returns (B, H, W, C) for x (B, H, W, C).

        Raises:
          InputError: H or W is odd.
        """
        if x.shape[1] % 2 or x.shape[2] % 2:
            raise InputError(
                f"self-attention at {x.shape[1]} x {x.shape[2]}: it pools 2 x 2 positions, and "
                "needs even sizes"
            )

        def project(x: Array, features: int, name: str) -> Array:
            layer = Conv(
                features,
                1,
                use_bias=False,
                kernel_init=self.kernel_init,
                spectral=self.spectral,
                dtype=self.dtype,
                name=name,
            )
            return layer(x, train=train)

        channels = x.shape[-1]
        queries = _rows(project(x, max(1, channels // 8), "queries"))  # (B, H W, C / 8)
        keys = _rows(_pooled(project(x, max(1, channels // 8), "keys")))  # (B, H W / 4, C / 8)
        values = _rows(_pooled(project(x, max(1, channels // 2), "values")))
        scores = jnp.einsum("bqc,bkc->bqk", queries, keys)
        weights = jax.nn.softmax(scores.astype(jnp.float32)).astype(values.dtype)
        found = jnp.einsum("bqk,bkc->bqc", weights, values)
        found = project(found.reshape(*x.shape[:3], found.shape[-1]), channels, "output")
        gamma: Any = self.param("gamma", nn.initializers.zeros, ())
        return x + gamma.astype(found.dtype) * found


def _rows(x: Array) -> Array:
    batch, height, width, channels = x.shape  # of an empty batch, -1 says nothing
    return x.reshape(batch, height * width, channels)


def _pooled(x: Array) -> Array:
    """The maximum of every 2 x 2 positions; of slices, whose gradient is fast on every backend."""
    x = jnp.maximum(x[:, ::2], x[:, 1::2])
    return jnp.maximum(x[:, :, ::2], x[:, :, 1::2])
