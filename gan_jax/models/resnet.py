"""Residual GANs: the networks of WGAN-GP, SNGAN, SAGAN and BigGAN, which differ in their settings.

Blocks of two 3 x 3 convolutions beside a 1 x 1 one. Nearest neighbours double the image in the
generator; means of 2 x 2 pixels halve it in the discriminator, whose head sees sums over positions.
What a family sets is in its own file: `sngan.py`, `sagan.py`, `biggan.py`; `biggan_deep.py` has
other blocks, `unet.py` a decoder behind them.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.errors import InputError
from gan_jax.models.activations import Activation
from gan_jax.models.blocks import (
    Activate,
    Convolve,
    block_up,
    convolving,
    halving,
    inits,
    usual_halvings,
)
from gan_jax.models.heads import head
from gan_jax.models.labels import beside_embedding, beside_images, given
from gan_jax.models.outputs import Outputs
from gan_jax.models.sizes import by_stage, doublings
from gan_jax.nn.attention import SelfAttention
from gan_jax.nn.dense import Dense, Embed
from gan_jax.nn.norms import normalize
from gan_jax.nn.resample import average_down

Array = jax.Array


class ResNetGenerator(nn.Module):
    """Latents (B, Z) to images (B, H, W, C).

        dense to base x base; [block that doubles] n times; norm, ReLU, 3 x 3 convolution, output

    where a block is `y = conv(relu(norm(conv(up(relu(norm(x))))))) + up(conv1x1(x))`.

    Attributes:
      image_shape: (H, W, C), a size of `sizes.doublings`.
      width: that the family's `multipliers` multiply.
      widths: channels before the first block and after each, in place of those.
      norm: one of `NORMS`; batch normalization is by class where there are classes, and the one
        that classes and a hierarchical latent need.
      spectral: whether every kernel is spectrally normalized.
      attention: the height of the images inside at which self-attention stands; 0: nowhere.
      shared_embedding: where there are classes, the length of one embedding of the class that every
        normalization reads; 0: a table each.
      hierarchical: whether the latent is cut into n + 1 equal parts, of which the dense layer reads
        the first, and each block's normalizations one of the others.
      initialization: one of `blocks.INITS`.
      activation: after each norm.
      output: of the last layer; `tanh` keeps images in [-1, 1].
      num_classes: for a conditional generator.
      axis_name: the mapped axis that batch normalization averages over; None under plain `jit`.
      dtype: what it computes in; parameters and images are float32 all the same.
    """

    image_shape: Sequence[int]
    width: int = 64
    widths: Sequence[int] = ()
    norm: str = "batch"
    spectral: bool = False
    attention: int = 0
    shared_embedding: int = 0
    hierarchical: bool = False
    initialization: str = "glorot"
    activation: Activation = nn.relu
    output: Activation = jnp.tanh
    num_classes: int | None = None
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @staticmethod
    def multipliers(base: int, count: int) -> Sequence[int]:
        """Returns the channels over `width`, before the first block and after each.

        Args:
          base: images are base 2^n pixels high.
          count: n, the number of blocks.
        """
        del base
        if count <= 3:
            return [4] * (count + 1)
        return [min(16, 2**power) for power in range(count, -1, -1)]

    @staticmethod
    def block(x: Array, features: int, conv: Convolve, active: Activate) -> Array:
        """Returns (B, 2 H, 2 W, features) for x (B, H, W, C)."""
        return block_up(x, features, conv, active)

    @staticmethod
    def shares(z: Array, embedding: Array | None, count: int) -> list[Array]:
        """Returns what the dense layer, and then each block, reads of a hierarchical latent.

        Args:
          z: (B, Z).
          embedding: of the class (B, E), where there are classes.
          count: of blocks.

        Raises:
          InputError: it cannot be cut.
        """
        if z.shape[-1] % (count + 1):
            raise InputError(
                f"a hierarchical latent of {z.shape[-1]} cannot be cut into {count + 1} parts: set "
                f"config.latent_dim to a multiple of {count + 1}"
            )
        z, *parts = jnp.split(z, count + 1, axis=-1)
        return [z, *(beside_embedding(part, embedding) for part in parts)]

    @nn.compact
    def __call__(
        self, z: Array, labels: Array | None = None, *, train: bool, keys: Any = None
    ) -> Array:
        """Returns images (B, H, W, C).

        Args:
          z: (B, Z).
          labels: (B,) int32 where there are classes.
          train: whether batch normalization uses the batch's statistics, and spectral vectors move.
          keys: not used.

        Raises:
          InputError: there is no such norm or initialization, or none that reads what the images
            depend on; the size cannot be made, or `widths` do not fit it; the latent cannot be cut.
        """
        del keys
        base, count = doublings(self.image_shape)
        first, *widths = self._widths(base, count)
        _, outer_init = inits(self.initialization)
        if self.norm != "batch" and (self.num_classes is not None or self.hierarchical):
            raise InputError(
                f"norm is {self.norm!r}, and batch normalization alone reads classes and "
                "hierarchical latents: set norm to batch"
            )
        conv = convolving(self, train=train)
        z, *conditions = self._conditions(z, labels, count)
        dense = Dense(
            base * base * first, kernel_init=outer_init, spectral=self.spectral, dtype=self.dtype
        )
        x = dense(z, train=train).reshape(-1, base, base, first)

        def active(x: Array, condition: Array | None = None) -> Array:
            num_classes = self.num_classes if condition is not None else None
            x = normalize(
                self.norm,
                x,
                condition,
                train=train,
                dtype=self.dtype,
                num_classes=num_classes,
                axis_name=self.axis_name,
                spectral=self.spectral,
                kernel_init=outer_init,
            )
            return self.activation(x)

        for features, condition in zip(widths, conditions, strict=True):
            x = self.block(x, features, conv, functools.partial(active, condition=condition))
            if x.shape[1] == self.attention:
                x = SelfAttention(self.spectral, outer_init, self.dtype)(x, train=train)
        x = conv(active(x), self.image_shape[-1], 3, inside=False)
        return self.output(x.astype(jnp.float32))

    def _widths(self, base: int, count: int) -> Sequence[int]:
        if not self.widths:
            return [self.width * times for times in self.multipliers(base, count)]
        return by_stage(self.widths, base, count)

    def _conditions(self, z: Array, labels: Array | None, count: int) -> list[Any]:
        """What the dense layer reads, and then what the normalizations of each block do."""
        embedding = None
        if self.num_classes is not None and self.shared_embedding:
            init = inits(self.initialization)[1]
            table = Embed(self.num_classes, self.shared_embedding, embedding_init=init)
            embedding = table(given(labels), train=False)
        if self.hierarchical:
            if self.num_classes is not None and embedding is None:
                raise InputError(
                    "a hierarchical latent with classes needs an embedding of them to stand "
                    "beside: set shared_embedding"
                )
            return self.shares(z, embedding, count)
        by_table = given(labels) if self.num_classes is not None else None
        return [z, *[by_table if embedding is None else embedding] * count]


class ResNetDiscriminator(nn.Module):
    """Images (B, H, W, C) to `Outputs`.

        [block that halves, or keeps, the image] n times; ReLU; sum over positions; head

    where a block is `y = down(conv(relu(conv(relu(x))))) + conv1x1(down(x))`; the first has no ReLU
    before its first convolution, and a shortcut that changes nothing has no convolution.

    Attributes:
      width: that the family's `plan` multiplies.
      widths: channels of each block, in place of those. There may be other blocks than the plan's:
        fewer than it has, down to those that halve, or more, which keep the size.
      norm: one of `NORMS`, before each ReLU inside blocks.
      spectral: whether every kernel, the head's too, is spectrally normalized.
      attention: the height of the images inside at which self-attention stands, once, after the
        block that halves them to it; 0: nowhere.
      wide: whether the middle of a block has as many channels as its result, and not as its input.
      pool: "sum" or "mean", over positions before the head.
      initialization: one of `blocks.INITS`.
      activation: the ReLU.
      num_classes: for a conditional discriminator.
      conditioning: how it is conditional; one of `heads.CONDITIONINGS`. To concatenate, the label
        is a plane a class beside the image.
      axis_name: the mapped axis that batch normalization averages over; None under plain `jit`.
      dtype: what the hidden layers compute in; parameters and logits are float32 all the same.
    """

    width: int = 64
    widths: Sequence[int] = ()
    norm: str = "none"
    spectral: bool = True
    attention: int = 0
    wide: bool = False
    pool: str = "sum"
    initialization: str = "glorot"
    activation: Activation = nn.relu
    num_classes: int | None = None
    conditioning: str = "concatenate"
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @staticmethod
    def plan(base: int, count: int) -> Sequence[tuple[int, bool]]:
        """Returns each block's channels over `width`, and whether it halves.

        Args:
          base: images are base 2^n pixels high.
          count: n.
        """
        del base
        widths = [2] * 4 if count <= 3 else [min(16, 2**n) for n in range(count + 1)]
        return halving(widths, usual_halvings(count))

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
        """Returns (B, H, W, features) for x (B, H, W, C), or half as high and wide."""
        middle = features if self.wide or first else x.shape[-1]
        inner = conv(x if first else active(x), middle, 3)
        inner = conv(active(inner), features, 3)
        if halves:  # the mean of a 1 x 1 convolution is that of the mean
            inner, x = average_down(inner), average_down(x)
        if halves or x.shape[-1] != features:
            x = conv(x, features, 1, inside=False)
        return inner + x

    @nn.compact
    def __call__(
        self, images: Array, labels: Array | None = None, *, train: bool, keys: Any = None
    ) -> Outputs:
        """Returns `Outputs`, whose features are sums over positions, or means (`pool`).

        Args:
          images: (B, H, W, C).
          labels: (B,) int32 where there are classes.
          train: whether spectral vectors move, and batch normalization uses the batch's statistics.
          keys: not used.

        Raises:
          InputError: there is no such norm, initialization or pool, the size cannot be halved, or
            `widths` are too few for it.
        """
        del keys
        conv, active = self.layers(train=train)
        levels = self.encode(images, labels, conv, active, train=train)
        return self.judge(levels[-1], labels, train=train)

    def layers(self, *, train: bool) -> tuple[Convolve, Activate]:
        """Returns the convolutions of blocks, and norm with activation."""

        def active(x: Array) -> Array:
            x = normalize(self.norm, x, train=train, dtype=self.dtype, axis_name=self.axis_name)
            return self.activation(x)

        return convolving(self, train=train), active

    def encode(
        self,
        images: Array,
        labels: Array | None,
        conv: Convolve,
        active: Activate,
        *,
        train: bool,
    ) -> list[Array]:
        """Returns what each block makes of the images."""
        _, outer_init = inits(self.initialization)
        base, count = doublings(images.shape[1:3])
        x, found = images, list[Array]()
        if self.conditioning == "concatenate":
            x = beside_images(x, labels, self.num_classes)
        for features, halves in self._blocks(base, count):
            x = self.block(x, features, conv, active, first=not found, halves=halves)
            if halves and x.shape[1] == self.attention:
                x = SelfAttention(self.spectral, outer_init, self.dtype)(x, train=train)
            found.append(x)
        return found

    def _blocks(self, base: int, count: int) -> list[tuple[int, bool]]:
        plan = self.plan(base, count)
        if not self.widths:
            return [(self.width * times, halves) for times, halves in plan]
        where = [block for block, (_, halves) in enumerate(plan) if halves]
        if len(self.widths) <= where[-1]:
            raise InputError(
                f"widths has {len(self.widths)} entries; images of {base * 2**count} pixels take "
                f"{where[-1] + 1} or more, a block each"
            )
        return [(features, block in where) for block, features in enumerate(self.widths)]

    def judge(self, x: Array, labels: Array | None, *, train: bool) -> Outputs:
        """Returns `Outputs` of what the last block makes."""
        x = self.activation(x).astype(jnp.float32)
        if self.pool not in ("sum", "mean"):
            raise InputError(f"pool is {self.pool!r}; there are sum, mean")
        return head(
            x.sum((1, 2)) if self.pool == "sum" else x.mean((1, 2)),
            labels,
            self.num_classes,
            self.conditioning,
            train=train,
            spectral=self.spectral,
            kernel_init=inits(self.initialization)[1],
        )
