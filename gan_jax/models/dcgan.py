"""Deep convolutional GANs: strided convolutions down, transposed ones up, batch normalization.

Sizes of the common code: kernels of 4 x 4, widths that double from 64 as the image halves. Where
widths are the default and the image is 64 x 64 with three channels, the generator of 100 latents
has 3,576,704 parameters, the discriminator 2,765,569: those of the PyTorch example (2,765,568) and
the bias of its last layer.

Reference: Radford et al. 2016, "Unsupervised representation learning with deep convolutional
generative adversarial networks". The paper's kernels are 5 x 5.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.models.activations import Activation, leaky_relu
from gan_jax.models.heads import flattened, head
from gan_jax.models.labels import beside_images, beside_vectors
from gan_jax.models.outputs import Outputs
from gan_jax.models.sizes import doublings
from gan_jax.nn.conv import Conv, ConvTranspose
from gan_jax.nn.dense import Dense
from gan_jax.nn.norms import normalize

Array = jax.Array

_MOST_DOUBLED = 8  # widest layers are 8 times `width`, as at 64 x 64
_INIT = nn.initializers.normal(0.02)


class DCGANGenerator(nn.Module):
    """Latents (B, Z) to images (B, H, W, C).

        dense to base x base; [norm, activation, transposed convolution that doubles] n times

    Attributes:
      image_shape: (H, W, C), a size of `sizes.doublings`.
      width: channels before the last layer; every layer before has twice as many, up to 8 times.
      kernel_size: of the transposed convolutions.
      norm: one of `NORMS`; batch normalization is by class where there are classes.
      activation: after each norm.
      output: of the last layer; `tanh` keeps images in [-1, 1].
      num_classes: for a conditional generator, whose latents have the one-hot label beside them.
      axis_name: the mapped axis that batch normalization averages over; None under plain `jit`.
      dtype: what it computes in; parameters and images are float32 all the same.
    """

    image_shape: Sequence[int]
    width: int = 64
    kernel_size: int = 4
    norm: str = "batch"
    activation: Activation = jax.nn.relu
    output: Activation = jnp.tanh
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
          train: whether batch normalization uses the batch's statistics.
          keys: not used.

        Raises:
          InputError: there is no such norm, or the size cannot be made.
        """
        del keys
        base, count = doublings(self.image_shape)
        widths = [self.width * min(2**power, _MOST_DOUBLED) for power in range(count)][::-1]
        bare = self.norm in ("none", "pixel")  # then a layer before it needs a bias of its own
        z = beside_vectors(z, labels, self.num_classes)
        dense = Dense(base * base * widths[0], use_bias=bare, kernel_init=_INIT, dtype=self.dtype)
        x = dense(z, train=train).reshape(-1, base, base, widths[0])
        for features in [*widths[1:], self.image_shape[-1]]:
            x = normalize(
                self.norm,
                x,
                labels,
                train=train,
                num_classes=self.num_classes,
                axis_name=self.axis_name,
                dtype=self.dtype,
            )
            layer = ConvTranspose(
                features, self.kernel_size, use_bias=bare, kernel_init=_INIT, dtype=self.dtype
            )
            x = layer(self.activation(x))
        return self.output(x.astype(jnp.float32))


class DCGANDiscriminator(nn.Module):
    """Images (B, H, W, C) to `Outputs`.

        [convolution that halves, norm but for the first, leaky ReLU] n times; dense

    Attributes:
      width: channels of the first layer; every layer after has twice as many, up to 8 times.
      kernel_size: of the convolutions.
      norm: one of `NORMS`. Penalties on gradients need one that looks at one example at a time.
      activation: of the hidden layers.
      num_classes: for a conditional discriminator.
      conditioning: how it is conditional; one of `heads.CONDITIONINGS`. To concatenate, the label
        is a plane a class beside the image.
      spectral: whether every kernel, the head's too, is spectrally normalized.
      axis_name: the mapped axis that batch normalization averages over; None under plain `jit`.
      dtype: what the hidden layers compute in; parameters and logits are float32 all the same.
    """

    width: int = 64
    kernel_size: int = 4
    norm: str = "batch"
    activation: Activation = leaky_relu
    num_classes: int | None = None
    conditioning: str = "concatenate"
    spectral: bool = False
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, images: Array, labels: Array | None = None, *, train: bool, keys: Any = None
    ) -> Outputs:
        """Returns `Outputs`, whose features are the last layer's, (B, base * base * channels).

        Args:
          images: (B, H, W, C).
          labels: (B,) int32 where there are classes.
          train: whether spectral vectors move, and batch normalization uses the batch's statistics.
          keys: not used.

        Raises:
          InputError: there is no such norm, or the size cannot be halved.
        """
        del keys
        _, count = doublings(images.shape[1:3])
        x = images
        if self.conditioning == "concatenate":
            x = beside_images(x, labels, self.num_classes)
        for power in range(count):
            norm = self.norm if power else "none"
            layer = Conv(
                self.width * min(2**power, _MOST_DOUBLED),
                self.kernel_size,
                stride=2,
                padding=_halving(self.kernel_size),
                use_bias=self.norm in ("none", "pixel"),
                kernel_init=_INIT,
                spectral=self.spectral,
                dtype=self.dtype,
            )
            x = normalize(
                norm, layer(x, train=train), train=train, axis_name=self.axis_name, dtype=self.dtype
            )
            x = self.activation(x)
        return head(
            flattened(x).astype(jnp.float32),
            labels,
            self.num_classes,
            self.conditioning,
            train=train,
            spectral=self.spectral,
            kernel_init=_INIT,
        )


def _halving(kernel_size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The padding with which a stride of 2 halves an even size."""
    before, after = (kernel_size - 1) // 2, (kernel_size - 2) // 2
    return (before, after), (before, after)
