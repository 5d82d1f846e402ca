"""Stacked MNIST: three random digits as the channels of one image, to count modes with.

The class of a stack is the number that its digits spell, so ten digits make a thousand modes, all
as likely as the digits are. A stack is three numbers of digits, drawn from a fixed seed: nothing is
prepared, and the digits themselves are in memory once, on a device too.

References:
  Metz et al., "Unrolled Generative Adversarial Networks", ICLR 2017: the idea.
  Srivastava et al., "VEEGAN", NeurIPS 2017, and Lin et al., "PacGAN", NeurIPS 2018: the protocol,
    128,000 stacks to train on and 26,000 samples to count modes in.
"""

import dataclasses
import functools
import itertools

import numpy as np

from gan_jax.data.images import as_channels
from gan_jax.data.source import Batch, ImageShape, Resident, Source, fingerprint
from gan_jax.errors import InputError

TRAIN = 128_000
"""Stacks to train on."""

HELD_OUT = 26_000
"""Stacks of any other split: as many as the protocol takes samples."""

_SEED = 2017


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StackedSource(Source):
    """A source whose examples are stacks of three grey images.

    Attributes:
      digits: The grey images, with K classes. The class of a stack is a K^2 + b K + c where those
        of its images are a, b and c.
      triples: (N, 3) int32, the images that are red, green and blue in each stack.
    """

    digits: Source
    triples: np.ndarray

    @property
    def image_shape(self) -> ImageShape:
        """The shape (H, W, 3) of one stack."""
        height, width, _ = self.digits.image_shape
        return height, width, self.triples.shape[1]

    @functools.cached_property
    def labels(self) -> np.ndarray:
        """The class of every stack, (N,) int32."""
        digits, classes = self.digits.labels, len(self.digits.class_names)
        assert digits is not None, "`stack` has seen to it"
        return digits[self.triples] @ np.array([classes**2, classes, 1], np.int32)

    @property
    def resident(self) -> Resident | None:
        """The digits, and which of them make which stack; None where those are not in memory."""
        arrays = self.digits.resident
        return arrays and {"image": arrays["image"], "label": self.labels, "triples": self.triples}

    def in_memory(self) -> "StackedSource":
        """Returns the same stacks of digits that are all in memory."""
        return dataclasses.replace(self, digits=self.digits.in_memory())

    def __len__(self) -> int:
        return len(self.triples)

    def read(self, indices: np.ndarray) -> Batch:
        """Reads stacks; see `Source.read`."""
        triples = self.triples[indices]
        digits = self.digits.read(triples.reshape(-1))["image"]
        stacks = as_channels(digits.reshape(*triples.shape, *digits.shape[1:]))
        return {"image": stacks, "label": self.labels[indices]}


def check(name: str, channels: int | None) -> None:
    """Checks what can be known before the digits are loaded.

    Args:
      name: What the user called the stacked set, "stacked:" and the name of its digits.
      channels: How many channels are asked for; None where it does not matter.

    Raises:
      InputError: No digits are named, or other channels than three are asked for.
    """
    if not name.removeprefix("stacked:"):
        raise InputError(f"{name!r} lacks the set to stack, as in stacked:mnist_5k")
    if channels not in (None, 3):
        raise InputError(
            f"{name} has 3 channels, an image each, not {channels}: leave channels unset"
        )


def stack(name: str, digits: Source) -> StackedSource:
    """Draws the stacks of a split: triples of its images, uniformly and with replacement.

    Args:
      name: What the user called the stacked set.
      digits: The split of grey images with classes.

    Returns:
      128,000 stacks of the train split, 26,000 of any other; the same ones each time.

    Raises:
      InputError: The images are not grey, or have no classes.
    """
    channels = digits.image_shape[-1]
    if channels != 1 or not digits.class_names:
        lack = f"{channels} channels" if channels != 1 else "no classes"
        raise InputError(f"stacked: needs grey images with classes; {digits.name} has {lack}")
    train = digits.split == "train"
    # Raw words, whose values NumPy guarantees; those of Generator.integers may change.
    words = np.random.Philox(key=[_SEED, train]).random_raw(3 * (TRAIN if train else HELD_OUT))
    triples = (words % np.uint64(len(digits))).astype(np.int32).reshape(-1, 3)
    separator = "" if max(map(len, digits.class_names)) == 1 else "-"
    return StackedSource(
        name=name,
        split=digits.split,
        fingerprint=fingerprint(digits.fingerprint, triples),
        class_names=tuple(map(separator.join, itertools.product(digits.class_names, repeat=3))),
        location=digits.location,
        cleaning=digits.cleaning,
        digits=digits,
        triples=triples,
    )
