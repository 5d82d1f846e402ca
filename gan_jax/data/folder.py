"""Folders of image files: any format, size and mode that Pillow reads.

    FOLDER/a.png                    no classes
    FOLDER/cat/a.png                a class for each sub-folder, in sorted order
    FOLDER/train/..., FOLDER/test/...    splits, each laid out as above

Sub-folders are splits where each has a split's name (train; test; val, valid or validation, which
TFDS calls validation) and train is among them, alone or not. Otherwise they are classes, train too
(there are pictures of trains), and everything is the train split: nothing is held out that the user
has not set apart. What cannot well be meant as either is refused: train and a held-out split beside
other sub-folders, held-out splits without train, one split under two names.

Files that are no images by their suffix, and hidden ones, are ignored; sub-folders may be nested,
the first level (within a split) names the class.
"""

import concurrent.futures
import dataclasses
import functools
import io
import os
import warnings
from collections.abc import Iterator

from etils import epath
from PIL import Image, ImageOps, UnidentifiedImageError

from gan_jax.data import identity, images
from gan_jax.data.recipe import Example, Recipe, Split, Unreadable
from gan_jax.errors import InputError

# Formats that Pillow recognizes but cannot decode, or only with the help of another program.
_NOT_DECODED = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}

# The sub-folders that are splits, and what TFDS calls these. They are prepared in this order, and
# the first of exact duplicates stays.
_SPLITS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}

# Images decoded at a time: enough for every core, little memory even where they are large.
_BLOCK = 64


def recipe(title: str, folder: epath.Path, size: int | None, channels: int) -> Recipe:
    """Describes a folder of images, from the names of its files.

    Args:
      title: What the user called the set.
      folder: The folder.
      size: Height and width that the images are resized and cropped to.
      channels: Their number of channels, 1 to 4.

    Returns:
      The recipe. Its identity covers the names, sizes and times of the files.

    Raises:
      InputError: No such folder, no images in it, images both beside and in sub-folders, splits
        that cannot be told from classes, or no size.
    """
    if not folder.is_dir():
        raise InputError(f"{title}: there is no folder {folder}")
    files = _find(folder)
    if not files:
        content = "holds no images" if any(folder.iterdir()) else "is empty"
        raise InputError(f"{title}: {folder} {content}; put PNG, JPEG, ... files there")
    if size is None:
        raise InputError(f"{title} needs the size of its images: --config.data.image_size=64")
    splits = _splits(title, files)
    class_names = _class_names(title, splits)
    return Recipe(
        title=title,
        name="folder",
        identity=identity.of(folder, files, size, channels, *splits),
        image_shape=(size, size, channels),
        class_names=class_names,
        splits={
            split: Split(
                len(members),
                functools.partial(_examples, folder, members, class_names, size, channels),
            )
            for split, members in splits.items()
        },
        drop_duplicates=True,
        description=f"Image files of {folder}",
    )


@dataclasses.dataclass(frozen=True)
class _File:
    """An image file: its path relative to the folder, and the sub-folder that names its class."""

    path: str
    class_name: str | None


def _find(folder: epath.Path) -> list[str]:
    """Finds the image files at any depth: their paths relative to the folder, sorted."""
    top = os.fspath(folder)
    walk = folder.walk() if "://" in top else os.walk(top, followlinks=True)  # os: no objects
    found = []
    for parent, _, names in walk:
        prefix = os.path.relpath(os.fspath(parent), top) + "/" if os.fspath(parent) != top else ""
        if not any(part.startswith(".") for part in prefix.split("/")):
            found += [prefix + name for name in names if _is_image(name)]
    return sorted(found)


def _is_image(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in _suffixes()


@functools.cache
def _suffixes() -> frozenset[str]:
    return frozenset(
        suffix
        for suffix, format_name in Image.registered_extensions().items()
        if format_name in Image.OPEN and format_name not in _NOT_DECODED
    )


def _splits(title: str, files: list[str]) -> dict[str, list[_File]]:
    """Assigns the files to splits, by the rule that the module states."""
    tops = {file.partition("/")[0] for file in files}
    named = [folder for folder in _SPLITS if folder in tops]
    others = sorted(tops.difference(named))
    _check_splits(title, named, others)
    if others:
        return {"train": [_File(file, _first_folder(file)) for file in files]}
    return {
        _SPLITS[folder]: [
            _File(file, _first_folder(file.removeprefix(f"{folder}/")))
            for file in files
            if file.startswith(f"{folder}/")
        ]
        for folder in named
    }


def _check_splits(title: str, named: list[str], others: list[str]) -> None:
    """Refuses sub-folders that would silently become classes, or one split of two names."""
    names = " and ".join(named)
    if others and "train" in named and len(named) > 1:
        raise InputError(
            f"{title}: {others[0]} lies beside {names}, which are splits: "
            "move it into one of them or out of the folder"
        )
    if not others and "train" not in named:
        raise InputError(
            f"{title} holds {names} but no train: rename one to train, or train on one alone, "
            f"as in {title}/{named[0]}"
        )
    if not others and len({_SPLITS[folder] for folder in named}) < len(named):
        raise InputError(f"{title} holds {names}, two names of one split: put them together")


def _first_folder(path: str) -> str | None:
    head, separator, _ = path.partition("/")
    return head if separator else None


def _class_names(title: str, splits: dict[str, list[_File]]) -> tuple[str, ...]:
    """Returns the sub-folders that hold images, sorted; () where all lie directly."""
    names = {file.class_name for members in splits.values() for file in members}
    class_names = sorted(name for name in names if name is not None)
    if class_names and None in names:
        raise InputError(
            f"{title} has images both directly in the folder and in sub-folders "
            f"({class_names[0]}, ...): give each class a folder, or have none"
        )
    return tuple(class_names)


def _examples(
    folder: epath.Path,
    files: list[_File],
    class_names: tuple[str, ...],
    size: int,
    channels: int,
) -> Iterator[Example | Unreadable]:
    """Reads the images on all cores, in order."""
    labels: dict[str | None, int] = {name: label for label, name in enumerate(class_names)}

    def read(file: _File) -> Example | Unreadable:
        return _read(folder / file.path, labels.get(file.class_name), size, channels)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        for start in range(0, len(files), _BLOCK):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what Pillow thinks of odd but readable files
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                block = list(pool.map(read, files[start : start + _BLOCK]))
            yield from block


def _read(file: epath.Path, label: int | None, size: int, channels: int) -> Example | Unreadable:
    try:
        content = file.read_bytes()
        if not content:
            return Unreadable(str(file), "empty file")
        with Image.open(io.BytesIO(content)) as image:
            upright = ImageOps.exif_transpose(image)
        return Example(str(file), images.fit(upright, size, channels), label)
    except images.UnsupportedImageError as error:
        return Unreadable(str(file), str(error))
    except UnidentifiedImageError:
        return Unreadable(str(file), "not an image")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Unreadable(str(file), "too many pixels")
    except Exception:  # on damaged files Pillow's decoders raise whatever they stumble over
        return Unreadable(str(file), "damaged")
