"""Layers by their definitions, slow and plain, for the tests of layers and networks."""

import jax
import jax.numpy as jnp
import numpy as np

FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def convolved(x, kernel, stride=1):
    """Without padding, in float64, by the definition."""
    x, (k, _, _, outputs) = np.float64(x), kernel.shape
    size = [(n - k) // stride + 1 for n in x.shape[1:3]]
    y = np.zeros((len(x), *size, outputs))
    for i in range(k):
        for j in range(k):
            part = x[:, i : i + stride * size[0] : stride, j : j + stride * size[1] : stride]
            y += part[:, : size[0], : size[1]] @ np.float64(kernel[i, j])
    return y


def padded(x, before, after):
    return np.pad(x, [(0, 0), (before, after), (before, after), (0, 0)])


def filtered(x):
    channels = np.eye(x.shape[-1])
    return convolved(x, FILTER[:, :, None, None] * channels)


def _one(x, kernel):
    """Without padding, of one example."""
    return jax.lax.conv_general_dilated(
        x[None], kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )[0]


def modulated(params, x, w, *, up, demodulate):
    """As equations 1 to 3 have it: the kernel is modulated, zeros stand between pixels."""
    kernel, affine = params["kernel"], params["EqualizedDense_0"]
    k, channels = kernel.shape[0], kernel.shape[2]
    styles = w @ affine["kernel"] / np.sqrt(w.shape[-1]) + affine["bias"]

    def example(x, style):
        of_its_own = kernel * style[:, None]
        if demodulate:
            of_its_own /= jnp.sqrt(jnp.sum(of_its_own**2, (0, 1, 2)) + 1e-8)
        else:
            of_its_own /= np.sqrt(k * k * channels)
        edges = (k // 2, k // 2)
        if up:
            zeros = jnp.zeros((x.shape[0], 2, x.shape[1], 2, channels), x.dtype)
            x = zeros.at[:, 0, :, 0].set(x).reshape(2 * x.shape[0], 2 * x.shape[1], channels)
            edges = (2 + k // 2, 1 + k // 2)
            of_its_own = of_its_own[::-1, ::-1]  # put down at each pixel, not laid over it
        x = jnp.pad(x, (edges, edges, (0, 0)))
        if up:
            x = _one(x, 4 * FILTER[:, :, None, None] * jnp.eye(channels))
        return _one(x, of_its_own)

    return jax.vmap(example)(x, styles)
