"""Spectral normalization: a kernel divided by its largest singular value, as far as it is known."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

Array = jax.Array

COLLECTION = "spectral"
"""The Flax collection of the vectors u."""


def spectrally_normalized(module: nn.Module, name: str, kernel: Array, *, train: bool) -> Array:
    """Returns `kernel / sigma`, where sigma estimates the largest singular value of the kernel.

    W is the kernel as a matrix (N, C), all axes but the last in one. A vector u (C,) of length 1 is
    kept from pass to pass, and each training pass is one step of the power iteration:

        v = W u / |W u|,    u' = W^T v / |W^T v|,    sigma = v^T W u'

    A pass with `train=False`, and one that initializes, leaves u where it is: v comes from it as
    above, and sigma = v^T W u = |W u|. Gradients, of any order, flow through W and not through u
    and v. The step depends on W and u alone, so that passes over reals and over fakes, from the
    same variables, agree on u'. All of it is computed in float32. A kernel of zeros stays as it is.

    Args:
      module: in whose method, `@compact` or `setup`, this is called; the vector is its variable.
      name: of the vector in `COLLECTION`. It is drawn from the module's "params" stream, so create
        the parameters before, where they shall be the same with and without it.
      kernel: (..., C).
      train: whether u moves. It is written where the collection is mutable, and otherwise only
        used.

    Returns:
      An array of the kernel's shape and type.

    Reference: Miyato et al. 2018, "Spectral normalization for generative adversarial networks",
    algorithm 1 (whose matrix is this one transposed).
    """
    matrix = kernel.reshape(-1, kernel.shape[-1]).astype(jnp.float32)

    def draw() -> Array:
        return _unit(jax.random.normal(module.make_rng("params"), matrix.shape[-1:], jnp.float32))

    vector: Any = module.variable(COLLECTION, name, draw)
    moves = train and not module.is_initializing()
    normalized, u = _normalized(matrix, vector.value, moves)
    if moves and module.is_mutable_collection(COLLECTION):
        vector.value = u
    return normalized.reshape(kernel.shape).astype(kernel.dtype)


@partial(jax.jit, static_argnums=2)  # so that equal shapes are traced but once
def _normalized(matrix: Array, u: Array, moves: bool) -> tuple[Array, Array]:
    """W / sigma, and u: after a step of the power iteration, if it moves."""
    fixed, u = jax.lax.stop_gradient((matrix, u))
    v = _unit(_dot(fixed, u))
    if moves:
        step = _dot(v, fixed)
        u = jnp.where(jnp.any(step != 0), _unit(step), u)  # once 0, it would be 0 for ever
    sigma = _dot(_dot(v, matrix), u)
    return matrix / jnp.where(sigma != 0, sigma, 1), u


def _dot(a: Array, b: Array) -> Array:
    # Accelerators multiply float32 in fewer bits unless they are told not to.
    return jnp.dot(a, b, precision=jax.lax.Precision.HIGHEST)


def _unit(x: Array) -> Array:
    """`x` with length 1, or 0 where it is 0."""
    length = jnp.sqrt(jnp.sum(jnp.square(x)))
    return x / jnp.where(length > 0, length, 1)
