"""Schedules: pure functions of the images seen, so that a resumed run needs no state of theirs."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp

Array = jax.Array
Schedule = Callable[[Array], Array]


def _constant(progress: Array, final: float) -> Array:
    del final
    return jnp.ones_like(progress)


def _linear(progress: Array, final: float) -> Array:
    return 1 + (final - 1) * progress


def _cosine(progress: Array, final: float) -> Array:
    return final + (1 - final) * (1 + jnp.cos(jnp.pi * progress)) / 2


SHAPES: Mapping[str, Callable[[Array, float], Array]] = MappingProxyType(
    {"constant": _constant, "linear": _linear, "cosine": _cosine}
)
"""From progress t in [0, 1] to a factor, 1 at t = 0 and (but for "constant") `final` at t = 1."""


def progress(images_seen: Array, *, images: float, warmup: float = 0.0) -> Array:
    """Returns how much of a schedule is over, (seen - warmup) / (images - warmup) in [0, 1]."""
    return jnp.clip((jnp.float32(images_seen) - warmup) / (images - warmup), 0, 1)


def schedule(shape: str, *, images: float, final: float = 0.0, warmup: float = 0.0) -> Schedule:
    """Returns the function from images seen, float32 (), to the factor of a value.

        min(1, seen / warmup) * shape(progress)

    Args:
      shape: one of `SHAPES`.
      images: when `final` is reached; afterwards it stays.
      final: the last factor.
      warmup: images in which the factor rises from 0 to 1 at first, less than `images`; 0 for no
        warm-up.
    """

    def factor(images_seen: Array) -> Array:
        value = SHAPES[shape](progress(images_seen, images=images, warmup=warmup), final)
        return value * jnp.minimum(1, jnp.float32(images_seen) / warmup) if warmup else value

    return factor
