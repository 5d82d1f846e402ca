"""Tensors out of the files that PyTorch's `torch.save` writes, without PyTorch.

Such a file holds a pickle, which may ask for any function of any module to be called. Here it gets
a few of our own, for ordered dicts and tensors; one that asks for anything else is refused.
"""

import collections
import io
import math
import pathlib
import pickle
import zipfile
from collections.abc import Callable
from typing import IO, Any, NamedTuple

import numpy as np

from gan_jax.errors import InputError

# Little-endian all of them; as texts, which a pickle cannot change.
_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}

# The first two pickles of a file from before PyTorch 1.6.
_LEGACY = (0x1950A86A20F9469CFC6C, 1001)


def read_tensors(path: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the tensors of a state dict by name.

    Both formats are read: the zip archive of PyTorch 1.6 and later, and the sequence of pickles
    and raw numbers before it.

    Args:
      path: of a file that `torch.save(module.state_dict(), path)` wrote.

    Raises:
      InputError: there is no such file, it holds something else than a dict of names and dense
        tensors, or is damaged.
    """
    try:
        with pathlib.Path(path).open("rb") as file:
            return _read_archive(file) if zipfile.is_zipfile(file) else _read_sequence(file)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged pickle can raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path} is no file of tensors by PyTorch: {reason}") from error


class _Storage(NamedTuple):
    """A row of numbers that tensors look into."""

    key: str
    dtype: str
    length: int


class _Tensor(NamedTuple):
    """A view of a storage; it counts in numbers, not in bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes]):
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        # Functions are made anew each time, so a pickle that sets their attributes reaches no more.
        allowed: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor"): lambda *view: _Tensor(*view),
            ("torch._utils", "_rebuild_tensor_v2"): lambda *view_and_more: _Tensor(
                *view_and_more[:4]
            ),
            ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
        }
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if (module, name) not in allowed:
            raise InputError(f"it asks for {module}.{name}")
        return allowed[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, length, *view = pid  # between them is the device
        if kind != "storage" or dtype not in _STORAGES.values() or any(view):
            raise InputError("it stores numbers in a way not known here")
        return self.storages.setdefault(key, _Storage(key, dtype, length))


def _read_archive(file: IO[bytes]) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        (index,) = (name for name in archive.namelist() if name.split("/")[1:] == ["data.pkl"])
        folder = index.removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist():
            _expect_little_endian(archive.read(f"{folder}byteorder") == b"little")
        unpickler = _Unpickler(io.BytesIO(archive.read(index)))
        tensors = unpickler.load()

        def numbers(storage: _Storage) -> bytes:
            return archive.read(f"{folder}data/{storage.key}")

        return _arrays(tensors, unpickler, list(unpickler.storages), numbers)


def _read_sequence(file: IO[bytes]) -> dict[str, np.ndarray]:
    file.seek(0)
    if tuple(_Unpickler(file).load() for _ in _LEGACY) != _LEGACY:
        raise InputError("its header is another")
    _expect_little_endian(_Unpickler(file).load()["little_endian"])
    unpickler = _Unpickler(file)
    tensors = unpickler.load()
    keys = _Unpickler(file).load()

    def numbers(storage: _Storage) -> bytes:
        length = int.from_bytes(file.read(8), "little")
        if length != storage.length:
            raise InputError("a storage is of another length than its tensors say")
        return file.read(length * np.dtype(storage.dtype).itemsize)

    return _arrays(tensors, unpickler, keys, numbers)


def _expect_little_endian(little: bool) -> None:
    if not little:
        raise InputError("its numbers are big-endian")


def _arrays(
    tensors: Any, unpickler: _Unpickler, keys: list[str], numbers: Callable[[_Storage], bytes]
) -> dict[str, np.ndarray]:
    """Looks the tensors up in the storages, which are read in the order of `keys`."""
    if not isinstance(tensors, dict):
        raise InputError("it does not hold a dict")
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, _Tensor):
            raise InputError(f"its {name!r} is not a tensor")
    rows = {}
    for key in keys:
        storage = unpickler.storages[key]
        rows[key] = np.frombuffer(numbers(storage), storage.dtype)
        if len(rows[key]) != storage.length:
            raise InputError("it is cut short")
    return {name: _array(rows[tensor.storage.key], tensor) for name, tensor in tensors.items()}


def _array(row: np.ndarray, tensor: _Tensor) -> np.ndarray:
    _, offset, shape, strides = tensor
    if min((offset, *shape, *strides), default=0) < 0 or len(shape) != len(strides):
        raise InputError("a tensor has no such shape")
    if not math.prod(shape):
        return np.empty(shape, row.dtype)
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if max(last + 1, math.prod(shape)) > len(row):
        raise InputError("a tensor reaches beyond its storage")
    steps = [stride * row.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(row[offset:], shape, steps).copy()
