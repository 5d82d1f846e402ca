"""Convolutional layers, whose kernels may be spectrally normalized."""

from typing import Any

import jax
from flax import linen as nn

from gan_jax.nn.convolution import Padding, convolve, convolve_transposed
from gan_jax.nn.spectral_norm import spectrally_normalized

Array = jax.Array
Initializer = Any


class Conv(nn.Module):
    """`convolve(x, W) + b`, from (B, H, W, C) to (B, H', W', features); `spectral`: W / sigma.

    Parameters are those of `flax.linen.Conv`: "kernel" (k, k, C / groups, features), "bias"
    (features,).

    Attributes:
      features: channels of the result.
      kernel_size: k, of a square kernel.
      stride: along both axes.
      padding: see `convolve`; by default the size stays, but for the stride.
      groups: see `convolve`.
      use_bias: whether there is a b.
      kernel_init: draws the kernel.
      spectral: whether the kernel is normalized; see `spectrally_normalized`.
      dtype: what it computes in; None for what inputs and parameters have in common. Parameters are
        float32 all the same.
    """

    features: int
    kernel_size: int = 3
    stride: int = 1
    padding: Padding | None = None
    groups: int = 1
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal()
    spectral: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """Returns (B, H', W', features); `train` says whether the spectral vector moves."""
        taps = (self.kernel_size, self.kernel_size)
        shape = (*taps, x.shape[-1] // self.groups, self.features)
        kernel: Any = self.param("kernel", self.kernel_init, shape)
        bias: Any = None
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
        if self.spectral:
            kernel = spectrally_normalized(self, "u", kernel, train=train)
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        x = convolve(x, kernel, stride=self.stride, padding=self.padding, groups=self.groups)
        return x if bias is None else x + bias


class ConvTranspose(nn.Module):
    """`convolve_transposed(x, W) + b`, from (B, H, W, C) to (B, s H, s W, features).

    Parameters: "kernel" (k, k, features, C), "bias" (features,).

    Attributes:
      features: channels of the result.
      kernel_size: k, of a square kernel, at least the stride.
      stride: s.
      use_bias: whether there is a b.
      kernel_init: draws the kernel, whose inputs are on the last axis.
      dtype: what it computes in, as for `Conv`.
    """

    features: int
    kernel_size: int = 4
    stride: int = 2
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal(in_axis=-1, out_axis=-2)
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Returns (B, s H, s W, features)."""
        shape = (self.kernel_size, self.kernel_size, self.features, x.shape[-1])
        kernel: Any = self.param("kernel", self.kernel_init, shape)
        bias: Any = None
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        x = convolve_transposed(x, kernel, stride=self.stride)
        return x if bias is None else x + bias
