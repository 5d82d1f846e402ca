"""What the tests of data sets share."""

import pathlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from gan_jax.data import sources
from gan_jax.errors import InputError

WriteImages = Callable[..., list[pathlib.Path]]


@pytest.fixture(scope="session")
def prepared_root(tmp_path_factory) -> pathlib.Path:
    """A data directory that several tests may read, holding mnist_5k."""
    root = tmp_path_factory.mktemp("tfds")
    sources.load("mnist_5k", data_dir=root)
    return root


@pytest.fixture
def write_images() -> WriteImages:
    """Writes PNGs of different noise: `write_images(folder, count, first=0, size=(12, 9))`."""

    def write(folder, count, first=0, size=(12, 9), mode="RGB"):
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{index:03}.png" for index in range(first, first + count)]
        for index, path in enumerate(paths, first):
            channels = len(Image.new(mode, (1, 1)).getbands())
            noise = np.random.default_rng(index).integers(0, 256, (*size, channels), np.uint8)
            Image.fromarray(noise.squeeze(-1) if channels == 1 else noise).save(path)
        return paths

    return write


@pytest.fixture
def refusal() -> Callable[..., str]:
    """Returns the message of the InputError that a call must end in, one line of it."""

    def message(call, *args, **kwargs):
        with pytest.raises(InputError) as info:
            call(*args, **kwargs)
        assert "\n" not in str(info.value)
        return str(info.value)

    return message
