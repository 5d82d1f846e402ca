"""R3GAN: residual networks without normalization, of grouped convolutions, the two alike.

With the default widths and latents of 64 they have the parameters that the paper's table 9 states:
generator and discriminator 20.73 and 20.68 million at 32 x 32 x 3, 22.43 and 22.38 at 64 x 64 x 3,
23.06 and 23.01 at 256 x 256 x 3; with 10 classes 20.78 and 21.28 at 32 x 32 x 3. For ImageNet the
authors take `widths` of 1536 everywhere and a `group_size` of 32.

Reference: Huang et al. 2024, "The GAN is dead; long live the GAN! A modern GAN baseline", section 3
and appendices; sizes where the paper is silent are those of the authors' code.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.errors import InputError
from gan_jax.models.activations import Activation, leaky_relu, linear
from gan_jax.models.heads import head
from gan_jax.models.labels import beside_images, given
from gan_jax.models.outputs import Outputs
from gan_jax.models.sizes import by_stage, doublings
from gan_jax.nn.conv import Conv
from gan_jax.nn.dense import Dense, Embed
from gan_jax.nn.resample import filter_down, filter_up

Array = jax.Array

_FULL = 32  # pixels up to which every stage has the full width; beyond, it falls as they rise


class Block(nn.Module):
    """y = x + W_3 act(W_2 act(W_1 x + b_1) + b_2): 1 x 1, grouped 3 x 3, 1 x 1; W_3 = 0 at first.

    Attributes:
      total: L, the number of blocks of the network. W_1 and W_2 are drawn with the variance of a
        leaky ReLU over sqrt(L), so that L sums stay of the size of one (Zhang et al. 2019, "Fixup
        initialization: residual learning without normalization").
      group_size: channels of a group.
      expansion: channels inside over those of x.
      activation: act.
      dtype: what it computes in.
    """

    total: int
    group_size: int = 16
    expansion: int = 2
    activation: Activation = leaky_relu
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Returns (B, H, W, C) for x (B, H, W, C)."""
        channels = x.shape[-1]
        inner = self.expansion * channels
        if inner % self.group_size:
            raise InputError(
                f"blocks of {inner} channels cannot be cut into groups of {self.group_size}: "
                "choose a width that group_size divides"
            )
        draw = _normal(2 / (1 + 0.2**2) / math.sqrt(self.total))
        layers = [
            Conv(inner, 1, kernel_init=draw, dtype=self.dtype),
            Conv(inner, 3, groups=inner // self.group_size, kernel_init=draw, dtype=self.dtype),
        ]
        y = x
        for layer in layers:
            y = self.activation(layer(y, train=False))
        last = Conv(
            channels, 1, use_bias=False, kernel_init=nn.initializers.zeros, dtype=self.dtype
        )
        return x + last(y, train=False)


class R3GANGenerator(nn.Module):
    """Latents (B, Z) to images (B, H, W, C), linear at the end.

        learned base x base image, scaled by a linear map of the latent; blocks;
        [1 x 1 where widths differ, FIR filter that doubles, blocks] n times; 1 x 1

    Attributes:
      image_shape: (H, W, C), a size of `sizes.doublings`.
      width: channels of the stages up to 32 pixels; half as many at 64, and so on, in whole groups.
      widths: of each stage from the base up, in place of `width`.
      blocks: of a stage.
      group_size: see `Block`, as for the next two.
      expansion: likewise.
      activation: likewise.
      output: of the last layer.
      class_embedding: where there are classes, the length of their embedding beside the latent.
      num_classes: for a conditional generator.
      axis_name: not used.
      dtype: what it computes in; parameters and images are float32 all the same.
    """

    image_shape: Sequence[int]
    width: int = 768
    widths: Sequence[int] = ()
    blocks: int = 2
    group_size: int = 16
    expansion: int = 2
    activation: Activation = leaky_relu
    output: Activation = linear
    class_embedding: int = 64
    num_classes: int | None = None
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, z: Array, labels: Array | None = None, *, train: bool, keys: Any = None
    ) -> Array:
        """Returns images (B, H, W, C).

        Args:
          z: (B, Z).
          labels: (B,) int32 where there are classes.
          train: not used.
          keys: not used.

        Raises:
          InputError: the size cannot be made, or widths do not fit it or their groups.
        """
        del keys
        base, count = doublings(self.image_shape)
        widths = _widths(self, base, count)
        if self.num_classes is not None:
            init = nn.initializers.normal(1 / math.sqrt(self.num_classes))
            table = Embed(self.num_classes, self.class_embedding, embedding_init=init)
            z = jnp.concatenate([z, table(given(labels), train=train)], axis=-1)
        shape = (base, base, widths[0])
        basis: Any = self.param("basis", nn.initializers.normal(1.0), shape)
        scale = Dense(widths[0], use_bias=False, kernel_init=_normal(1.0), dtype=self.dtype)
        x = basis.astype(self.dtype) * scale(z, train=train)[:, None, None]
        for stage, channels in enumerate(widths):
            if stage:
                x = filter_up(_changed(x, channels, self.dtype))
            for _ in range(self.blocks):
                x = _block(self, len(widths))(x)
        x = Conv(
            self.image_shape[-1], 1, use_bias=False, kernel_init=_normal(1.0), dtype=self.dtype
        )(x, train=train)
        return self.output(x.astype(jnp.float32))


class R3GANDiscriminator(nn.Module):
    """Images (B, H, W, C) to `Outputs`: the generator turned around.

        1 x 1; [blocks, FIR filter that halves, 1 x 1 where widths differ] n times; blocks;
        one base x base filter a channel, which leaves one position; head

    Conditioned by "projection", the logit is <W f, e(label)> of the features f alone.

    Attributes:
      width: see `R3GANGenerator`, as for the next five.
      widths: from the base up there, and here the same.
      blocks: likewise.
      group_size: likewise.
      expansion: likewise.
      activation: likewise.
      num_classes: for a conditional discriminator.
      conditioning: how it is conditional; one of `heads.CONDITIONINGS`. To concatenate, the label
        is a plane a class beside the image.
      axis_name: not used.
      dtype: what the hidden layers compute in; parameters and logits are float32 all the same.
    """

    width: int = 768
    widths: Sequence[int] = ()
    blocks: int = 2
    group_size: int = 16
    expansion: int = 2
    activation: Activation = leaky_relu
    num_classes: int | None = None
    conditioning: str = "concatenate"
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, images: Array, labels: Array | None = None, *, train: bool, keys: Any = None
    ) -> Outputs:
        """Returns `Outputs`.

        Args:
          images: (B, H, W, C).
          labels: (B,) int32 where there are classes.
          train: not used.
          keys: not used.

        Raises:
          InputError: the size cannot be halved, or widths do not fit it or their groups.
        """
        del keys
        base, count = doublings(images.shape[1:3])
        widths = _widths(self, base, count)
        x = images
        if self.conditioning == "concatenate":
            x = beside_images(x, labels, self.num_classes)
        first = Conv(widths[-1], 1, use_bias=False, kernel_init=_normal(1.0), dtype=self.dtype)
        x = first(x, train=train)
        for stage, channels in enumerate(reversed(widths)):
            if stage:
                x = _changed(filter_down(x), channels, self.dtype)
            for _ in range(self.blocks):
                x = _block(self, len(widths))(x)
        init = nn.initializers.normal(1 / base)
        filters: Any = self.param("filters", init, (base, base, widths[0]))
        features = jnp.einsum("bhwc,hwc->bc", x.astype(jnp.float32), filters)
        if self.num_classes is None or self.conditioning != "projection":
            return head(
                features,
                labels,
                self.num_classes,
                self.conditioning,
                train=train,
                use_bias=False,
                kernel_init=_normal(1.0),
            )
        turned = Dense(widths[0], use_bias=False, kernel_init=_normal(1.0))(features, train=train)
        init = nn.initializers.normal(1 / math.sqrt(self.num_classes * widths[0]))
        table = Embed(self.num_classes, widths[0], embedding_init=init)
        embedded = table(given(labels), train=train)
        return Outputs(jnp.sum(turned * embedded, axis=-1), features)


def _block(network: Any, stages: int) -> Block:
    """A block as the fields of a network have it; its layer belongs to the module that calls."""
    return Block(
        network.blocks * stages,
        network.group_size,
        network.expansion,
        network.activation,
        network.dtype,
    )


def _changed(x: Array, channels: int, dtype: Any) -> Array:
    """A 1 x 1 convolution to another number of channels; nothing where it is the same."""
    if x.shape[-1] == channels:
        return x
    layer = Conv(channels, 1, use_bias=False, kernel_init=_normal(1.0), dtype=dtype)
    return layer(x, train=False)


def _widths(network: Any, base: int, count: int) -> Sequence[int]:
    """The channels of each stage; where they are less than `width`, groups divide them."""
    if network.widths:
        return by_stage(network.widths, base, count)
    step = network.group_size // math.gcd(network.group_size, network.expansion)
    shares = (network.width * _FULL // (base * 2**power) for power in range(count + 1))
    fewer = (max(step, share - share % step) for share in shares)
    return [min(network.width, channels) for channels in fewer]


def _normal(gain: float) -> Any:
    """Normal kernels of the variance gain / inputs."""
    return nn.initializers.variance_scaling(gain, "fan_in", "normal")
