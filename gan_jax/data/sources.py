"""Data sets by name: `load` resolves the name, prepares the set once, and reads it."""

import os

from etils import epath

from gan_jax.data import folder, idx, images, mnist_5k, preparation, stacked, toy
from gan_jax.data.source import Source
from gan_jax.errors import InputError

# What names look like besides those of TFDS.
NAMES = (
    *("mnist_5k", "idx:FOLDER", "folder:FOLDER", "stacked:NAME"),
    *(f"toy:{name}" for name in toy.TOYS),
)


def load(
    name: str,
    split: str = "train",
    *,
    image_size: int | None = None,
    channels: int | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> Source:
    """Loads one split of a data set.

    Args:
      name: One of
        "mnist_5k": 5,000 handwritten digits, without a download;
        "idx:FOLDER": a folder of IDX files, as MNIST and its successors are published;
        "folder:FOLDER": a folder of images, whose sub-folders are classes;
        "stacked:NAME": three random images of a grey set with classes as the channels of one, as
        in "stacked:mnist_5k";
        "toy:ring8", "toy:grid25", "toy:swissroll": points in the plane;
        any other: a set that TFDS defines, with a version or config if need be, as in
        "mnist:3.0.1".
      split: "train", "test" or what else the set has.
      image_size: Height and width to resize to: the shorter side, antialiased, then the middle
        square. None keeps the set's own size; `folder:` needs one.
      channels: Number of channels to convert to, 1 to 4: grey, grey and alpha, color, color and
        alpha. None keeps the set's own; `folder:` takes 3, `stacked:` has no other.
      data_dir: Where prepared sets are kept. Default: `TFDS_DATA_DIR`, else TFDS's own.

    Returns:
      The source: in memory where it takes at most 512 MiB, else read from disk by index.

    Raises:
      InputError: Whatever is wrong with the name, the data or the options, in one line.
    """
    _check(image_size, channels)
    kind, _, argument = name.partition(":")
    if kind == "toy":
        if image_size or channels:
            raise InputError(f"{name} are points, not images: they have no image_size or channels")
        return toy.load(argument, split)
    if kind == "stacked":
        stacked.check(name, channels)
        grey = 1 if argument.startswith("folder:") else None  # a folder has none of its own
        digits = load(argument, split, image_size=image_size, channels=grey, data_dir=data_dir)
        return stacked.stack(name, digits)
    from gan_jax.data import reading  # imports TFDS, which takes a second

    prepared = _prepared(name, preparation.data_root(data_dir), image_size, channels)
    return reading.read(prepared, name, split, image_size, channels)


def _check(image_size: int | None, channels: int | None) -> None:
    if image_size is not None and image_size < 1:
        raise InputError(f"image_size must be at least 1, not {image_size}")
    if channels is not None and channels not in images.MODES:
        raise InputError(f"channels must be 1, 2, 3 or 4, not {channels}")


def _prepared(
    name: str, root: epath.Path, image_size: int | None, channels: int | None
) -> epath.Path:
    """Returns the folder of the prepared set, having prepared it if need be."""
    kind, _, argument = name.partition(":")
    if kind == "folder":
        recipe = folder.recipe(name, _path(name, argument), image_size, channels or 3)
    elif kind == "idx":
        recipe = idx.recipe(name, _path(name, argument))
    elif name == "mnist_5k":
        recipe = mnist_5k.recipe()
    else:
        from gan_jax.data import stock

        return stock.prepared(name, root, NAMES)
    return preparation.prepared(recipe, root)


def _path(name: str, argument: str) -> epath.Path:
    if not argument:
        raise InputError(f"{name!r} lacks its folder, as in {name.partition(':')[0]}:FOLDER")
    return epath.Path(argument).expanduser().resolve()
