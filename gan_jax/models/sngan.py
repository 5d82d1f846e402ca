"""SNGAN's residual networks: a spectrally normalized discriminator, conditional by projection.

With the default width, and latents of 128, the generator has 4,276,739 parameters at 32 x 32 x 3
(256 channels everywhere) and 12,220,675 at 64 x 64 x 3, the discriminator 1,053,825 (128 channels)
and 10,141,441: those of the authors' code and the bias of the discriminator's last layer. With
`spectral=False`, `pool="mean"` and a generator of width 32 they are the networks of WGAN-GP for
CIFAR-10 (Gulrajani et al. 2017, appendix).

Reference: Miyato et al. 2018, "Spectral normalization for generative adversarial networks", tables
4 to 6; Miyato & Koyama 2018, "cGANs with projection discriminator".
"""

from gan_jax.models.resnet import ResNetDiscriminator, ResNetGenerator


class SNGANGenerator(ResNetGenerator):
    """`ResNetGenerator` as it is."""


class SNGANDiscriminator(ResNetDiscriminator):
    """`ResNetDiscriminator` as it is."""
