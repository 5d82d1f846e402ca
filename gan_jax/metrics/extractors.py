"""From images to the features that metrics compare: pure functions of weights and images."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.metrics.modes import stacked_modes
from gan_jax.metrics.resize import inception_input
from gan_jax.models.inception import InceptionV3

PyTree = Any


class Extracted(NamedTuple):
    """What an extractor sees in images; the arrays of NumPy once they are gathered.

    Attributes:
      features: (B, D) float32.
      logits: (B, K) float32 of a classifier; else None.
      classes: (B,) int32, the class found in each image, of a classifier of the data; else None.
    """

    features: Any
    logits: Any = None
    classes: Any = None


class Extractor(NamedTuple):
    """A function from images to features, and what has to be said of it beside a figure.

    Attributes:
      name: figures are called after it: `fd_<name>`; the Inception network's is `fid`.
      layer: which layer the features are.
      resizer: how images are brought to the network's size.
      identity: what decides the features beside these words, such as a hash of the weights.
      weights: an argument of `extract`, any tree of arrays.
      extract: `(weights, images) -> Extracted`, of images (B, H, W, C) uint8, or float32 points.
      num_classes: of `Extracted.classes`; None where there are none.
      chunk: how many images a device takes at a time.
      of_channel: the extractor of an image of one channel, of `by_channel`.
    """

    name: str
    layer: str
    resizer: str
    identity: str
    weights: PyTree
    extract: Callable[[PyTree, jax.Array], Extracted]
    num_classes: int | None = None
    chunk: int = 500
    of_channel: "Extractor | None" = None

    def figure(self, metric: str) -> str:
        """Returns what a figure is called: `fid` of the reference's network, else `fd_<name>`."""
        of_reference = {"fd": "fid", "kd": "kid", "is": "inception_score"}
        return of_reference[metric] if self.name == "inception" else f"{metric}_{self.name}"


def pixels() -> Extractor:
    """Takes the pixels, in [0, 1], as they are; and the coordinates of points."""

    def extract(weights: PyTree, images: jax.Array) -> Extracted:
        del weights
        unit = images / jnp.float32(255) if images.dtype == jnp.uint8 else images
        return Extracted(unit.reshape(len(images), -1))

    return Extractor("pixels", "input", "none", "", {}, extract)


def quantized(images: jax.Array) -> jax.Array:
    """Maps [-1, 1] to the uint8 that a file of them would hold: `rint((x + 1) * 127.5)`."""
    return jnp.rint(jnp.clip((images + 1) * 127.5, 0, 255)).astype(jnp.uint8)


def by_network(
    name: str,
    classify: Callable[[PyTree, jax.Array], Any],
    weights: PyTree,
    identity: str,
    *,
    num_classes: int | None = None,
) -> Extractor:
    """Makes an extractor of a network that classifies, or of one that was never trained.

    Args:
      name: see `Extractor`.
      classify: `(weights, images) -> outputs` with `features` (B, D) and `logits`; of uint8 images.
      weights: of the network.
      identity: see `Extractor`.
      num_classes: where the network classifies; else its logits mean nothing and are left out.
    """

    def extract(weights: PyTree, images: jax.Array) -> Extracted:
        outputs = classify(weights, images)
        if num_classes is None:
            return Extracted(outputs.features)
        classes = outputs.logits.argmax(axis=-1).astype(jnp.int32)
        return Extracted(outputs.features, outputs.logits, classes)

    return Extractor(name, "penultimate", "none", identity, weights, extract, num_classes)


def inception(weights: PyTree, identity: str) -> Extractor:
    """Makes the extractor of the reference FID, KID and Inception score.

    The score takes the logits without bias, as torch-fidelity does. Its classes are not the data's.

    Args:
      weights: the variables of `models.inception.InceptionV3`.
      identity: of the weights.
    """

    def extract(weights: PyTree, images: jax.Array) -> Extracted:
        taps: Any = InceptionV3().apply(weights, inception_input(images))
        return Extracted(taps.features_2048, taps.logits_without_bias)

    return Extractor(
        *("inception", "2048", "TF1 bilinear, 299", identity, weights, extract), chunk=32
    )


def by_channel(extractor: Extractor, channels: int) -> Extractor:
    """Looks at each channel by itself, as an image of one channel: for stacked digits.

    Features are those of the channels, one after the other. The class of a stack is the number that
    the channels' classes spell: of digits 3, 1, 4 it is 314.
    """
    assert extractor.num_classes is not None, "only a classifier of the data tells stacks apart"
    stack_classes = extractor.num_classes**channels

    def extract(weights: PyTree, images: jax.Array) -> Extracted:
        apart = jnp.moveaxis(images, -1, 1).reshape(-1, *images.shape[1:-1], 1)
        each = jnp.arange(len(images) * channels).reshape(-1, channels)
        return stacked(extractor.extract(weights, apart), each, extractor.num_classes)

    return extractor._replace(
        layer=f"{extractor.layer}, of each channel",
        extract=extract,
        num_classes=stack_classes,
        of_channel=extractor,
    )


def stacked(seen: Extracted, rows: Any, num_classes: int | None) -> Extracted:
    """Returns what `by_channel` sees in stacks, from what is seen in their channels.

    Args:
      seen: in images of one channel, of `num_classes` classes.
      rows: (N, channels) integers, which of them make which stack.
      num_classes: of an image.
    """
    features = seen.features[rows].reshape(len(rows), -1)
    classes = stacked_modes(seen.classes[rows], num_classes or 0)
    return Extracted(features, classes=classes.astype("int32"))
