"""SAGAN's networks: SNGAN's, with self-attention and both of them spectrally normalized.

With the default width and place of attention, latents of 128 and 1,000 classes, at 128 x 128 x 3,
the generator has 42,078,852 parameters and the discriminator 39,463,618: those of the authors'
code.

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
