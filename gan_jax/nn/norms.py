"""Normalizations by name; all but batch normalization look at one example at a time."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.errors import InputError
from gan_jax.nn.batch_norm import BatchNorm

Array = jax.Array


class InstanceNorm(nn.Module):
    """Each channel of each image by its mean and variance over positions, then gain and bias.

        y = (x - mean) / sqrt(var + epsilon) * scale + bias

    Parameters: "scale" (C,), 1 at first, and "bias" (C,), 0 at first.

    Attributes:
      epsilon: added to the variance.
      dtype: of the result; statistics are computed in float32.

    Reference: Ulyanov et al. 2016, "Instance normalization: the missing ingredient for fast
    stylization".
    """

    epsilon: float = 1e-5
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Returns (B, H, W, C)."""
        return _normalized(self, x, (1, 2), self.epsilon, self.dtype)


class LayerNorm(nn.Module):
    """Each image by the mean and variance of all its values, then gain and bias by channel.

    Formula and parameters of `InstanceNorm`.

    Attributes:
      epsilon: added to the variance.
      dtype: of the result; statistics are computed in float32.

    Reference: Ba et al. 2016, "Layer normalization"; for critics with a gradient penalty, Gulrajani
    et al. 2017, "Improved training of Wasserstein GANs", section 4.
    """

    epsilon: float = 1e-5
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Returns (B, H, W, C)."""
        return _normalized(self, x, (1, 2, 3), self.epsilon, self.dtype)


def pixel_norm(x: Array, epsilon: float = 1e-8) -> Array:
    """Scales the last axis to the mean square 1: x / sqrt(mean(x^2) + epsilon), in float32.

    Reference: Karras et al. 2018, "Progressive growing of GANs", section 4.2.
    """
    wide = x.astype(jnp.float32)
    square = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
    return (wide * jax.lax.rsqrt(square + epsilon)).astype(x.dtype)


def _normalized(
    module: nn.Module, x: Array, axes: tuple[int, ...], epsilon: float, dtype: Any
) -> Array:
    wide = x.astype(jnp.float32)
    centred = wide - wide.mean(axes, keepdims=True)
    variance = jnp.square(centred).mean(axes, keepdims=True)
    scale: Any = module.param("scale", nn.initializers.ones, x.shape[-1:])
    bias: Any = module.param("bias", nn.initializers.zeros, x.shape[-1:])
    return (centred * jax.lax.rsqrt(variance + epsilon) * scale + bias).astype(dtype)


NORMS = ("none", "batch", "instance", "layer", "pixel")
"""What may stand between a convolution and its activation."""


def normalize(
    norm: str,
    x: Array,
    condition: Array | None = None,
    *,
    train: bool,
    dtype: Any = jnp.float32,
    **of_batch: Any,
) -> Array:
    """Normalizes images by the layer of a name, which belongs to the module that calls this.

    Args:
      norm: one of `NORMS`.
      x: (B, H, W, C).
      condition: labels (B,) or vectors (B, D), for the gain and bias of batch normalization.
      train: whether batch normalization uses the batch's statistics.
      dtype: of the result; without a norm x stays as it is.
      **of_batch: the other fields of `BatchNorm`.

    Raises:
      InputError: there is no such norm.
    """
    if norm == "none":
        return x
    if norm == "batch":
        return BatchNorm(dtype=dtype, **of_batch)(x, condition, train=train)
    if norm == "instance":
        return InstanceNorm(dtype=dtype)(x)
    if norm == "layer":
        return LayerNorm(dtype=dtype)(x)
    if norm == "pixel":
        return pixel_norm(x).astype(dtype)
    raise InputError(f"norm is {norm!r}; there are {', '.join(NORMS)}")
