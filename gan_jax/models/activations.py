"""Non-linearities by name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp

Array = jax.Array
Activation = Callable[[Array], Array]


def leaky_relu(x: Array) -> Array:
    """Leaky ReLU with slope 0.2 below zero, as GANs use it (Radford et al. 2016, DCGAN)."""
    return jax.nn.leaky_relu(x, negative_slope=0.2)


def linear(x: Array) -> Array:
    """The identity."""
    return x


ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(
    {"leaky_relu": leaky_relu, "linear": linear, "relu": jax.nn.relu, "tanh": jnp.tanh}
)
