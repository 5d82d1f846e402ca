"""What training reads from: a fixed, finite sequence of examples, read by index."""

import abc
import concurrent.futures
import dataclasses
import functools
import hashlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

Batch = dict[str, np.ndarray]
# What `loader.decode` gathers from: `image` (M, H, W, C); `label` (N,) where there are classes; and
# `triples` (N, 3) where the channels of an example are three of the images, else M = N.
Resident = dict[str, np.ndarray]
ImageShape = tuple[int, int, int]

# Sets that decode to at most this many bytes are held in memory whole. Fashion-MNIST takes 47 MB,
# CIFAR-10 154 MB; beyond the bound a set is read from disk by index.
MAX_BYTES_IN_MEMORY = 512 * 2**20


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Source(abc.ABC):
    """One split of a data set: examples 0 to len - 1, in an order that never changes.

    Attributes:
      name: The name it was loaded by, such as "mnist_5k" or "folder:photos".
      split: "train", "test", ...
      fingerprint: Short hexadecimal hash of the examples (or, for a stock set, of what identifies
        them). Two sources with the same fingerprint give the same run.
      class_names: One name a class, in the order of the labels; empty where there are no classes.
      location: The folder that the prepared set lies in; empty for sets made in memory.
      cleaning: What preparing dropped and counted; empty where nothing was cleaned.
    """

    name: str
    split: str
    fingerprint: str
    class_names: tuple[str, ...] = ()
    location: str = ""
    cleaning: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def num_classes(self) -> int | None:
        """The number of classes, or None where the examples have none."""
        return len(self.class_names) or None

    @property
    @abc.abstractmethod
    def image_shape(self) -> ImageShape:
        """The shape (H, W, C) of one image."""

    @property
    @abc.abstractmethod
    def labels(self) -> np.ndarray | None:
        """The label of every example, (N,) int32, or None where there are no classes."""

    @property
    @abc.abstractmethod
    def resident(self) -> Resident | None:
        """The arrays from which a device gathers any example; None where not all are in memory."""

    @abc.abstractmethod
    def in_memory(self) -> "Source":
        """Returns a source of the same examples that has all of them in memory."""

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def read(self, indices: np.ndarray) -> Batch:
        """Reads examples.

        Args:
          indices: (n,) integers in [0, len), in any order, repeats allowed.

        Returns:
          `image`: (n, H, W, C) uint8, or float32 in [-1, 1] for points; and `label`: (n,) int32
          where there are classes.
        """


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ArraySource(Source):
    """A source whose examples are all in memory.

    Attributes:
      images: (N, H, W, C) uint8, or float32 in [-1, 1].
      labels: (N,) int32 or None.
    """

    images: np.ndarray
    labels: np.ndarray | None = None

    @property
    def image_shape(self) -> ImageShape:
        """The shape (H, W, C) of one image."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    @property
    def resident(self) -> Resident:
        """The images, and the labels where there are classes."""
        arrays = {"image": self.images}
        return arrays if self.labels is None else arrays | {"label": self.labels}

    def in_memory(self) -> "ArraySource":
        """Returns itself."""
        return self

    def __len__(self) -> int:
        return len(self.images)

    def read(self, indices: np.ndarray) -> Batch:
        """Reads examples; see `Source.read`."""
        return {name: values[indices] for name, values in self.resident.items()}


class Records(Protocol):
    """Serialized examples, read by index: what TFDS calls a data source."""

    def __len__(self) -> int: ...

    def __getitems__(self, keys: Sequence[int], /) -> Sequence[bytes]: ...


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RecordSource(Source):
    """A source that reads a prepared TFDS set from disk. Threads may share one.

    Attributes:
      records: Serialized `tf.train.Example`s.
      shape: The shape (H, W, C) that `decode` gives.
      decode: The bytes of one stored image to (H, W, C) uint8.
    """

    records: Records
    shape: ImageShape
    decode: Callable[[bytes], np.ndarray]

    @property
    def image_shape(self) -> ImageShape:
        """The shape (H, W, C) of one image."""
        return self.shape

    @functools.cached_property
    def labels(self) -> np.ndarray | None:
        """Every label, (N,) int32: the first use reads the whole split, without decoding images."""
        if not self.class_names:
            return None
        return np.concatenate([_labels(self._features(block)) for block in blocks(len(self))])

    @property
    def resident(self) -> None:
        """None: the examples are read from disk."""

    @functools.cached_property
    def _pool(self) -> concurrent.futures.ThreadPoolExecutor:
        return concurrent.futures.ThreadPoolExecutor(os.cpu_count(), "decode")

    def __len__(self) -> int:
        return len(self.records)

    def read(self, indices: np.ndarray) -> Batch:
        """Reads examples, decoded on all cores; see `Source.read`."""
        features = self._features(indices)
        stored = [feature["image"].bytes_list.value[0] for feature in features]
        size = math.ceil(len(stored) / (os.cpu_count() or 1))  # one task a core: tasks cost time
        parts = [stored[start : start + size] for start in range(0, len(stored), size)]
        batch = {"image": np.concatenate(list(self._pool.map(self._decode_all, parts)))}
        return batch | {"label": _labels(features)} if self.class_names else batch

    def in_memory(self) -> ArraySource:
        """Reads the whole split into memory."""
        images = np.empty((len(self), *self.shape), np.uint8)
        labels = np.empty(len(self), np.int32) if self.class_names else None
        for block in blocks(len(self)):
            batch = self.read(block)
            images[block] = batch["image"]
            if labels is not None:
                labels[block] = batch["label"]
        inherited = {field.name: getattr(self, field.name) for field in dataclasses.fields(Source)}
        return ArraySource(images=images, labels=labels, **inherited)

    def _decode_all(self, stored: Sequence[bytes]) -> np.ndarray:
        return np.stack([self.decode(encoded) for encoded in stored])

    def _features(self, indices: np.ndarray) -> list[Any]:
        from tensorflow_datasets.proto import tf_example_pb2

        records = self.records.__getitems__(indices.tolist())
        return [tf_example_pb2.Example.FromString(record).features.feature for record in records]


def _labels(features: Sequence[Any]) -> np.ndarray:
    return np.array([feature["label"].int64_list.value[0] for feature in features], np.int32)


def blocks(length: int, size: int = 4096) -> list[np.ndarray]:
    """Splits the indices 0 to `length` - 1 into runs of at most `size`."""
    return [np.arange(start, min(start + size, length)) for start in range(0, length, size)]


def fingerprint(*parts: Any) -> str:
    """Hashes arrays (their bytes) and anything else (its repr) to 16 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.shape}{part.dtype}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest()
