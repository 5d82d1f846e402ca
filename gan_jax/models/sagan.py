"""SAGAN's networks: SNGAN's, with self-attention and both of them spectrally normalized.

With latents of 128, a width of 64, attention at 64 x 64 in both and 1,000 classes, at 128 x 128 x 3,
the discriminator has 39,448,258 parameters, as in the public PyTorch code (TODO).

Reference: Zhang et al. 2019, "Self-attention generative adversarial networks".
"""

from gan_jax.models.resnet import ResNetDiscriminator, ResNetGenerator


class SAGANGenerator(ResNetGenerator):
    """`ResNetGenerator` with other defaults."""

    spectral: bool = True
    attention: int = 32


class SAGANDiscriminator(ResNetDiscriminator):
    """`ResNetDiscriminator` with other defaults."""

    attention: int = 32
    wide: bool = True
