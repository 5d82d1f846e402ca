"""The Inception network of the reference FID, the one of 2015-12-05.

The architecture is that of Szegedy et al. 2016, "Rethinking the Inception architecture for computer
vision", as TensorFlow published it and Heusel et al. 2017, "GANs trained by a two time-scale update
rule converge to a local Nash equilibrium", measured with it. It differs from the network of today's
model zoos: it has 1,008 classes and no auxiliary head; its average pools do not count padding; and
the pool of its last block takes the maximum.

Modules have the names that the published PyTorch weights give them.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

Array = jax.Array

# Features are compared across machines: an accelerator's default would round products to fewer
# bits. A CPU multiplies in float32 anyway.
_PRECISION = jax.lax.Precision.HIGHEST


class Taps(NamedTuple):
    """What the network computes on its way; under `jit`, what is not used is not computed.

    Attributes:
      features_64: (B, 64), after the first max pool.
      features_192: (B, 192), after the second.
      features_768: (B, 768), before the last reduction of resolution.
      features_2048: (B, 2048), before the classifier; FID, KID, precision and recall use these.
      logits_without_bias: (B, 1008), features_2048 times the classifier's matrix; the reference
        Inception score uses these.
      logits: (B, 1008), and its bias.

    All features are means over the whole map, as pytorch-fid and torch-fidelity give them.
    """

    features_64: Array
    features_192: Array
    features_768: Array
    features_2048: Array
    logits_without_bias: Array
    logits: Array


class InceptionV3(nn.Module):
    """Images (B, 299, 299, 3) to `Taps`, for inference.

    Its variables are `params` and `batch_stats`, both float32; `runtime.weights` reads them.
    """

    @nn.compact
    def __call__(self, images: Array) -> Taps:
        """Returns `Taps`, float32.

        Args:
          images: (B, 299, 299, 3) float32, (x - 128) / 128 where x is RGB in [0, 255];
            `metrics.resize.inception_input` makes them.
        """
        x = _ConvBN(32, 3, 2, "VALID", name="Conv2d_1a_3x3")(images)  # (B, 149, 149, 32)
        x = _ConvBN(32, 3, 1, "VALID", name="Conv2d_2a_3x3")(x)  # (B, 147, 147, 32)
        x = _ConvBN(64, 3, name="Conv2d_2b_3x3")(x)
        x = features_64 = _reduced(x)  # (B, 73, 73, 64)
        x = _ConvBN(80, 1, name="Conv2d_3b_1x1")(x)
        x = _ConvBN(192, 3, 1, "VALID", name="Conv2d_4a_3x3")(x)  # (B, 71, 71, 192)
        x = features_192 = _reduced(x)  # (B, 35, 35, 192)
        x = _BlockA(32, name="Mixed_5b")(x)  # (B, 35, 35, 256)
        x = _BlockA(64, name="Mixed_5c")(x)  # (B, 35, 35, 288)
        x = _BlockA(64, name="Mixed_5d")(x)
        x = _BlockB(name="Mixed_6a")(x)  # (B, 17, 17, 768)
        x = _BlockC(128, name="Mixed_6b")(x)
        x = _BlockC(160, name="Mixed_6c")(x)
        x = _BlockC(160, name="Mixed_6d")(x)
        x = features_768 = _BlockC(192, name="Mixed_6e")(x)
        x = _BlockD(name="Mixed_7a")(x)  # (B, 8, 8, 1280)
        x = _BlockE(_average, name="Mixed_7b")(x)  # (B, 8, 8, 2048)
        x = _BlockE(_largest, name="Mixed_7c")(x)
        features_2048 = _mean(x)
        return Taps(
            _mean(features_64),
            _mean(features_192),
            _mean(features_768),
            features_2048,
            *_Classifier(1008, name="fc")(features_2048),
        )


class _ConvBN(nn.Module):
    """Convolution, batch normalization by the stored statistics, ReLU."""

    features: int
    kernel: int | tuple[int, int]
    stride: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = (self.kernel,) * 2 if isinstance(self.kernel, int) else self.kernel
        x = nn.Conv(
            self.features,
            kernel,
            self.stride,
            self.padding,
            use_bias=False,
            precision=_PRECISION,
            name="conv",
        )(x)
        return nn.relu(nn.BatchNorm(use_running_average=True, epsilon=1e-3, name="bn")(x))


class _BlockA(nn.Module):
    pool_features: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        branches = [
            _branch(x, "branch1x1", (64, 1)),
            _branch(x, "branch5x5", (48, 1), (64, 5)),
            _branch(x, "branch3x3dbl", (64, 1), (96, 3), (96, 3)),
            _branch(_average(x), "branch_pool", (self.pool_features, 1)),
        ]
        return jnp.concatenate(branches, axis=-1)


class _BlockB(nn.Module):
    @nn.compact
    def __call__(self, x: Array) -> Array:
        branches = [
            _branch(x, "branch3x3", (384, 3, 2, "VALID")),
            _branch(x, "branch3x3dbl", (64, 1), (96, 3), (96, 3, 2, "VALID")),
            _reduced(x),
        ]
        return jnp.concatenate(branches, axis=-1)


class _BlockC(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        row, column = (self.width, (1, 7)), (self.width, (7, 1))
        branches = [
            _branch(x, "branch1x1", (192, 1)),
            _branch(x, "branch7x7", (self.width, 1), row, (192, (7, 1))),
            _branch(x, "branch7x7dbl", (self.width, 1), column, row, column, (192, (1, 7))),
            _branch(_average(x), "branch_pool", (192, 1)),
        ]
        return jnp.concatenate(branches, axis=-1)


class _BlockD(nn.Module):
    @nn.compact
    def __call__(self, x: Array) -> Array:
        last = (192, 3, 2, "VALID")
        branches = [
            _branch(x, "branch3x3", (192, 1), (320, 3, 2, "VALID")),
            _branch(x, "branch7x7x3", (192, 1), (192, (1, 7)), (192, (7, 1)), last),
            _reduced(x),
        ]
        return jnp.concatenate(branches, axis=-1)


class _BlockE(nn.Module):
    pool: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        short = _ConvBN(384, 1, name="branch3x3_1")(x)
        long = _ConvBN(448, 1, name="branch3x3dbl_1")(x)
        long = _ConvBN(384, 3, name="branch3x3dbl_2")(long)
        branches = [
            _branch(x, "branch1x1", (320, 1)),
            _ConvBN(384, (1, 3), name="branch3x3_2a")(short),
            _ConvBN(384, (3, 1), name="branch3x3_2b")(short),
            _ConvBN(384, (1, 3), name="branch3x3dbl_3a")(long),
            _ConvBN(384, (3, 1), name="branch3x3dbl_3b")(long),
            _branch(self.pool(x), "branch_pool", (192, 1)),
        ]
        return jnp.concatenate(branches, axis=-1)


class _Classifier(nn.Module):
    """Features (B, D) to logits (B, classes), without the bias and with it."""

    classes: int

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, Array]:
        shape = (x.shape[-1], self.classes)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.classes,))
        logits = jnp.dot(x, kernel, precision=_PRECISION)
        return logits, logits + bias


def _branch(x: Array, name: str, *layers: Any) -> Array:
    """Passes x through `_ConvBN(*layer)` each, numbered from 1 where there are several."""
    for number, layer in enumerate(layers, 1):
        x = _ConvBN(*layer, name=name if len(layers) == 1 else f"{name}_{number}")(x)
    return x


def _mean(x: Array) -> Array:
    return x.mean(axis=(1, 2))


def _average(x: Array) -> Array:
    return nn.avg_pool(x, (3, 3), (1, 1), "SAME", count_include_pad=False)


def _largest(x: Array) -> Array:
    return nn.max_pool(x, (3, 3), (1, 1), "SAME")


def _reduced(x: Array) -> Array:
    return nn.max_pool(x, (3, 3), (2, 2), "VALID")
