"""Data sets that TFDS itself defines, such as cifar10 or celeb_a.

TFDS needs TensorFlow to prepare most of them, once; a set that lies prepared as array_record in
TFDS's data directory is read without.
"""

import importlib.util
import os
import re
import sys

import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core import read_only_builder

from gan_jax.data import preparation
from gan_jax.errors import InputError, did_you_mean

_NAME = re.compile(r"(?P<builder>\w+)(/[\w\-.]+)?(:\d+\.[\d*]+\.[\d*]+)?")


def prepared(name: str, root: epath.Path, own_names: tuple[str, ...]) -> epath.Path:
    """Finds a set in TFDS's data directory, or downloads and prepares it.

    Args:
      name: As TFDS spells it: "mnist", "mnist:3.0.1", "imagenet_resized/32x32".
      root: TFDS's data directory.
      own_names: Names to suggest beside TFDS's when there is no such set.

    Returns:
      The folder that the prepared set lies in.

    Raises:
      InputError: No such set; or it has to be prepared and TensorFlow is not installed; or that
        fails.
    """
    hint = did_you_mean(name, (*own_names, *_builder_names()))
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise InputError(f"unknown data set {name!r}.{hint}")
    try:
        builder = read_only_builder.builder_from_files(name, data_dir=os.fspath(root))
        return epath.Path(builder.data_dir)
    except tfds.core.DatasetNotFoundError:
        pass  # not there yet
    if parts["builder"] not in _builder_names():
        raise InputError(f"unknown data set {name!r}.{hint}")
    if importlib.util.find_spec("tensorflow") is None:
        raise InputError(
            f"{name} is not prepared in {root} yet, for which TFDS needs TensorFlow, once: "
            "pip install tensorflow-cpu"
        )
    return _prepare(name, root)


def _builder_names() -> list[str]:
    return tfds.list_builders(with_community_datasets=False)  # the community's take a network


def _prepare(name: str, root: epath.Path) -> epath.Path:
    try:
        builder = tfds.builder(name, data_dir=os.fspath(root))
        folder = epath.Path(builder.data_dir)

        def build() -> None:
            with preparation.quietly(bars=sys.stderr.isatty()):
                builder.download_and_prepare(file_format="array_record")

        preparation.once(folder, root / builder.name, name, build)
    except InputError:
        raise
    except (AssertionError, ValueError, tfds.core.DatasetNotFoundError) as error:
        # A config or version that does not exist; files that TFDS may not download by itself.
        raise InputError(f"{name} cannot be prepared: {_first_line(error)}") from error
    return folder


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
