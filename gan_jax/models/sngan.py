"""SNGAN's residual networks: a spectrally normalized discriminator, conditional by projection.

With the default width, and latents of 128, the generator has 4,276,739 parameters at 32 x 32 x 3
(256 channels everywhere), 4,878,083 at 48 x 48 x 3, 12,220,675 at 64 x 64 x 3 and 37,135,107 at
256 x 256 x 3, the discriminator 1,053,825 (128 channels), twice 10,141,441, and 34,000,129: those
of the authors' code and, at 32 x 32, the bias of the discriminator's last layer. Their batch
normalization adds 2e-5 to the variance; here it is 1e-5. With `spectral=False`, `pool="mean"` and a
generator of width 32 they are the networks of WGAN-GP for CIFAR-10 (Gulrajani et al. 2017,
appendix).

Reference: Miyato et al. 2018, "Spectral normalization for generative adversarial networks", tables
4 to 6; Miyato & Koyama 2018, "cGANs with projection discriminator". Sizes where the papers are
silent are those of the authors' code.
"""

from collections.abc import Sequence

from gan_jax.models.blocks import halving
from gan_jax.models.resnet import ResNetDiscriminator, ResNetGenerator


class SNGANGenerator(ResNetGenerator):
    """`ResNetGenerator` with the channels of the authors' at every size."""

    @staticmethod
    def multipliers(base: int, count: int) -> Sequence[int]:
        """Returns the channels over `width`, before the first of `count` blocks and after each."""
        if _stl10(base, count):
            return 8, 4, 2, 1
        if count == 6:
            return 16, 16, 8, 8, 4, 2, 1
        return ResNetGenerator.multipliers(base, count)


class SNGANDiscriminator(ResNetDiscriminator):
    """`ResNetDiscriminator` with the blocks of the authors' at every size.

    At 48, 64 and 96 pixels it halves once more than the generator doubles: down to 3, 2 and 3.
    """

    @staticmethod
    def plan(base: int, count: int) -> Sequence[tuple[int, bool]]:
        """Returns each block's channels over `width`, and whether it halves."""
        if count == 4 or _stl10(base, count):
            return halving((1, 2, 4, 8, 16), count if base % 2 else count + 1)
        if count == 6:
            return halving((1, 2, 4, 8, 8, 16, 16), count)
        return ResNetDiscriminator.plan(base, count)


def _stl10(base: int, count: int) -> bool:
    """Whether images are 48 pixels high, as the authors take those of STL-10."""
    return (base, count) == (6, 3)
