"""Randomness without hidden state: every draw is a function of (root key, stream, step, example).

Nothing is split in place and no advanced key is stored, so a resumed run needs no saved generator
state, and a draw belongs to its example, not to the device that the example landed on.
"""

import math
import zlib
from collections.abc import Callable, Sequence
from functools import partial

import jax
import numpy as np

Array = jax.Array

_LANES = 64  # no CPU's vectors hold more float32 values


def _stream_id(stream: str) -> np.uint32:
    # Python's own hash differs from process to process; CRC-32 does not.
    return np.uint32(zlib.crc32(stream.encode()))


def key_for(key: Array, stream: str, step: Array | int = 0) -> Array:
    """Returns the key of a named stream at a step: `fold_in(fold_in(key, crc32(stream)), step)`.

    Args:
      key: the root key, a typed key of shape ().
      stream: what the draw is for, such as "discriminator".
      step: int32, shape ().

    Returns:
      A typed key of shape ().
    """
    return jax.random.fold_in(jax.random.fold_in(key, _stream_id(stream)), step)


def keys_for(key: Array, indices: Array) -> Array:
    """Returns one key an example: `fold_in(key, index)` for each of `indices` (B,), shape (B,)."""
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, indices)


def substream(keys: Array, stream: str) -> Array:
    """Returns keys (B,) for one of several uses of the same rows' `keys` (B,)."""
    return jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, _stream_id(stream))


def normal(keys: Array, shape: Sequence[int]) -> Array:
    """Draws standard normal float32 values (B, *shape), row i from `keys[i]` alone.

    Bit for bit, whatever B is: compilers treat the last elements of an array, which do not fill a
    vector, by other instructions. So each row is drawn to whole vectors, and cut outside of them.
    """
    return _by_row(jax.random.normal, keys, shape)


def truncated_normal(keys: Array, shape: Sequence[int], *, bound: float) -> Array:
    """Draws likewise, given that the values lie within [-bound, bound]."""
    return _by_row(partial(_within, bound=bound), keys, shape)


def _within(key: Array, shape: Sequence[int], bound: float) -> Array:
    return jax.random.truncated_normal(key, -bound, bound, shape)


def _by_row(draw: Callable[..., Array], keys: Array, shape: Sequence[int]) -> Array:
    size = math.prod(shape)
    whole = size + -size % _LANES
    values = jax.vmap(lambda key: draw(key, (whole,)))(keys)
    return jax.lax.optimization_barrier(values)[:, :size].reshape(-1, *shape)


def uniform(keys: Array) -> Array:
    """Draws a float32 from [0, 1) for each of `keys` (B,); shape (B,)."""
    return jax.vmap(jax.random.uniform)(keys)


def uniform_labels(keys: Array, num_classes: int) -> Array:
    """Draws a class for each of `keys` (B,), all as likely; (B,) int32."""
    return jax.vmap(lambda key: jax.random.randint(key, (), 0, num_classes))(keys)
