"""The families of networks by name: one generator and one discriminator each."""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from gan_jax.models.biggan import BigGANDiscriminator, BigGANGenerator
from gan_jax.models.biggan_deep import BigGANDeepDiscriminator, BigGANDeepGenerator
from gan_jax.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_jax.models.mlp import MLPDiscriminator, MLPGenerator
from gan_jax.models.r3gan import R3GANDiscriminator, R3GANGenerator
from gan_jax.models.sagan import SAGANDiscriminator, SAGANGenerator
from gan_jax.models.sngan import SNGANDiscriminator, SNGANGenerator
from gan_jax.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from gan_jax.models.unet import UNetDiscriminator


class Family(NamedTuple):
    """The two constructors of a family; their keyword arguments are the modules' fields."""

    generator: Callable[..., Any]
    discriminator: Callable[..., Any]


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "mlp": Family(MLPGenerator, MLPDiscriminator),
        "dcgan": Family(DCGANGenerator, DCGANDiscriminator),
        "sngan": Family(SNGANGenerator, SNGANDiscriminator),
        "sagan": Family(SAGANGenerator, SAGANDiscriminator),
        "biggan": Family(BigGANGenerator, BigGANDiscriminator),
        "biggan_deep": Family(BigGANDeepGenerator, BigGANDeepDiscriminator),
        "unet": Family(BigGANGenerator, UNetDiscriminator),
        "r3gan": Family(R3GANGenerator, R3GANDiscriminator),
        "stylegan2": Family(StyleGAN2Generator, StyleGAN2Discriminator),
    }
)

_SAID_ELSEWHERE = {"image_shape", "num_classes", "axis_name", "dtype", "parent", "name"}


def fields(network: str, family: str) -> dict[str, Any]:
    """Returns the defaults of what one may choose of a network, by field, as configs have them.

    Args:
      network: generator or discriminator.
      family: a name in `FAMILIES`.
    """
    module: Any = getattr(FAMILIES[family], network)
    return {
        field.name: getattr(field.default, "__name__", field.default)  # functions go by names
        for field in dataclasses.fields(module)
        if field.name not in _SAID_ELSEWHERE
    }


def spelled_out(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a config in which its networks have all fields, by default those of their families.

    Args:
      config: plain values; "generator" and "discriminator" name their families.
    """
    networks = {
        name: fields(name, config[name]["family"]) | dict(config[name]) for name in Family._fields
    }
    return dict(config) | networks
