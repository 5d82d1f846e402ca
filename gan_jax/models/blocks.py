"""What residual networks are made of: convolutions, and what several families share."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from flax import linen as nn

from gan_jax.errors import InputError
from gan_jax.nn.conv import Conv
from gan_jax.nn.resample import nearest_up

Array = jax.Array
Convolve = Callable[..., Array]
Activate = Callable[[Array], Array]

INITS = {
    "glorot": (
        nn.initializers.variance_scaling(2.0, "fan_avg", "uniform"),
        nn.initializers.glorot_uniform(),
    ),
    "orthogonal": (nn.initializers.orthogonal(), nn.initializers.orthogonal()),
    "small": (nn.initializers.normal(0.02), nn.initializers.normal(0.02)),
}
"""How kernels inside blocks, which follow a ReLU, and all others are drawn."""


def block_up(x: Array, features: int, conv: Convolve, active: Activate) -> Array:
    """Returns conv(active(conv(up(active(x))))) + up(conv1x1(x)), (B, 2 H, 2 W, features)."""
    inner = conv(nearest_up(active(x)), features, 3)
    inner = conv(active(inner), features, 3)
    # A 1 x 1 convolution of repeated pixels repeats that of the pixels.
    return inner + nearest_up(conv(x, features, 1, inside=False))


def halving(multipliers: Sequence[int], halvings: int) -> list[tuple[int, bool]]:
    """Returns pairs for `plan`: the first blocks halve, so many."""
    return [(times, block < halvings) for block, times in enumerate(multipliers)]


def usual_halvings(count: int) -> int:
    """How often a discriminator halves what is doubled `count` times: as often, but 2 for 3."""
    return 2 if count == 3 else count


def convolving(network: Any, *, train: bool) -> Convolve:
    """Returns `(x, features, size, inside=True) -> x`, convolutions by the fields of a network.

    `inside` says which of its `INITS` draws a kernel. Layers belong to the module that calls.
    """
    inner_init, outer_init = inits(network.initialization)

    def conv(x: Array, features: int, size: int, inside: bool = True) -> Array:
        layer = Conv(
            features,
            size,
            kernel_init=inner_init if inside else outer_init,
            spectral=network.spectral,
            dtype=network.dtype,
        )
        return layer(x, train=train)

    return conv


def inits(init: str) -> tuple[Any, Any]:
    """Returns `INITS[init]`.

    Raises:
      InputError: there is none.
    """
    if init not in INITS:
        raise InputError(f"initialization is {init!r}; there are {', '.join(INITS)}")
    return INITS[init]
