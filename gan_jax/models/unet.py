"""The U-Net discriminator, which judges every pixel too; the generator beside it is BigGAN's.

With the default width, at 128 x 128 x 3, it has 31,481,602 parameters, and 44,067,586 at
256 x 256 x 3: those of the authors' code but for the 65 of a layer that is not used there.

Both networks minimize the loss of the image's logit and the mean of that of its pixels' logits, as
`gan` adds them up; the authors' code halves their sum.

The authors also train it on mixtures of reals and fakes: `gan_jax.objectives.cutmix`. Their
generator without classes, whose normalizations read the latent through two layers, is not here.

Reference: Schönfeld et al. 2020, "A U-Net based discriminator for generative adversarial networks",
section 3; sizes where the paper is silent are those of the authors' code.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.errors import InputError
from gan_jax.models.biggan import WIDTHS, BigGANDiscriminator
from gan_jax.models.blocks import block_up, inits
from gan_jax.models.labels import given
from gan_jax.models.outputs import Outputs
from gan_jax.models.sizes import doublings
from gan_jax.nn.conv import Conv
from gan_jax.nn.dense import Embed

Array = jax.Array


class UNetDiscriminator(BigGANDiscriminator):
    """Images (B, H, W, C) to `Outputs` with logits of images and of pixels.

        levels x_1, ..., x_n: blocks of `BigGANDiscriminator`, each of which halves the image
        logits: ReLU, sum over positions and head, of x_n
        y_n = x_n,    y_i = [up(y_{i+1}), x_i],    pixel logits: 1 x 1 convolution of up(y_1)

    where `up` is the block of a residual generator that doubles the image, with the channels of the
    level that it comes to. Conditioned by "projection", the logit of a pixel has the term
    <another embedding of the label, its channels>, too. The last 1 x 1 convolution is never
    spectrally normalized.
    """

    attention: int = 0

    @staticmethod
    def plan(base: int, count: int) -> Sequence[tuple[int, bool]]:
        """Returns each block's channels over `width`; all n = `count` of them halve the image."""
        del base
        return [(times, True) for times in WIDTHS.get(count, (4,) * count)[:count]]

    @nn.compact
    def __call__(
        self, images: Array, labels: Array | None = None, *, train: bool, keys: Any = None
    ) -> Outputs:
        """Returns `Outputs`, with `pixel_logits` (B, H, W).

        Args and Raises as for `ResNetDiscriminator`; `widths` may not be more either.
        """
        del keys
        conv, active = self.layers(train=train)
        levels = self.encode(images, labels, conv, active, train=train)
        if len(levels) > (count := doublings(images.shape[1:3])[1]):
            raise InputError(
                f"widths has {len(levels)} entries; a U-Net of images of {images.shape[1]} pixels "
                f"takes {count}, one for each time that it halves them"
            )
        outputs = self.judge(levels[-1], labels, train=train)
        channels = [level.shape[-1] for level in (levels[0], *levels[:-1])]
        x = block_up(levels[-1], channels[-1], conv, active)
        for level, features in zip(levels[-2::-1], channels[-2::-1], strict=True):
            x = block_up(jnp.concatenate([x, level], axis=-1), features, conv, active)
        return outputs._replace(pixel_logits=self._of_pixels(x, labels, train=train))

    def _of_pixels(self, x: Array, labels: Array | None, *, train: bool) -> Array:
        init, x = inits(self.initialization)[1], x.astype(jnp.float32)
        logits = Conv(1, 1, kernel_init=init, name="pixel_logits")(x, train=train)[..., 0]
        if self.num_classes is None or self.conditioning != "projection":
            return logits
        table = Embed(
            self.num_classes,
            x.shape[-1],
            spectral=self.spectral,
            embedding_init=init,
            name="pixel_embedding",
        )
        return logits + jnp.einsum("bhwc,bc->bhw", x, table(given(labels), train=train))
