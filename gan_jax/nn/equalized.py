"""Linear layers with an equalized learning rate.

Kernels are drawn with the deviation 1 / `rate` and scaled while running by `rate` / sqrt(inputs).
Optimizers whose steps do not depend on the size of the gradient, such as Adam, then move every
layer at the same pace, whatever its inputs; a layer's `rate` slows it down.

Reference: Karras et al. 2018, "Progressive growing of GANs for improved quality, stability, and
variation", section 4.1; the rate: Karras et al. 2019, "A style-based generator architecture for
generative adversarial networks", appendix C.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.nn.convolution import convolve
from gan_jax.nn.resample import blur, filter_down

Array = jax.Array


def scaled_leaky_relu(x: Array) -> Array:
    """sqrt(2) leaky_relu(x), of slope 0.2: about as large as x, so that layers keep their size.

    Reference: Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN".
    """
    return math.sqrt(2) * jax.nn.leaky_relu(x, negative_slope=0.2)


class EqualizedDense(nn.Module):
    """`x W rate / sqrt(N) + rate b`, from (..., N) to (..., features).

    Attributes:
      features: the length of the result.
      use_bias: whether there is a b.
      bias: of the first b.
      rate: of learning, beside that of other layers.
      dtype: what it computes in; None for what inputs and parameters have in common. Parameters are
        float32 all the same.
    """

    features: int
    use_bias: bool = True
    bias: float = 0.0
    rate: float = 1.0
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """Returns (..., features); `train` says nothing here."""
        del train
        init = nn.initializers.normal(1 / self.rate)
        kernel: Any = self.param("kernel", init, (x.shape[-1], self.features))
        kernel = kernel * (self.rate / math.sqrt(x.shape[-1]))
        bias: Any = None
        if self.use_bias:
            init = nn.initializers.constant(self.bias)
            bias = self.rate * self.param("bias", init, (self.features,))
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        x = jnp.dot(x, kernel)
        return x if bias is None else x + bias


class EqualizedConv(nn.Module):
    """`convolve(x, W / sqrt(k k C)) + b`, from (B, H, W, C) to (B, H, W, features).

    Attributes:
      features: channels of the result.
      kernel_size: k, odd.
      down: whether the image is halved: filtered, as an image without end of zeros around it, and
        convolved with a stride of 2 (with k = 1, where both are the same, at half the size).
      use_bias: whether there is a b.
      dtype: as for `EqualizedDense`.
    """

    features: int
    kernel_size: int = 3
    down: bool = False
    use_bias: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Returns (B, H, W, features), or where `down` (B, H / 2, W / 2, features)."""
        inputs = self.kernel_size**2 * x.shape[-1]
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel: Any = self.param("kernel", nn.initializers.normal(1.0), shape)
        kernel = kernel / math.sqrt(inputs)
        bias: Any = None
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        if not self.down:
            x = convolve(x, kernel)
        elif self.kernel_size == 1:
            x = convolve(filter_down(x), kernel)
        else:
            x = blur(x, padding=self.kernel_size // 2 + 1)
            x = convolve(x, kernel, stride=2, padding=0)
        return x if bias is None else x + bias
