"""StyleGAN2: a mapping network makes styles of latents, and styles modulate every convolution.

The published sizes, with latents of 512: at 256 x 256 x 3 with a `channel_base` of 16384, as the
authors take it for FFHQ, the generator has 24,767,458 parameters and the discriminator 24,001,089;
at 1024 x 1024 x 3 with 32768 they have 30,370,060 and 29,012,513. For CIFAR-10 with two layers of
mapping, 19,947,539 and 20,720,641, with ten classes 20,215,315 and 23,089,664 (a discriminator
that is not residual: `residual=False`). Left out is what half precision of five bits of exponent
needs: clamped and scaled activations.

Reference: Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN"; Karras et
al. 2020, "Training generative adversarial networks with limited data", appendix D. Sizes where the
papers are silent are those of the authors' code.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.errors import InputError
from gan_jax.models.activations import Activation, linear
from gan_jax.models.heads import flattened, head
from gan_jax.models.labels import beside_images, given
from gan_jax.models.outputs import Outputs
from gan_jax.models.sizes import doublings
from gan_jax.nn.equalized import EqualizedConv, EqualizedDense, scaled_leaky_relu
from gan_jax.nn.minibatch_deviation import minibatch_deviation
from gan_jax.nn.modulated import ModulatedConv
from gan_jax.nn.norms import pixel_norm
from gan_jax.nn.resample import filter_up
from gan_jax.rng import normal, substream, uniform

Array = jax.Array


class Mapping(nn.Module):
    """f: latents (B, Z), classes, or both beside each other, to w (B, width).

        [embedding of the class, of the length width]; each scaled to the mean square 1; layers

    Attributes:
      width: of every layer.
      layers: how many.
      rate: of learning, beside that of other layers.
      num_classes: where there are classes.
    """

    width: int = 512
    layers: int = 8
    rate: float = 0.01
    num_classes: int | None = None

    @nn.compact
    def __call__(self, z: Array | None, labels: Array | None = None) -> Array:
        """Returns w (B, width) of z (B, Z), None for classes alone, and labels (B,) int32."""
        parts = [] if z is None else [pixel_norm(z)]
        if self.num_classes is not None:
            told = jax.nn.one_hot(given(labels), self.num_classes)
            parts.append(pixel_norm(EqualizedDense(self.width)(told)))
        w = jnp.concatenate(parts, axis=-1)
        for _ in range(self.layers):
            w = scaled_leaky_relu(EqualizedDense(self.width, rate=self.rate)(w))
        return w


class StyledConv(nn.Module):
    """y = act(modulated convolution of x + strength * noise + bias); strength and bias are 0 first.

    Attributes:
      features: channels of y.
      up: whether the image is doubled.
      dtype: what it computes in.
    """

    features: int
    up: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array, w: Array, keys: Array | None) -> Array:
        """Returns y of x (B, H, W, C), w (B, W) and keys (B,) for noise; None for no noise."""
        x = ModulatedConv(self.features, up=self.up, dtype=self.dtype)(x, w)
        strength: Any = self.param("strength", nn.initializers.zeros, ())
        if keys is not None:
            noise = normal(keys, (*x.shape[1:3], 1))
            x = x + (strength * noise).astype(x.dtype)
        bias: Any = self.param("bias", nn.initializers.zeros, (self.features,))
        return scaled_leaky_relu(x + bias.astype(x.dtype))


class Synthesis(nn.Module):
    """g: styles, one w for each of 2 n + 2 layers, to images (B, H, W, C).

        learned base x base image; convolution; [one that doubles; another] n times

    and after each stage the image so far, doubled by the FIR filter, plus a 1 x 1 convolution to
    its channels, which is modulated and not demodulated ("skip" generator). That convolution shares
    its w with the first of the next stage.

    Attributes:
      image_shape: (H, W, C), a size of `sizes.doublings`.
      width: see `StyleGAN2Generator`, as for the next two.
      channel_base: likewise.
      dtype: likewise.
    """

    image_shape: Sequence[int]
    width: int = 512
    channel_base: int = 32_768
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, w: Array, keys: Array | None) -> Array:
        """Returns images of w (B, 2 n + 2, W), float32, and keys (B,) for noise."""
        base, count = doublings(self.image_shape)
        widths = _widths(self.width, self.channel_base, base, count)
        first: Any = self.param("first", nn.initializers.normal(1.0), (base, base, widths[0]))
        x = jnp.broadcast_to(first.astype(self.dtype), (len(w), *first.shape))
        images = jnp.zeros((len(w), base, base, self.image_shape[-1]))
        layer = 0

        def styled(x: Array, features: int, *, up: bool) -> Array:
            nonlocal layer
            drawn = None if keys is None else substream(keys, f"noise/{layer}")
            x = StyledConv(features, up, self.dtype)(x, w[:, layer], drawn)
            layer += 1
            return x

        for stage, features in enumerate(widths):
            if stage:
                x = styled(x, features, up=True)
                images = filter_up(images)
            x = styled(x, features, up=False)
            colours = ModulatedConv(self.image_shape[-1], 1, demodulate=False, dtype=self.dtype)
            bias: Any = self.param(f"bias_{stage}", nn.initializers.zeros, self.image_shape[-1:])
            images = images + colours(x, w[:, layer]).astype(jnp.float32) + bias
        return images


class StyleGAN2Generator(nn.Module):
    """Latents (B, Z) to images (B, H, W, C), linear at the end: g(f(z)), `mapping` and `synthesis`.

    The mean of w is followed in the collection "mean_style", batch by batch of the generator's own
    updates. The authors' code counts the discriminator's batches too.

    Attributes:
      image_shape: (H, W, C), a size of `sizes.doublings`.
      width: the most channels.
      channel_base: channels of a stage times its height, where that is not more than `width`.
      style_width: the length of w, and of the layers of the mapping.
      mapping_layers: how many.
      mapping_rate: of learning in the mapping, beside that of other layers.
      mixing: the probability that an image in training takes the w of its later layers, from one
        drawn at random on, from a latent of its own ("style mixing").
      mean_decay: of the mean of w, for one batch.
      output: of the last layer.
      num_classes: for a conditional generator.
      axis_name: not used.
      dtype: what convolutions compute in; parameters, styles and images are float32 all the same.
    """

    image_shape: Sequence[int]
    width: int = 512
    channel_base: int = 32_768
    style_width: int = 512
    mapping_layers: int = 8
    mapping_rate: float = 0.01
    mixing: float = 0.9
    mean_decay: float = 0.995
    output: Activation = linear
    num_classes: int | None = None
    axis_name: str | None = None
    dtype: Any = jnp.float32

    has_mapping = True

    def setup(self) -> None:
        """Makes the two halves, and the mean of what passes between them."""
        self.style_of = Mapping(
            self.style_width, self.mapping_layers, self.mapping_rate, self.num_classes
        )
        self.image_of = Synthesis(self.image_shape, self.width, self.channel_base, self.dtype)
        zeros = nn.initializers.zeros
        self.mean = self.variable("mean_style", "mean", zeros, None, (self.style_width,))

    def __call__(
        self,
        z: Array,
        labels: Array | None = None,
        *,
        train: bool,
        keys: Any = None,
        truncation: float = 1.0,
    ) -> Array:
        """Returns images (B, H, W, C).

        Args:
          z: (B, Z).
          labels: (B,) int32 where there are classes.
          train: whether styles are mixed, and their mean moves.
          keys: (B,), for noise, and in training for mixing; None for no noise.
          truncation: see `mapping`.

        Raises:
          InputError: the size cannot be made, or styles are to be mixed and there are no keys.
        """
        w = self.mapping(z, labels, train=train, keys=keys, truncation=truncation)
        return self.synthesis(w, train=train, keys=keys)

    def mapping(
        self,
        z: Array,
        labels: Array | None = None,
        *,
        train: bool,
        keys: Any = None,
        truncation: float = 1.0,
    ) -> Array:
        """Returns w (B, 2 n + 2, style_width) for the layers of `synthesis`.

        Args:
          z: as above, and the next three.
          labels: likewise.
          train: likewise.
          keys: likewise.
          truncation: psi of mean + psi (w - mean): below 1 images are cleaner and more alike
            (Karras et al. 2019, "A style-based generator architecture", appendix B).
        """
        layers = 2 * (doublings(self.image_shape)[1] + 1)
        w = self.style_of(z, labels)
        if train and not self.is_initializing() and self.is_mutable_collection("mean_style"):
            batch = jax.lax.stop_gradient(w.mean(0))
            self.mean.value = batch + self.mean_decay * (self.mean.value - batch)
        w = jnp.broadcast_to(w[:, None], (len(w), layers, self.style_width))
        if train and self.mixing:
            w = self._mixed(w, z.shape[-1], labels, keys)
        if truncation != 1:
            w = self.mean.value + truncation * (w - self.mean.value)
        return w

    def synthesis(
        self, w: Array, labels: Array | None = None, *, train: bool, keys: Any = None
    ) -> Array:
        """Returns images (B, H, W, C) of w (B, 2 n + 2, style_width); `keys` (B,) are for noise."""
        del labels, train
        return self.output(self.image_of(w, keys))

    def _mixed(self, w: Array, latent: int, labels: Array | None, keys: Any) -> Array:
        if keys is None:
            raise InputError("style mixing draws by example: give keys, or set mixing to 0")
        other = self.style_of(normal(substream(keys, "mixing"), (latent,)), labels)
        layers = w.shape[1]
        mixes = uniform(substream(keys, "mixes")) < self.mixing
        first = 1 + jnp.floor(uniform(substream(keys, "first")) * (layers - 1))
        kept = jnp.arange(layers) < jnp.where(mixes, first, layers)[:, None]  # (B, 2 n + 2)
        return jnp.where(kept[:, :, None], w, other[:, None])


class StyleGAN2Discriminator(nn.Module):
    """Images (B, H, W, C) to `Outputs`.

        1 x 1; [convolution; filtered one that halves] n times; minibatch deviation; convolution;
        two dense layers

    A residual one has around each pair of convolutions a 1 x 1 one that halves; their sum is over
    sqrt(2). Conditioned by "projection", the logit is <x, f(label)> / sqrt(style_width) of the last
    layer's result x, f being a mapping network of classes alone.

    Attributes:
      width: see `StyleGAN2Generator`, as for the next.
      channel_base: likewise.
      residual: whether it is.
      minibatch_group: of `minibatch_deviation`, whose rows see each other: a penalty on gradients
        at one then has terms of the others, as the authors' has.
      style_width: the length of x and f(label), for "projection".
      mapping_layers: of f; they learn at 0.01 times the rate.
      num_classes: for a conditional discriminator.
      conditioning: how it is conditional; one of `heads.CONDITIONINGS`. To concatenate, the label
        is a plane a class beside the image.
      axis_name: not used.
      dtype: what the stages compute in; parameters, the last layers and logits are float32.
    """

    width: int = 512
    channel_base: int = 32_768
    residual: bool = True
    minibatch_group: int = 4
    style_width: int = 512
    mapping_layers: int = 8
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
          InputError: the size cannot be halved, or groups do not divide the batch.
        """
        del keys
        base, count = doublings(images.shape[1:3])
        widths = _widths(self.width, self.channel_base, base, count)
        x = images
        if self.conditioning == "concatenate":
            x = beside_images(x, labels, self.num_classes)
        x = scaled_leaky_relu(EqualizedConv(widths[-1], 1, dtype=self.dtype)(x))
        for outputs in reversed(widths[:-1]):
            y = scaled_leaky_relu(EqualizedConv(x.shape[-1], dtype=self.dtype)(x))
            y = scaled_leaky_relu(EqualizedConv(outputs, down=True, dtype=self.dtype)(y))
            if self.residual:
                shortcut = EqualizedConv(outputs, 1, down=True, use_bias=False, dtype=self.dtype)
                y = (y + shortcut(x)) / math.sqrt(2)
            x = y
        x = minibatch_deviation(x.astype(jnp.float32), self.minibatch_group)
        x = scaled_leaky_relu(EqualizedConv(widths[0])(x))
        features = scaled_leaky_relu(EqualizedDense(widths[0])(flattened(x)))
        if self.num_classes is None or self.conditioning != "projection":
            return head(
                features,
                labels,
                self.num_classes,
                self.conditioning,
                train=train,
                dense=EqualizedDense,
            )
        turned = EqualizedDense(self.style_width)(features)
        mapping = Mapping(self.style_width, self.mapping_layers, num_classes=self.num_classes)
        logits = jnp.sum(turned * mapping(None, labels), axis=-1) / math.sqrt(self.style_width)
        return Outputs(logits, features)


def _widths(width: int, channel_base: int, base: int, count: int) -> Sequence[int]:
    """The channels of each stage, from the base up."""
    return [max(1, min(width, channel_base // (base * 2**power))) for power in range(count + 1)]
