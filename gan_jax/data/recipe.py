"""A data set before it is prepared: where its examples come from, and what identifies it."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from gan_jax.data.source import ImageShape


@dataclasses.dataclass(frozen=True)
class Example:
    """An image (H, W, C) uint8, its label where there are classes, and what to call it."""

    name: str
    image: np.ndarray
    label: int | None = None


@dataclasses.dataclass(frozen=True)
class Unreadable:
    """An example that could not be read, and why in a few words."""

    name: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Split:
    """One split: how many examples there are to read, and a function that reads them in order."""

    length: int
    examples: Callable[[], Iterator[Example | Unreadable]]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What preparing a data set needs to know.

    Attributes:
      title: What the user called it, for messages.
      name: The folder of TFDS's data directory that it goes to.
      identity: The folder below that: changes whenever the prepared set would. Empty for a set
        that never changes.
      image_shape: (H, W, C) of every image.
      class_names: One name a class; empty where there are none.
      splits: By name, in the order in which they are prepared.
      drop_duplicates: Whether exact duplicates are dropped, or only counted.
      description: A sentence that is stored with the set.
    """

    title: str
    name: str
    identity: str
    image_shape: ImageShape
    class_names: tuple[str, ...]
    splits: Mapping[str, Split]
    drop_duplicates: bool
    description: str


def array_examples(images: np.ndarray, labels: np.ndarray) -> Iterator[Example]:
    """Yields the examples of images (N, H, W, C) and labels (N,) that are in memory."""
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        yield Example(f"example {index}", image, int(label))
