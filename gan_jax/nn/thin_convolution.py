"""Convolutions of some sixteen channels by the compiler's own, which on CPU is quick for these.

It is so where images and kernel stand in its own order of axes, and no padding or dilation of the
image is left to it. A batch of such pairs goes one by one, for in groups it is slow, and so that
neither function can be differentiated in reverse: `convolution` says what their gradients are.
"""

from collections.abc import Sequence

import jax

Array = jax.Array

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")
_IMAGES = 16  # at most, of which one sum is made at a time: more take many times as long


def product(x: Array, kernel: Array, *, stride: int = 1) -> Array:
    """Returns the convolution without padding of x (N, H, W, C) by kernel (k, l, C, O)."""

    @jax.custom_batching.sequential_vmap
    def convolution(x: Array, kernel: Array) -> Array:
        return jax.lax.conv_general_dilated(
            x, kernel, (stride, stride), "VALID", dimension_numbers=_DIMENSIONS
        )

    return convolution(x, kernel)


def kernel_gradient(
    x: Array, gradient: Array, *, stride: int = 1, taps: Sequence[int] = (3, 3)
) -> Array:
    """Returns what `product` sends back to its kernel, (*taps, C, O).

    It is the convolution of the images by the gradient, where a channel of all images counts as an
    image, and an image as a channel.

    Args:
      x: (N, H, W, C).
      gradient: (N, A, B, O), of the outputs.
      stride: as for `product`.
      taps: of the kernel.
    """
    size = [stride * (places - 1) + k for places, k in zip(gradient.shape[1:3], taps, strict=True)]

    @jax.custom_batching.sequential_vmap
    def convolution(x: Array, gradient: Array) -> Array:
        return jax.lax.conv_general_dilated(
            x[:, : size[0], : size[1]].transpose(3, 1, 2, 0),
            gradient.transpose(1, 2, 0, 3),
            (1, 1),
            "VALID",
            rhs_dilation=(stride, stride),
            dimension_numbers=_DIMENSIONS,
        )

    images = max(count for count in range(1, _IMAGES + 1) if len(x) % count == 0)
    pieces = (a.reshape(-1, images, *a.shape[1:]) for a in (x, gradient))
    return jax.vmap(convolution)(*pieces).sum(0).transpose(1, 2, 0, 3)
