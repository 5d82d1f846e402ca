"""Convolutions of images, fast on every backend, with exact gradients of any order.

XLA's own convolution is what accelerators are made for; on CPU some of its gradients take a naive
loop, a hundred times slower than the forward pass. So there they are products of matrices, or, for
thin groups, its own in the one form that is quick. The outputs, the gradient of the inputs and that
of the kernel are bilinear, and the gradients of each are the other two: gradients of gradients,
which penalties need, never leave the three.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.errors import InputError
from gan_jax.nn import matrix_convolution
from gan_jax.nn.matrix_convolution import Geometry

Array = jax.Array
Padding = int | Sequence[tuple[int, int]]

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def convolve(
    x: Array, kernel: Array, *, stride: int = 1, padding: Padding | None = None, groups: int = 1
) -> Array:
    """Convolves images by a kernel, without turning it around, as networks do.

        y[n, a, b, o] = sum_(i, j, c) x[n, s a + i - before, s b + j - before, c] kernel[i, j, c, o]

    Differentiable any number of times in reverse mode (`jax.grad`, `jax.vjp`).

    Args:
      x: (N, H, W, C).
      kernel: (k, l, C / groups, O).
      stride: s, along both axes.
      padding: zeros around, as many on every side or ((before, after), (before, after)) the axes of
        height and width. By default (k - 1) / 2 rounded up before and down after, and likewise for
        l: with stride 1 the size stays.
      groups: outputs o see the channels of their own group, of as many consecutive ones, alone.

    Returns:
      (N, (H + before + after - k) // s + 1, likewise, O), of the type of the arguments.

    Raises:
      InputError: the shapes or types do not go together, or are integers.
    """
    geometry = _geometry(x, kernel, stride, padding, groups)
    if x.shape[-1] != kernel.shape[2] * groups or kernel.shape[3] % groups:
        raise InputError(
            f"{groups} groups of a kernel {kernel.shape} do not fit images {x.shape}: C must be "
            "groups times the kernel's inputs, and groups must divide its outputs"
        )
    if min(_output_size(x.shape[1:3], kernel, geometry)) < 1:
        raise InputError(f"images {x.shape} are smaller than a kernel {kernel.shape} can look at")
    return _outputs(x, kernel, geometry)


def convolve_transposed(
    x: Array, kernel: Array, *, stride: int = 2, padding: Padding | None = None
) -> Array:
    """The transpose of `convolve` as a linear map of the images: with stride s it enlarges.

        y[n, u, v, c] = sum x[n, a, b, o] kernel[i, j, c, o] over u = s a + i - before, and likewise

    Args:
      x: (N, A, B, O).
      kernel: (k, l, C, O).
      stride: s.
      padding: what `convolve` would pad with, and this cuts off; by default k - s in all, rounded
        up before and down after, so that the size becomes s times itself.

    Returns:
      (N, s (A - 1) + k - before - after, likewise, C).

    Raises:
      InputError: as for `convolve`.
    """
    if padding is None:
        padding = [((k - stride + 1) // 2, (k - stride) // 2) for k in kernel.shape[:2]]
    geometry = _geometry(x, kernel, stride, padding, 1)
    if x.shape[-1] != kernel.shape[3]:
        raise InputError(f"a kernel {kernel.shape} does not fit {x.shape}: O differs")
    size = tuple(
        stride * (outputs - 1) + k - before - after
        for outputs, k, (before, after) in zip(
            x.shape[1:3], kernel.shape[:2], geometry.padding, strict=True
        )
    )
    if min(size) < 1:
        raise InputError(f"a padding of {padding} leaves nothing of images {x.shape}")
    return _of_inputs(x, kernel, geometry, size)


def _geometry(
    x: Array, kernel: Array, stride: int, padding: Padding | None, groups: int
) -> Geometry:
    if x.ndim != 4 or kernel.ndim != 4:
        raise InputError(
            f"images are (N, H, W, C) and kernels (k, l, C, O): {x.shape}, {kernel.shape}"
        )
    if x.dtype != kernel.dtype or not jnp.issubdtype(x.dtype, jnp.floating):
        raise InputError(
            f"images of {x.dtype} and a kernel of {kernel.dtype}: both must be of one floating type"
        )
    if padding is None:
        padding = [(k // 2, (k - 1) // 2) for k in kernel.shape[:2]]
    elif isinstance(padding, int):
        padding = [(padding, padding)] * 2
    (top, bottom), (left, right) = padding
    if min(top, bottom, left, right) < 0:
        raise InputError(f"a padding of {padding} is negative: the kernel is less than the stride")
    return Geometry(stride, ((top, bottom), (left, right)), groups)


def _output_size(size: Sequence[int], kernel: Array, geometry: Geometry) -> list[int]:
    return [
        (length + sum(edges) - k) // geometry.stride + 1
        for length, k, edges in zip(size, kernel.shape[:2], geometry.padding, strict=True)
    ]


# ---- the three products, and how each comes from the others --------------------------------------


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _outputs(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """(N, A, B, O), of x (N, H, W, C) and the kernel (k, l, C / groups, O)."""
    return _by_backend(matrix_convolution.product, _lax_convolution, x, kernel, geometry)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _of_inputs(gradient: Array, kernel: Array, geometry: Geometry, size: Any) -> Array:
    """(N, *size, C), of a gradient of the outputs and the kernel."""
    return _by_backend(
        matrix_convolution.input_gradient, _lax_input_gradient, gradient, kernel, geometry, size
    )


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _of_kernel(x: Array, gradient: Array, geometry: Geometry, taps: Any) -> Array:
    """(*taps, C / groups, O), of the inputs and a gradient of the outputs."""
    return _by_backend(
        matrix_convolution.kernel_gradient, _lax_kernel_gradient, x, gradient, geometry, taps
    )


def _outputs_forward(x: Array, kernel: Array, geometry: Geometry) -> tuple[Array, Any]:
    return _outputs(x, kernel, geometry), (x, kernel)


def _outputs_back(geometry: Geometry, saved: Any, cotangent: Array) -> tuple[Array, Array]:
    x, kernel = saved
    return (
        _of_inputs(cotangent, kernel, geometry, x.shape[1:3]),
        _of_kernel(x, cotangent, geometry, kernel.shape[:2]),
    )


def _of_inputs_forward(
    gradient: Array, kernel: Array, geometry: Geometry, size: Any
) -> tuple[Array, Any]:
    return _of_inputs(gradient, kernel, geometry, size), (gradient, kernel)


def _of_inputs_back(
    geometry: Geometry, size: Any, saved: Any, cotangent: Array
) -> tuple[Array, Array]:
    del size
    gradient, kernel = saved
    return (
        _outputs(cotangent, kernel, geometry),
        _of_kernel(cotangent, gradient, geometry, kernel.shape[:2]),
    )


def _of_kernel_forward(
    x: Array, gradient: Array, geometry: Geometry, taps: Any
) -> tuple[Array, Any]:
    return _of_kernel(x, gradient, geometry, taps), (x, gradient)


def _of_kernel_back(
    geometry: Geometry, taps: Any, saved: Any, cotangent: Array
) -> tuple[Array, Array]:
    del taps
    x, gradient = saved
    return (
        _of_inputs(gradient, cotangent, geometry, x.shape[1:3]),
        _outputs(x, cotangent, geometry),
    )


_outputs.defvjp(_outputs_forward, _outputs_back)
_of_inputs.defvjp(_of_inputs_forward, _of_inputs_back)
_of_kernel.defvjp(_of_kernel_forward, _of_kernel_back)


# ---- by backend ----------------------------------------------------------------------------------


@partial(jax.jit, static_argnums=(0, 1, 4, 5))  # so that equal shapes are traced but once
def _by_backend(
    on_cpu: Callable[..., Array],
    elsewhere: Callable[..., Array],
    a: Array,
    b: Array,
    geometry: Geometry,
    *size: Any,
) -> Array:
    """One of two functions of arrays and of what is known while compiling."""
    if not a.size:  # an empty batch, which matrices cannot be cut from
        return elsewhere(a, b, geometry, *size)

    def in_float32(a: Array, b: Array) -> Array:
        # Half precision saves accelerators memory and time; CPUs have no arithmetic for it.
        wide = jnp.promote_types(a.dtype, jnp.float32)
        return on_cpu(a.astype(wide), b.astype(wide), geometry, *size).astype(a.dtype)

    return jax.lax.platform_dependent(
        a, b, cpu=in_float32, default=lambda a, b: elsewhere(a, b, geometry, *size)
    )


def _lax_convolution(x: Array, kernel: Array, geometry: Geometry) -> Array:
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (geometry.stride, geometry.stride),
        geometry.padding,
        dimension_numbers=_DIMENSIONS,
        feature_group_count=geometry.groups,
    )


def _lax_input_gradient(gradient: Array, kernel: Array, geometry: Geometry, size: Any) -> Array:
    shape = (len(gradient), *size, kernel.shape[2] * geometry.groups)
    return _transpose(lambda x: _lax_convolution(x, kernel, geometry), shape, gradient)


def _lax_kernel_gradient(x: Array, gradient: Array, geometry: Geometry, taps: Any) -> Array:
    shape = (*taps, x.shape[-1] // geometry.groups, gradient.shape[-1])
    return _transpose(lambda kernel: _lax_convolution(x, kernel, geometry), shape, gradient)


def _transpose(linear: Callable[[Array], Array], shape: Sequence[int], cotangent: Array) -> Array:
    argument = jax.ShapeDtypeStruct(shape, cotangent.dtype)
    (found,) = jax.linear_transpose(linear, argument)(cotangent)
    return found
