"""Files by PyTorch, read without it; `golden/make_tensors.py` wrote them."""

import functools
import os
import pathlib
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest

from gan_jax.errors import InputError
from gan_jax.runtime.torch_file import read_tensors

GOLDEN = pathlib.Path(__file__).parent / "golden"
FORMATS = ("zip", "legacy")


@pytest.mark.parametrize("format", FORMATS)
def test_every_tensor_is_read(format):
    tensors = read_tensors(GOLDEN / f"tensors_{format}.pth")
    for name in ("float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"):
        assert tensors[name].dtype == name
        np.testing.assert_array_equal(tensors[name], np.arange(3).astype(name))
    shared = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    expected = {
        "transposed": shared.swapaxes(0, 2),
        "part": shared[1:, ::2, 1:],
        "scalar": np.array(7),
        "empty": np.zeros((0, 3), np.float32),
        "parameter": np.arange(2, dtype=np.float32),
        "Mixed.conv.weight": np.arange(12, dtype=np.float32).reshape(3, 2, 1, 2),
        "Mixed.bn.running_var": np.arange(3, dtype=np.float32),
        "Mixed.bn.num_batches_tracked": np.array(0),
    }
    for name, values in expected.items():
        assert tensors[name].dtype == values.dtype, name
        np.testing.assert_array_equal(tensors[name], values, strict=True)
        assert tensors[name].flags.owndata
        assert tensors[name].flags.c_contiguous
    assert len(tensors) == 8 + 8 + 2 + 5


class Call:
    """Pickled, it asks that a function be called."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Numbers:
    """Pickled, it is a storage of four float32."""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Returns `write(format, content, numbers=..., little=True)`: a file as PyTorch's, its path."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for module, name in ((torch, "FloatStorage"), (utils, "_rebuild_tensor_v2")):
        function = types.FunctionType((lambda: None).__code__, {}, name)
        function.__module__, function.__qualname__ = module.__name__, name
        setattr(module, name, function)
        monkeypatch.setitem(sys.modules, module.__name__, module)

    class Pickler(pickle.Pickler):
        def persistent_id(self, item):
            if isinstance(item, Numbers):
                return ("storage", torch.FloatStorage, "0", "cpu", 4)
            return None

    def written(format, content, *, numbers=bytes(16), little=True):
        path = tmp_path / f"{format}.pth"
        if format == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                with archive.open("a/data.pkl", "w") as file:
                    Pickler(file, 2).dump(content)
                archive.writestr("a/byteorder", "little" if little else "big")
                archive.writestr("a/data/0", numbers)
            return path
        with path.open("wb") as file:
            for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": little}):
                pickle.dump(part, file, 2)
            Pickler(file, 2).dump(content)
            pickle.dump(["0"], file, 2)
            file.write((4).to_bytes(8, "little") + numbers)
        return path

    written.tensor = functools.partial(Call, utils._rebuild_tensor_v2, Numbers())
    return written


def refused(path, match):
    with pytest.raises(InputError, match=match) as caught:
        read_tensors(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("format", FORMATS)
def test_what_a_file_asks_for_is_not_called(format, write, tmp_path):
    mark = tmp_path / "called"
    refused(write(format, {"x": Call(os.mkdir, str(mark))}), f"asks for {os.name}.mkdir")
    refused(write(format, {"x": Call(eval, "1")}), "asks for __builtin__.eval")
    refused(write(format, {"x": Call(np.zeros, 3)}), "asks for numpy.zeros")
    assert not mark.exists()


@pytest.mark.parametrize("format", FORMATS)
def test_tensors_stay_within_their_storage(format, write):
    fine = write(format, {"x": write.tensor(1, (1, 3), (3, 1), False, {})})
    assert read_tensors(fine)["x"].shape == (1, 3)
    for offset, shape, strides, match in (
        (2, (3,), (1,), "beyond its storage"),
        (0, (2, 2), (3, 1), "beyond its storage"),
        (0, (9,), (0,), "beyond its storage"),
        (-1, (2,), (1,), "no such shape"),
        (3, (2,), (-1,), "no such shape"),
        (0, (2, 2), (1,), "no such shape"),
        (0, ("2",), (1,), "no file of tensors"),
    ):
        path = write(format, {"x": write.tensor(offset, shape, strides, False, {})})
        refused(path, match)


@pytest.mark.parametrize("format", FORMATS)
def test_other_files_are_refused(format, write, tmp_path):
    refused(write(format, [1, 2]), "does not hold a dict")
    refused(write(format, {"epoch": 3}), "'epoch' is not a tensor")
    refused(write(format, {}, little=False), "big-endian")
    tensor = write.tensor(0, (4,), (1,), False, {})
    refused(write(format, {"x": tensor}, numbers=bytes(12)), "cut short")
    whole = (GOLDEN / f"tensors_{format}.pth").read_bytes()
    path = tmp_path / "damaged.pth"
    for length in range(0, len(whole), len(whole) // 20):
        path.write_bytes(whole[:length])
        refused(path, "no file of tensors by PyTorch")


def test_a_file_that_is_not_there(tmp_path):
    refused(tmp_path / "none.pth", "cannot be read: No such file")
