"""Convolution whose kernel each example scales by its own style."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.nn.convolution import convolve, convolve_transposed
from gan_jax.nn.equalized import EqualizedDense
from gan_jax.nn.resample import blur

Array = jax.Array


class ModulatedConv(nn.Module):
    """Convolves example n by W'[n]: W modulated by a style s = A w + 1, and demodulated.

        W'[n, i, j, c, o] = s[n, c] W[i, j, c, o] d[n, o]
        d[n, o] = (sum over i, j, c of (s[n, c] W[i, j, c, o])^2 + 1e-8)^(-1/2)

    Demodulated outputs have the deviation 1 where inputs have it, whatever the style. Computed as
    `d convolve(s x, W)`, which is the same and one convolution for all examples.

    Attributes:
      features: channels of the result.
      kernel_size: k, odd.
      up: whether the image is doubled: zeros between pixels, the kernel, then the FIR filter.
      demodulate: otherwise d is 1 / sqrt(k k C).
      dtype: what it computes in; None for what inputs and parameters have in common. Parameters and
        styles are float32 all the same.

    Reference: Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN",
    equations 1 to 3 and appendix B.
    """

    features: int
    kernel_size: int = 3
    up: bool = False
    demodulate: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Array, w: Array) -> Array:
        """Returns (B, H, W, features), or where `up` (B, 2 H, 2 W, features).

        Args:
          x: (B, H, W, C).
          w: (B, W), what styles are made of.
        """
        channels = x.shape[-1]
        shape = (self.kernel_size, self.kernel_size, channels, self.features)
        kernel: Any = self.param("kernel", nn.initializers.normal(1.0), shape)
        style = EqualizedDense(channels, bias=1.0)(w)  # (B, C)
        if self.demodulate:
            energy = jnp.square(style) @ jnp.square(kernel).sum((0, 1)) + 1e-8
            demodulation = jax.lax.rsqrt(energy)  # (B, features)
        else:
            inputs = self.kernel_size**2 * channels
            demodulation = jnp.full((1, self.features), 1 / math.sqrt(inputs))
        x, kernel = nn.dtypes.promote_dtype(x, kernel, dtype=self.dtype)
        x = x * style[:, None, None].astype(x.dtype)
        if self.up:
            # The kernel first, on the small image; cut so that what is left is centred.
            x = convolve_transposed(x, kernel.swapaxes(2, 3), stride=2, padding=0)
            x = 4 * blur(x, padding=(5 - self.kernel_size) // 2)
        else:
            x = convolve(x, kernel)
        return x * demodulation[:, None, None].astype(x.dtype)
