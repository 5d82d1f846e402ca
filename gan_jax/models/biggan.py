"""BigGAN's networks: SAGAN's, wider, with one embedding of the class and a hierarchical latent.

With 1,000 classes, a width of 96, latents of 120 and attention at 64 x 64, at 128 x 128 x 3, the
generator has 70,433,988 parameters and the discriminator 87,982,370, as the authors' PyTorch code
says of itself.

Reference: Brock et al. 2019, "Large scale GAN training for high fidelity natural image synthesis",
appendix B.
"""

from collections.abc import Sequence

from gan_jax.models.blocks import halving, usual_halvings
from gan_jax.models.resnet import ResNetDiscriminator, ResNetGenerator

_GENERATOR = {
    4: (16, 16, 8, 4, 2),
    5: (16, 16, 8, 4, 2, 1),
    6: (16, 16, 8, 8, 4, 2, 1),
    7: (16, 16, 8, 8, 4, 2, 1, 1),
}
WIDTHS = {
    4: (1, 2, 4, 8, 16),
    5: (1, 2, 4, 8, 16, 16),
    6: (1, 2, 4, 8, 8, 16, 16),
    7: (1, 1, 2, 4, 8, 8, 16, 16),
}
"""Channels over `width` of the discriminator, for so many doublings; 4 everywhere for less."""


class BigGANGenerator(ResNetGenerator):
    """`ResNetGenerator` with other defaults and widths."""

    spectral: bool = True
    attention: int = 64
    shared_embedding: int = 128
    hierarchical: bool = True
    initialization: str = "orthogonal"

    @staticmethod
    def multipliers(base: int, count: int) -> Sequence[int]:
        """Returns the channels over `width`, before the first of `count` blocks and after each."""
        del base
        return _GENERATOR.get(count, [4] * (count + 1))


class BigGANDiscriminator(ResNetDiscriminator):
    """`ResNetDiscriminator` with other defaults and widths."""

    attention: int = 64
    wide: bool = True
    initialization: str = "orthogonal"

    @staticmethod
    def plan(base: int, count: int) -> Sequence[tuple[int, bool]]:
        """Returns each block's channels over `width`, and whether it halves."""
        del base
        return halving(WIDTHS.get(count, (4,) * 4), usual_halvings(count))
