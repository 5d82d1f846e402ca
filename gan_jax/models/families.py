"""The families of networks by name: one generator and one discriminator each."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from gan_jax.models.mlp import MLPDiscriminator, MLPGenerator


class Family(NamedTuple):
    """The two constructors of a family; their keyword arguments are the modules' fields."""

    generator: Callable[..., Any]
    discriminator: Callable[..., Any]


FAMILIES: Mapping[str, Family] = MappingProxyType({"mlp": Family(MLPGenerator, MLPDiscriminator)})
