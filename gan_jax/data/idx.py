"""Folders of IDX files, the format that MNIST and its successors are published in.

An IDX file is big-endian: two zero bytes, a type code (8: uint8), the number of dimensions, each
dimension as a 32-bit integer, then the values, the last dimension running fastest.

Sets: MNIST (LeCun et al. 1998), Fashion-MNIST (Xiao, Rasul and Vollgraf 2017), KMNIST (Clanuwat et
al. 2018), EMNIST (Cohen et al. 2017).
"""

import dataclasses
import functools
import gzip
import math
import re
import zlib
from collections.abc import Iterator

import numpy as np
from etils import epath

from gan_jax.data import identity
from gan_jax.data.recipe import Example, Recipe, Split, array_examples
from gan_jax.errors import InputError

# "train-images-idx3-ubyte.gz", "t10k-labels.idx1-ubyte", "emnist-letters-train-images-idx3-ubyte".
_FILE_NAME = re.compile(
    r"(?P<prefix>.*?)(?P<split>train|t10k|test)-(?P<kind>images|labels)[-.]idx[13]-ubyte(\.gz)?"
)


@dataclasses.dataclass(frozen=True)
class _Pair:
    """The images and the labels of one split, and what their headers say."""

    images: epath.Path
    labels: epath.Path
    shape: tuple[int, int, int]  # (N, H, W), upright
    transposed: bool


def recipe(title: str, folder: epath.Path) -> Recipe:
    """Describes a folder of IDX files, from their names and headers.

    Args:
      title: What the user called the set.
      folder: Holds `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, and usually the same
        for `t10k` (or `test`), gzipped or not. EMNIST's images, stored transposed, come upright.

    Returns:
      The recipe; the split of the `t10k` files is called "test".

    Raises:
      InputError: The folder, a file or a header is not as published.
    """
    pairs = {split: _pair(files) for split, files in _find(title, folder).items()}
    sizes = {pair.shape[1:] for pair in pairs.values()}
    if len(sizes) != 1:
        raise InputError(f"{title}: the splits differ in image size: {sorted(sizes)}")
    height, width = sizes.pop()
    # EMNIST's letters are numbered from 1: classes are the labels that occur, by their own names.
    classes = np.unique(np.concatenate([_values(pair.labels, 1) for pair in pairs.values()]))
    files = [file.name for pair in pairs.values() for file in (pair.images, pair.labels)]
    return Recipe(
        title=title,
        name="idx",
        identity=identity.of(folder, files),
        image_shape=(height, width, 1),
        class_names=tuple(str(label) for label in classes),
        splits={
            split: Split(pair.shape[0], functools.partial(_examples, pair, classes))
            for split, pair in pairs.items()
        },
        drop_duplicates=False,
        description=f"IDX files of {folder}",
    )


def _find(title: str, folder: epath.Path) -> dict[str, dict[str, epath.Path]]:
    """Finds the files: {"train": {"images": ..., "labels": ...}, "test": ...}."""
    if not folder.is_dir():
        raise InputError(
            f"{title}: there is no folder {folder}; name the one with the files as published: "
            "--config.data.name=idx:FOLDER"
        )
    found: dict[str, dict[str, epath.Path]] = {}
    for path in sorted(folder.iterdir()):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            continue
        split = "train" if match["split"] == "train" else "test"
        files = found.setdefault(split, {})
        twin = files.setdefault(match["kind"], path)
        # The same file with and without .gz is fine; two different sets are not.
        if twin.name.removesuffix(".gz") != path.name.removesuffix(".gz"):
            raise InputError(
                f"{title}: which set is meant? There are {twin.name} and {path.name}: keep one set "
                "to a folder"
            )
    if "train" not in found:
        raise InputError(
            f"{title}: no IDX files in {folder}, such as train-images-idx3-ubyte or "
            "train-images-idx3-ubyte.gz"
        )
    for split, files in found.items():
        if missing := {"images", "labels"} - set(files):
            (present,) = files.values()
            raise InputError(f"{title}: the {split} {missing.pop()} are missing beside {present}")
    return dict(sorted(found.items(), reverse=True))  # train first


def _pair(files: dict[str, epath.Path]) -> _Pair:
    images, labels = files["images"], files["labels"]
    shape, label_shape = _header(images, 3), _header(labels, 1)
    if shape[0] != label_shape[0]:
        raise InputError(f"{images} holds {shape[0]} images but {labels} {label_shape[0]} labels")
    if not math.prod(shape):
        raise InputError(f"{images} holds no pixels: its header says {shape}")
    transposed = images.name.startswith("emnist-")
    count, height, width = shape if not transposed else (shape[0], shape[2], shape[1])
    return _Pair(images, labels, (count, height, width), transposed)


def _examples(pair: _Pair, classes: np.ndarray) -> Iterator[Example]:
    images = _values(pair.images, 3)
    if pair.transposed:
        images = images.swapaxes(1, 2)
    labels = np.searchsorted(classes, _values(pair.labels, 1))
    return array_examples(images[..., None], labels)


def _header(path: epath.Path, dimensions: int) -> tuple[int, ...]:
    """Reads and checks a header; returns the shape that it states."""
    length = 4 + 4 * dimensions
    header = _read(path, length)
    if header[:4] != bytes([0, 0, 8, dimensions]):
        raise InputError(
            f"{path} is not an IDX file of uint8 with {dimensions} dimension(s): it begins with "
            f"{header[:4].hex(' ') or 'nothing'}, not 00 00 08 {dimensions:02x}"
        )
    if len(header) < length:
        raise InputError(f"{path} is truncated: it ends in its header")
    return tuple(int(size) for size in np.frombuffer(header, ">u4", offset=4))


def _values(path: epath.Path, dimensions: int) -> np.ndarray:
    """Reads the values that follow a header."""
    shape = _header(path, dimensions)
    offset, expected = 4 + 4 * dimensions, math.prod(shape)
    content = _read(path)
    if len(content) - offset != expected:
        problem = "is truncated" if len(content) - offset < expected else "is too long"
        raise InputError(
            f"{path} {problem}: {len(content) - offset} bytes of values, where its header says "
            f"{' x '.join(map(str, shape))} = {expected}"
        )
    return np.frombuffer(content, np.uint8, offset=offset).reshape(shape)


def _read(path: epath.Path, length: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            content = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
            return content.read(length)
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"{path} is damaged: {error}") from error
