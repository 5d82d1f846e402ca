"""BigGAN-deep: bottleneck blocks, two a stage, whose shortcuts keep what they carry as it is.

With 1,000 classes, a width of 128, latents of 128 and attention at 64 x 64, the generator has
50,244,484 parameters at 128 x 128 x 3 and 55,736,708 at 256 x 256 x 3: those of compare_gan, and of
the authors' pretrained generators but for 125 channels more of their last convolution, which these
drop. The discriminator has 34,590,210, as compare_gan's, and 38,247,426.

Reference: Brock et al. 2019, "Large scale GAN training for high fidelity natural image synthesis",
appendix B.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from gan_jax.errors import InputError
from gan_jax.models.biggan import WIDTHS, BigGANDiscriminator, BigGANGenerator
from gan_jax.models.blocks import Activate, Convolve, halving, usual_halvings
from gan_jax.models.labels import beside_embedding
from gan_jax.nn.resample import average_down, nearest_up

Array = jax.Array


class BigGANDeepGenerator(BigGANGenerator):
    """`BigGANGenerator` with other blocks, which all read the whole latent.

    A stage is a block that keeps size and channels, then one that doubles the size:

        y = up(x without its last channels) + c1(c3(c3(up(c1(x)))))

    where each c is norm, ReLU and convolution, of which the first three give a quarter of the
    channels of x. `hierarchical` here: whether the dense layer and all normalizations inside blocks
    read the whole latent, beside the embedding of the class where there is one.
    """

    width: int = 128

    @staticmethod
    def block(x: Array, features: int, conv: Convolve, active: Activate) -> Array:
        """Returns (B, 2 H, 2 W, features) for x (B, H, W, C), C being as many or more: a stage."""
        if features > x.shape[-1]:
            raise InputError(f"widths rise from {x.shape[-1]} to {features}; here they may not")
        hidden = max(1, x.shape[-1] // 4)
        x = x + _bottleneck(x, hidden, x.shape[-1], conv, active)
        inner = _bottleneck(x, hidden, features, conv, active, up=nearest_up)
        return nearest_up(x[..., :features]) + inner

    @staticmethod
    def shares(z: Array, embedding: Array | None, count: int) -> list[Array]:
        """Returns what the dense layer, and then each block, reads: all there is."""
        return [beside_embedding(z, embedding)] * (count + 1)


class BigGANDeepDiscriminator(BigGANDiscriminator):
    """`BigGANDiscriminator` with other blocks, after a 3 x 3 convolution of the images.

    A stage is a block that halves the size, or not, and then one that keeps size and channels:

        y = [down(x), conv1x1(down(x))] + c1(down(c3(c3(c1(x)))))

    where each c is ReLU and convolution, of which the first three give a quarter of the channels of
    y; the ReLU of the last comes before it is halved. The shortcut's convolution makes the channels
    that y has more than x. `wide` means nothing here.
    """

    width: int = 128

    @staticmethod
    def plan(base: int, count: int) -> Sequence[tuple[int, bool]]:
        """Returns the channels over `width` of the first convolution, then as in `BigGAN`."""
        del base
        first, *stages = WIDTHS.get(count, (4,) * 4)
        return [(first, False), *halving(stages, usual_halvings(count))]

    def block(
        self,
        x: Array,
        features: int,
        conv: Convolve,
        active: Activate,
        *,
        first: bool,
        halves: bool,
    ) -> Array:
        """Returns (B, H, W, features) for x (B, H, W, C), or half as high and wide: a stage.

        But for the first, `features` are as many as x has, or more.
        """
        if first:
            return conv(x, features, 3, inside=False)
        hidden, down = max(1, features // 4), average_down if halves else _same
        inner = _bottleneck(x, hidden, features, conv, active, down=down)
        x, more = down(x), features - x.shape[-1]
        if more < 0:
            raise InputError(f"widths fall from {x.shape[-1]} to {features}; here they may not")
        if more:
            x = jnp.concatenate([x, conv(x, more, 1, inside=False)], axis=-1)
        x = x + inner
        return x + _bottleneck(x, hidden, features, conv, active)


def _same(x: Array) -> Array:
    return x


def _bottleneck(
    x: Array,
    hidden: int,
    features: int,
    conv: Convolve,
    active: Activate,
    *,
    up: Callable[[Array], Array] = _same,
    down: Callable[[Array], Array] = _same,
) -> Array:
    """The four convolutions of a block, of which the middle two see the larger size."""
    x = conv(active(x), hidden, 1)
    x = conv(up(active(x)), hidden, 3)
    x = conv(active(x), hidden, 3)
    return conv(down(active(x)), features, 1)
