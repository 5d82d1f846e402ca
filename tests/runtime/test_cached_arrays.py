import numpy as np
import pytest

from gan_jax.runtime import cache


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "gan_jax" / "kind"


def cached(key, made):
    def make():
        made.append(key)
        return {"a": np.arange(3.0)}

    return cache.cached_arrays("kind", key, make)["a"]


def test_made_once_for_each_key(folder):
    made = []
    for key in ({"n": 1}, {"n": 2}, {"n": 1}):
        np.testing.assert_array_equal(cached(key, made), [0, 1, 2])
    assert made == [{"n": 1}, {"n": 2}]
    assert [file.suffix for file in folder.iterdir()] == [".npz", ".npz"]


def test_a_damaged_file_is_made_again(folder):
    made = []
    cached({}, made)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    flips = [whole[:i] + bytes([whole[i] ^ 64]) + whole[i + 1 :] for i in range(len(whole))]
    for damaged in (b"", whole[: len(whole) // 2], b"nothing", *flips):
        file.write_bytes(damaged)
        np.testing.assert_array_equal(cached({}, made), [0, 1, 2])
        assert file.read_bytes()[:2] == b"PK"
    assert len(made) > 4 + len(flips) / 2  # some bytes do not matter


def test_where_nothing_can_be_written_nothing_is_kept(folder):
    folder.parent.mkdir()
    folder.write_text("a file in the way")
    made = []
    for _ in range(2):
        np.testing.assert_array_equal(cached({}, made), [0, 1, 2])
    assert len(made) == 2
